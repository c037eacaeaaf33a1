/** A registered definition and a call's overrides -> what to run, in berth's own terms. Pure; throws only Faults. */
import type {
  ContainerDefinition,
  ContainerOverride,
  ContainerRestartPolicy,
  HealthCheck,
  TaskDefinition,
  TaskOverride,
  Volume,
} from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import type { BlockVolume } from '#domain/block-volume.ts';
import type { Extension } from '#domain/extensions.ts';
import { cpuUnitsToMillis, GIBIBYTE, MEBIBYTE } from '#domain/fargate-sizes.ts';
import type {
  ContainerSpec,
  HealthCheckSpec,
  IsolationWish,
  LogDelivery,
  RestartSpec,
  StartCondition,
  TaskSpec,
  VolumeSpec,
} from '#domain/task-spec.ts';
import { parseRange } from '../definition/network-rules.ts';
import { bucketVolume } from './bucket-volume.ts';
import { firelensOf, logTarget, secretRefs, withRouterFirst } from './log-target.ts';
import { namedVolume } from './named-volume.ts';
import { assertRunnable } from './runnable.ts';
import { taskSize } from './task-size.ts';

export type SpecInput = {
  definition: TaskDefinition;
  overrides: TaskOverride;
  taskId: string;
  isolation: IsolationWish;
  /** Those that the definition's tag names. */
  extensions?: readonly Extension[];
  /** The region that awslogs falls back to, and the architecture of a definition that names none. */
  region: string;
  arch: 'amd64' | 'arm64';
  /** Volumes that are configured at launch, by their names; default: none. */
  launched?: ReadonlyMap<string, BlockVolume>;
  /** What a log configuration without a mode gets; default: non-blocking. */
  logMode?: LogDelivery['mode'] | undefined;
};

/** Fargate's limits where the definition names none. */
const NOFILE = 65_535;
const STOP_TIMEOUT_S = 30;
const EPHEMERAL_GIB = 20;

/**
 * Throws InvalidParameter or ClientError: an override of a container that isn't there, a size Fargate doesn't have, or a part of the
 * definition that berth can't run yet.
 */
export function toTaskSpec(input: SpecInput): TaskSpec {
  const { definition, overrides } = input;
  const containers = definition.containerDefinitions ?? [];
  const overrideOf = overridesByName(containers, overrides.containerOverrides ?? []);
  assertRunnable(definition, overrides);
  const size = taskSize(definition, overrides, input.extensions ?? []);
  return {
    cpuMillis: cpuUnitsToMillis(size.cpu),
    memoryBytes: size.memoryMib * MEBIBYTE,
    ephemeralBytes: (overrides.ephemeralStorage?.sizeInGiB ?? definition.ephemeralStorage?.sizeInGiB ?? EPHEMERAL_GIB) * GIBIBYTE,
    isolation: input.isolation,
    platform: { os: 'linux', arch: architecture(definition, input.arch) },
    pidMode: definition.pidMode === 'task' ? 'task' : 'container',
    sysctls: Object.fromEntries(
      containers.flatMap((container) =>
        (container.systemControls ?? []).flatMap((control) =>
          control.namespace === undefined || control.value === undefined ? [] : [[control.namespace, control.value]],
        ),
      ),
    ),
    ...(definition.enableFaultInjection === true ? { faultInjection: true } : {}),
    ...rolesOf(definition, overrides),
    volumes: (definition.volumes ?? []).map((volume) => toVolume(volume, input.launched)),
    containers: withRouterFirst(
      containers.map((container) => toContainer(container, overrideOf.get(container.name ?? ''), containers, input)),
    ),
  };
}

function rolesOf(definition: TaskDefinition, overrides: TaskOverride): Pick<TaskSpec, 'taskRole' | 'executionRole'> {
  const taskRole = overrides.taskRoleArn || definition.taskRoleArn;
  const executionRole = overrides.executionRoleArn || definition.executionRoleArn;
  return { ...(taskRole ? { taskRole } : {}), ...(executionRole ? { executionRole } : {}) };
}

function toContainer(
  container: ContainerDefinition,
  override: ContainerOverride | undefined,
  all: ContainerDefinition[],
  input: SpecInput,
): ContainerSpec {
  const memory = override?.memory ?? container.memory;
  const reservation = override?.memoryReservation ?? container.memoryReservation;
  const linux = container.linuxParameters;
  return {
    name: container.name ?? '',
    image: container.image ?? '',
    ...(container.versionConsistency === 'disabled' ? { followsTag: true as const } : {}),
    entryPoint: listOrNull(container.entryPoint),
    command: listOrNull(override?.command) ?? listOrNull(container.command),
    workingDirectory: container.workingDirectory || null,
    user: container.user || null,
    environment: environmentOf(container, override),
    ...secretsOf(container),
    ...environmentFilesOf(container, override),
    essential: container.essential ?? true,
    cpuMillis: cpuUnitsToMillis(override?.cpu ?? container.cpu ?? 0),
    memoryBytes: memory === undefined ? null : memory * MEBIBYTE,
    memoryReservationBytes: reservation === undefined ? null : reservation * MEBIBYTE,
    ports: portsOf(container),
    dependsOn: (container.dependsOn ?? []).map((dependency) => ({
      container: dependency.containerName ?? '',
      condition: (dependency.condition ?? 'START') as StartCondition,
    })),
    mounts: mountsOf(container, all),
    readOnlyRoot: container.readonlyRootFilesystem ?? false,
    capabilities: { add: linux?.capabilities?.add ?? [], drop: linux?.capabilities?.drop ?? [] },
    privileged: container.privileged ?? false,
    devices: devicesOf(container),
    ulimits: ulimitsOf(container),
    initProcess: linux?.initProcessEnabled ?? false,
    tmpfs: (linux?.tmpfs ?? []).map((mount) => ({
      path: mount.containerPath ?? '',
      sizeBytes: (mount.size ?? 0) * MEBIBYTE,
      options: mount.mountOptions ?? [],
    })),
    labels: container.dockerLabels ?? {},
    tty: container.pseudoTerminal ?? false,
    stdin: container.interactive ?? false,
    startTimeoutMs: container.startTimeout === undefined ? null : container.startTimeout * 1000,
    stopTimeoutMs: (container.stopTimeout ?? STOP_TIMEOUT_S) * 1000,
    stopSignal: null,
    log: logTarget(container, all, input),
    ...firelensOf(container),
    health: healthOf(container.healthCheck),
    restart: restartOf(container.restartPolicy),
  };
}

function secretsOf({ secrets, repositoryCredentials }: ContainerDefinition): Pick<ContainerSpec, 'secrets' | 'registrySecret'> {
  const registrySecret = repositoryCredentials?.credentialsParameter;
  const refs = secretRefs(secrets);
  return { ...(refs.length === 0 ? {} : { secrets: refs }), ...(registrySecret ? { registrySecret } : {}) };
}

/** As Docker: at the same path, to read, write and make, where the definition doesn't say. */
function devicesOf(container: ContainerDefinition): ContainerSpec['devices'] {
  const letters = { read: 'r', write: 'w', mknod: 'm' } as const;
  return (container.linuxParameters?.devices ?? []).map((device) => {
    const permissions = (device.permissions ?? []).map((permission) => letters[permission]).join('');
    const hostPath = device.hostPath ?? '';
    return { hostPath, containerPath: device.containerPath || hostPath, permissions: permissions === '' ? 'rwm' : permissions };
  });
}

/** A call's override goes before the definition; either goes before the image. */
/** A call's files stand instead of the definition's (ECS API reference, ContainerOverride). */
function environmentFilesOf(
  { environmentFiles }: ContainerDefinition,
  override: ContainerOverride | undefined,
): Pick<ContainerSpec, 'environmentFiles'> {
  const files = (override?.environmentFiles ?? environmentFiles ?? []).map(({ value = '' }) => value);
  return files.length === 0 ? {} : { environmentFiles: files };
}

function environmentOf(container: ContainerDefinition, override: ContainerOverride | undefined): Record<string, string> {
  const pairs = [...(container.environment ?? []), ...(override?.environment ?? [])];
  return Object.fromEntries(pairs.flatMap(({ name, value }) => (name === undefined || name === '' ? [] : [[name, value ?? '']])));
}

function overridesByName(containers: ContainerDefinition[], overrides: ContainerOverride[]): Map<string, ContainerOverride> {
  const names = new Set(containers.map((container) => container.name));
  for (const override of overrides) {
    if (override.name === undefined || override.name === '')
      throw new Fault('InvalidParameter', 'Container override name should not be null or empty.');
    if (!names.has(override.name)) {
      throw new Fault('InvalidParameter', `Override for container named ${override.name} is not a container in the TaskDefinition.`);
    }
  }
  return new Map(overrides.map((override) => [override.name ?? '', override]));
}

function portsOf(container: ContainerDefinition): ContainerSpec['ports'] {
  return (container.portMappings ?? []).flatMap((mapping) => {
    const protocol = mapping.protocol === 'udp' ? ('udp' as const) : ('tcp' as const);
    const [low, high] =
      mapping.containerPortRange === undefined
        ? [mapping.containerPort ?? 0, mapping.containerPort ?? 0]
        : parseRange(mapping.containerPortRange);
    return Array.from({ length: high - low + 1 }, (_, index) => ({ containerPort: low + index, protocol, name: mapping.name ?? null }));
  });
}

/** `volumesFrom` lends the mounts of another container, and of those it takes from in turn; the definition has no circles. */
function mountsOf(container: ContainerDefinition, all: ContainerDefinition[], seen: string[] = []): ContainerSpec['mounts'] {
  const own = (container.mountPoints ?? []).map((mount) => ({
    volume: mount.sourceVolume ?? '',
    path: mount.containerPath ?? '',
    readOnly: mount.readOnly ?? false,
  }));
  const taken = (container.volumesFrom ?? []).flatMap((from) => {
    const source = all.find((candidate) => candidate.name === from.sourceContainer);
    if (source === undefined || seen.includes(source.name ?? '')) return [];
    const mounts = mountsOf(source, all, [...seen, container.name ?? '']);
    return mounts.map((mount) => ({ ...mount, readOnly: mount.readOnly || (from.readOnly ?? false) }));
  });
  const paths = new Set(own.map((mount) => mount.path));
  return [...own, ...taken.filter((mount) => !paths.has(mount.path))];
}

function ulimitsOf(container: ContainerDefinition): ContainerSpec['ulimits'] {
  const given = (container.ulimits ?? []).map((limit) => ({
    name: limit.name ?? '',
    soft: limit.softLimit ?? 0,
    hard: limit.hardLimit ?? 0,
  }));
  return given.some((limit) => limit.name === 'nofile') ? given : [...given, { name: 'nofile', soft: NOFILE, hard: NOFILE }];
}

function toVolume(volume: Volume, launched: SpecInput['launched']): VolumeSpec {
  const name = volume.name ?? '';
  const given = launched?.get(name);
  if (given !== undefined) return given;
  if (volume.dockerVolumeConfiguration !== undefined) return namedVolume(name, volume.dockerVolumeConfiguration);
  if (volume.s3filesVolumeConfiguration !== undefined) return bucketVolume(name, volume.s3filesVolumeConfiguration);
  const efs = volume.efsVolumeConfiguration;
  if (efs === undefined) return { name, kind: 'scratch' };
  const accessPointId = efs.authorizationConfig?.accessPointId ?? null;
  return { name, kind: 'shared', fileSystemId: efs.fileSystemId ?? '', rootDirectory: efs.rootDirectory || '/', accessPointId };
}

/** What AWS takes where the definition says nothing (SDK, HealthCheck). */
const HEALTH = { intervalS: 30, timeoutS: 5, retries: 3, startPeriodS: 0 };

/** As Docker: `NONE`, and what is neither CMD nor CMD-SHELL, checks nothing. */
function healthOf(check: HealthCheck | undefined): HealthCheckSpec | null {
  const [kind, ...words] = check?.command ?? [];
  if (check === undefined || (kind !== 'CMD' && kind !== 'CMD-SHELL') || words.length === 0) return null;
  return {
    command: kind === 'CMD' ? words : ['/bin/sh', '-c', ...words],
    intervalMs: (check.interval ?? HEALTH.intervalS) * 1000,
    timeoutMs: (check.timeout ?? HEALTH.timeoutS) * 1000,
    retries: check.retries ?? HEALTH.retries,
    startPeriodMs: (check.startPeriod ?? HEALTH.startPeriodS) * 1000,
  };
}

/** What AWS takes where the definition says nothing (SDK, ContainerRestartPolicy). */
const RESTART_PERIOD_S = 300;

function restartOf(policy: ContainerRestartPolicy | undefined): RestartSpec | null {
  if (policy?.enabled !== true) return null;
  return { ignoredExitCodes: policy.ignoredExitCodes ?? [], attemptPeriodMs: (policy.restartAttemptPeriod ?? RESTART_PERIOD_S) * 1000 };
}

function architecture(definition: TaskDefinition, fallback: 'amd64' | 'arm64'): 'amd64' | 'arm64' {
  const wanted = definition.runtimePlatform?.cpuArchitecture;
  return wanted === undefined ? fallback : wanted === 'ARM64' ? 'arm64' : 'amd64';
}

/** An empty list means the image's own, as an absent one does. */
function listOrNull(list: string[] | undefined): string[] | null {
  return list === undefined || list.length === 0 ? null : list;
}
