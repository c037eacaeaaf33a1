/** Pure: a container of a plan as an OCI bundle's config.json (runtime-spec 1.1). Golden files stand beside this. */
import { Fault, invariant } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { beyondKind } from '#domain/extensions.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import type { PreparedImage } from '#image/types.ts';
import type { SandboxPlan } from '../driver.ts';
import { maskedPaths, mountsOf, readonlyPaths } from './mounts.ts';
import type { OciConfig, OciDeviceRule } from './oci.ts';
import { capabilitiesOf, processOf, userOf } from './process.ts';
import { dockerSeccomp } from './seccomp.ts';

const CPU_SHARES_PER_CORE = 1024;
const MIN_CPU_SHARES = 2;

/** Docker's device rules: any node may be made, only the harmless ones opened. */
const devices: OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...(
    [
      [1, 3], // null
      [1, 5], // zero
      [1, 7], // full
      [1, 8], // random
      [1, 9], // urandom
      [5, 0], // tty
      [5, 1], // console
      [5, 2], // ptmx
    ] as const
  ).map(([major, minor]): OciDeviceRule => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

/** A label must not pass for one of berth's own annotations, which the supervisor acts on. */
function foreignLabels(container: ContainerSpec): Record<string, string> {
  return Object.fromEntries(Object.entries(container.labels).filter(([name]) => !name.startsWith('berth.')));
}

const anyDevice: OciDeviceRule[] = [{ allow: true, access: 'rwm' }];

/**
 * `berth.devices`: the nodes that the supervisor makes beyond the usual six, since only it knows the guest's: `all`, or a JSON list of
 * `{ hostPath, containerPath, permissions }`.
 */
function deviceAnnotation(container: ContainerSpec): Record<string, string> {
  if (container.privileged) return { 'berth.devices': 'all' };
  return container.devices.length === 0 ? {} : { 'berth.devices': JSON.stringify(container.devices) };
}

/** `berth.secrets`: a JSON list of `NAME=value`, which the supervisor adds to the environment. */
function secretsAnnotation({ secrets }: RenderContext): Record<string, string> {
  return typeof secrets === 'string' ? { 'berth.secrets': secrets } : {};
}

/** What a plan doesn't say: where its containers find what the driver wrote for them, and what the machine allows. */
export type RenderContext = {
  /** Mount point of the container's root. */
  root: string;
  /** Path in the container -> file on the host. */
  files: Record<string, string>;
  /** Volume name -> directory where the supervisor runs. */
  volumes: Record<string, string>;
  /** Open files of a container that doesn't set its own limit. */
  nofile: number;
  /** Where the supervisor finds the container's secrets; null: it has none. */
  secrets?: string | null;
};

/** Relative weight of a container among those of its task; `cpuMillis` 0 is Docker's least weight. */
export function cpuSharesOf(cpuMillis: number): number {
  return Math.max(MIN_CPU_SHARES, Math.floor((cpuMillis * CPU_SHARES_PER_CORE) / 1000));
}

export function imageOf(plan: SandboxPlan, container: ContainerSpec): PreparedImage {
  const image = plan.images[container.name];
  if (image === undefined) throw new Fault('Internal', `the plan of task ${plan.taskId} has no image for container "${container.name}"`);
  return image;
}

function memoryOf({ memoryBytes, memoryReservationBytes }: ContainerSpec): { limit?: number; reservation?: number } {
  return {
    ...(memoryBytes === null ? {} : { limit: memoryBytes }),
    ...(memoryReservationBytes === null ? {} : { reservation: memoryReservationBytes }),
  };
}

/** Throws on an invariant when something stands in the plan that this kind may never give. */
export function render(plan: SandboxPlan, container: ContainerSpec, context: RenderContext): OciConfig {
  const beyond = beyondKind([container], plan.kind);
  invariant(beyond === undefined, `${beyond} in a sandbox of the kind ${plan.kind}`);
  const image = imageOf(plan, container).config;
  const environment = plan.environment[container.name] ?? {};
  return {
    ociVersion: '1.1.0',
    process: processOf(container, image, { hostname: plan.network.hostname, environment, nofile: context.nofile }),
    root: { path: context.root, readonly: container.readOnlyRoot },
    hostname: plan.network.hostname,
    mounts: mountsOf(container, { volumes: context.volumes, files: context.files }),
    annotations: {
      ...foreignLabels(container),
      ...deviceAnnotation(container),
      ...secretsAnnotation(context),
      'berth.user': userOf(container, image),
    },
    linux: {
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
      resources: {
        devices: container.privileged ? anyDevice : devices,
        cpu: { shares: cpuSharesOf(container.cpuMillis) },
        pids: { limit: limits.taskPids },
        ...(container.memoryBytes === null && container.memoryReservationBytes === null ? {} : { memory: memoryOf(container) }),
      },
      ...(container.privileged ? {} : { seccomp: dockerSeccomp(plan.spec.platform.arch, capabilitiesOf(container)) }),
      maskedPaths: container.privileged ? [] : maskedPaths,
      readonlyPaths: container.privileged ? [] : readonlyPaths,
    },
  };
}
