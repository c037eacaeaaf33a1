/** What Fargate asks of a task definition beyond what every one must be. Texts are AWS's where they are known. */
import type { ContainerDefinition, RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';
import { limits } from '#base/limits.ts';
import { isEcrImage } from '#domain/ecr.ts';
import { extensionsOf, FARGATE_TIMEOUT_S } from '#domain/extensions.ts';
import type { Extension } from '#domain/extensions.ts';
import { assertFargateSize, assertFreeSize } from '#domain/fargate-sizes.ts';
import { linuxCapabilities } from '#domain/linux-capabilities.ts';
import { clip } from '#domain/names.ts';
import type { Tag } from '#domain/task.ts';
import { assertAwsvpcContainers } from './network-rules.ts';
import { isEmpty, refuse, refuseIf } from './refuse.ts';

const FARGATE_NOFILE_MAX = 1_048_576;
const WINDOWS_MIN_CPU = 1024;

/** `cpu` and `memoryMib` as parsed from the definition. Throws ClientError, or InvalidParameter for a tag that names no extension. */
export function assertFargate(definition: RegisterTaskDefinitionRequest, cpu: number | undefined, memoryMib: number | undefined): void {
  refuseIf(definition.networkMode !== 'awsvpc', 'Fargate only supports network mode \u2018awsvpc\u2019.');
  if (cpu === undefined) throw refuse("Fargate requires that 'cpu' be defined at the task level.");
  if (memoryMib === undefined) throw refuse("Fargate requires that 'memory' be defined at the task level.");
  const extensions = extensionsOf(tagsOf(definition));
  if (extensions.includes('sizes')) assertFreeSize(cpu, memoryMib);
  else assertFargateSize(cpu, memoryMib);
  const windows = definition.runtimePlatform?.operatingSystemFamily?.startsWith('WINDOWS') ?? false;
  refuseIf(
    windows && cpu < WINDOWS_MIN_CPU,
    `No Fargate configuration exists for given values: Windows tasks need at least ${WINDOWS_MIN_CPU} CPU.`,
  );
  refuseIf(
    definition.pidMode === 'host',
    "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'.",
  );
  for (const field of ['ipcMode', 'placementConstraints'] as const) unsupported(definition[field], field);
  for (const volume of definition.volumes ?? []) {
    unsupported(volume.host?.sourcePath, 'sourcePath');
    if (!extensions.includes('volumes')) unsupported(volume.dockerVolumeConfiguration, 'dockerVolumeConfiguration');
    unsupported(volume.fsxWindowsFileServerVolumeConfiguration, 'fsxWindowsFileServerVolumeConfiguration');
  }
  const containers = definition.containerDefinitions ?? [];
  for (const container of containers) {
    assertRights(container, extensions);
    assertTimeouts(container, extensions.includes('timeouts'));
    assertFargateContainer(container);
  }
  assertAwsvpcContainers(containers);
  refuseIf(
    !definition.executionRoleArn && containers.some(({ image = '' }) => isEcrImage(image)),
    'Fargate requires task definition to have execution role ARN to support ECR images.',
  );
}

/** The request's own, which are checked as tags later on. */
export function tagsOf(definition: RegisterTaskDefinitionRequest): Tag[] {
  return (definition.tags ?? []).map(({ key = '', value = '' }) => ({ key, value }));
}

/** What Fargate never allows, and berth's extensions `privileged` and `capabilities` do. */
function assertRights(container: ContainerDefinition, extensions: readonly Extension[]): void {
  const privileged = extensions.includes('privileged');
  if (!privileged) {
    refuseIf(container.privileged === true, "Fargate requires that the 'privileged' setting be 'false'");
    unsupported(container.linuxParameters?.devices, 'devices');
  }
  const anyCapability = privileged || extensions.includes('capabilities');
  for (const capability of container.linuxParameters?.capabilities?.add ?? []) {
    refuseIf(!anyCapability && capability !== 'SYS_PTRACE', `${capability} is not allowed on Fargate.`);
  }
  if (anyCapability) assertExtended(container);
}

const DEVICE_PATH = /^\/dev\/[A-Za-z0-9_./-]+$/;

/** With the extension: it must still be something that the guest's kernel can have. */
function assertExtended(container: ContainerDefinition): void {
  const linux = container.linuxParameters;
  for (const capability of linux?.capabilities?.add ?? []) {
    refuseIf(capability !== 'ALL' && !linuxCapabilities.includes(capability), `'${clip(capability)}' is not a Linux capability.`);
  }
  for (const { hostPath = '', containerPath = hostPath, permissions = [] } of linux?.devices ?? []) {
    for (const path of [hostPath, containerPath]) {
      const outside = !DEVICE_PATH.test(path) || path.split('/').includes('..');
      refuseIf(outside, `Invalid device '${clip(path)}': a device of a microVM's guest is named by its path below /dev.`);
    }
    const unknown = permissions.find((permission) => !['read', 'write', 'mknod'].includes(permission));
    refuseIf(unknown !== undefined, `Invalid device permission '${clip(unknown ?? '')}': use read, write or mknod.`);
  }
}

function assertTimeouts({ stopTimeout = 0, startTimeout }: ContainerDefinition, extended: boolean): void {
  if (extended) {
    const longest = limits.containerTimeoutSeconds;
    refuseIf(stopTimeout > longest, `stopTimeout must be at most ${longest} seconds.`);
    refuseIf(
      startTimeout !== undefined && (startTimeout < 2 || startTimeout > longest),
      `startTimeout must be between 2 and ${longest} seconds.`,
    );
    return;
  }
  refuseIf(
    stopTimeout > FARGATE_TIMEOUT_S,
    'Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds.',
  );
  refuseIf(
    startTimeout !== undefined && (startTimeout < 2 || startTimeout > FARGATE_TIMEOUT_S),
    'Tasks using the Fargate launch type must have a container start timeout between 2 and 120 seconds.',
  );
}

function assertFargateContainer(container: ContainerDefinition): void {
  unsupported(container.dockerSecurityOptions, 'dockerSecurityOptions');
  unsupported(container.credentialSpecs, 'credentialSpecs');
  const linux = container.linuxParameters;
  for (const field of ['sharedMemorySize', 'maxSwap', 'swappiness'] as const) unsupported(linux?.[field], field);
  for (const requirement of container.resourceRequirements ?? []) {
    refuseIf(requirement.type === 'GPU', 'Tasks using the Fargate launch type do not support GPU resource requirements');
    unsupported(requirement.type, `resourceRequirements of type ${requirement.type}`);
  }
  for (const { name, softLimit = 0, hardLimit = 0 } of container.ulimits ?? []) {
    refuseIf(name !== 'nofile', `Tasks using the Fargate launch type only support the nofile ulimit; '${name}' can't be set.`);
    refuseIf(
      Math.max(softLimit, hardLimit) > FARGATE_NOFILE_MAX || Math.min(softLimit, hardLimit) < 0,
      `The nofile ulimit must be between 0 and ${FARGATE_NOFILE_MAX}.`,
    );
  }
  for (const { namespace = '' } of container.systemControls ?? []) {
    refuseIf(!isTaskSysctl(namespace), `The system control '${namespace}' is not supported on Fargate: use net.* and IPC parameters.`);
  }
}

/** Kernel parameters that belong to a task's own network or IPC namespace (ECS developer guide, "System controls"). */
function isTaskSysctl(name: string): boolean {
  const ipc = [
    'kernel.msgmax',
    'kernel.msgmnb',
    'kernel.msgmni',
    'kernel.sem',
    'kernel.shmall',
    'kernel.shmmax',
    'kernel.shmmni',
    'kernel.shm_rmid_forced',
  ];
  return /^net\.[a-z0-9_.-]+$/i.test(name) || /^fs\.mqueue\.[a-z_]+$/.test(name) || ipc.includes(name);
}

function unsupported(value: unknown, field: string): void {
  refuseIf(!isEmpty(value), `Fargate compatible task definitions do not support ${field}`);
}
