/** A task's three columns -> the API's Task. */
import type { Attachment, Container, NetworkInterface, Task, TaskOverride } from '@aws-sdk/client-ecs';
import { clusterArn, containerArn, taskArn, taskDefinitionArn } from '#domain/arn.ts';
import { blockVolumes } from '#domain/block-volume.ts';
import {
  containerIdOf,
  attachmentIdOf,
  volumeAttachmentIdOf,
  effectiveDesired,
  effectiveStop,
  privateDnsName,
  taskHealth,
} from '#domain/task.ts';
import type { ContainerObserved, TaskRecord } from '#domain/task.ts';
import type { ReadTx } from '#store/types.ts';

/** What the front door keeps of a RunTask call to show it again: sizes as AWS writes them, and the overrides whole. */
export type TaskFront = {
  cpu: string;
  memory: string;
  overrides: TaskOverride;
  containers: { name: string; image: string; cpu: string; memory?: string; memoryReservation?: string }[];
  ephemeralGib: number;
};

/** Zones of subnets, so that many tasks are described with one read each. */
export async function zonesOf(tx: ReadTx, tasks: readonly TaskRecord[]): Promise<Map<string, string>> {
  const zones = new Map<string, string>();
  for (const { key, desired } of tasks) {
    const id = desired.network.subnetId;
    if (zones.has(id)) continue;
    const subnet = await tx.subnets.get({ account: key.account, region: key.region, id });
    if (subnet !== undefined) zones.set(id, subnet.zone);
  }
  return zones;
}

/** Of these, the ones that are to stop and that a load balancer still sends the rest of their requests to: their ids. */
export async function drainingOf(tx: ReadTx, tasks: readonly TaskRecord[]): Promise<Set<string>> {
  const draining = new Set<string>();
  for (const task of tasks) {
    if (task.observed.status !== 'RUNNING' || effectiveDesired(task) !== 'STOPPED') continue;
    if ((await tx.targetsOfTask(task.key.id)).length > 0) draining.add(task.key.id);
  }
  return draining;
}

export function describeTask(
  task: TaskRecord,
  zones: ReadonlyMap<string, string>,
  include: readonly string[],
  draining: ReadonlySet<string> = new Set(),
): Task {
  const { key, desired, observed } = task;
  const front = desired.front as Partial<TaskFront>;
  const stop = effectiveStop(task);
  return {
    taskArn: taskArn(key),
    clusterArn: clusterArn(key, key.cluster),
    taskDefinitionArn: taskDefinitionArn(key, desired.family, desired.revision),
    group: desired.group,
    lastStatus: draining.has(key.id) ? 'DEACTIVATING' : observed.status,
    desiredStatus: effectiveDesired(task),
    healthStatus: taskHealth(observed, desired.spec),
    connectivity: observed.connectivity,
    // A wish to stop is a change of its own, made before the host's next report.
    version: observed.version + (desired.stop === null ? 0 : 1),
    attachments: [attachmentOf(task), ...volumeAttachments(task)],
    attributes: attributesOf(task),
    containers: observed.containers.map((container) => containerOf(task, container)),
    overrides: overridesOf(task, front.overrides ?? {}),
    enableExecuteCommand: desired.enableExec,
    platformVersion: desired.platformVersion,
    platformFamily: 'Linux',
    tags: include.includes('TAGS') ? desired.tags : [],
    ...present({
      availabilityZone: zones.get(desired.network.subnetId),
      cpu: front.cpu,
      memory: front.memory,
      launchType: desired.launchType,
      capacityProviderName: desired.capacityProvider,
      startedBy: desired.startedBy,
      stopCode: stop?.code,
      stoppedReason: stop?.reason,
      ephemeralStorage: front.ephemeralGib === undefined ? undefined : { sizeInGiB: front.ephemeralGib },
      fargateEphemeralStorage: front.ephemeralGib === undefined ? undefined : { sizeInGiB: front.ephemeralGib },
    }),
    createdAt: new Date(desired.createdAt),
    ...present({
      connectivityAt: date(observed.connectivityAt),
      pullStartedAt: date(observed.pullStartedAt),
      pullStoppedAt: date(observed.pullStoppedAt),
      startedAt: date(observed.startedAt),
      stoppingAt: date(observed.stoppingAt),
      executionStoppedAt: date(observed.executionStoppedAt),
      stoppedAt: date(observed.stoppedAt),
    }),
  };
}

function attachmentOf(task: TaskRecord): Attachment {
  const { placement, desired, key } = task;
  const details = [{ name: 'subnetId', value: desired.network.subnetId }];
  if (placement !== null) {
    details.push(
      { name: 'networkInterfaceId', value: placement.eniId },
      { name: 'macAddress', value: placement.mac },
      { name: 'privateDnsName', value: privateDnsName(key.region, placement.ip) },
      { name: 'privateIPv4Address', value: placement.ip },
    );
  }
  return {
    id: placement?.attachmentId ?? attachmentIdOf(key.id),
    type: 'ElasticNetworkInterface',
    status: attachmentStatus(task),
    details,
  };
}

/** Of volumes that were made for it, with the details that AWS gives (API reference, Attachment). */
function volumeAttachments(task: TaskRecord): Attachment[] {
  const why = effectiveStop(task)?.reason ?? '';
  return blockVolumes(task.desired.spec).flatMap(({ name, volumeId, from }) => {
    if (from.by !== 'launch') return [];
    const details = [
      { name: 'roleArn', value: from.roleArn },
      { name: 'deleteOnTermination', value: String(from.deleteOnTermination) },
      { name: 'volumeName', value: name },
      { name: 'volumeId', value: volumeId },
      ...(why.includes(volumeId) ? [{ name: 'statusReason', value: why }] : []),
    ];
    return [{ id: volumeAttachmentIdOf(task.key.id, name), type: 'AmazonElasticBlockStorage', status: volumeStatus(task), details }];
  });
}

/** It is attached before the containers start, and that is known when they did. */
function volumeStatus(task: TaskRecord): string {
  const { status, startedAt } = task.observed;
  if (status === 'STOPPED') return 'DELETED';
  if (task.placement === null) return 'PRECREATED';
  if (status === 'DEPROVISIONING') return 'DETACHING';
  return startedAt === null ? 'ATTACHING' : 'ATTACHED';
}

function attachmentStatus(task: TaskRecord): string {
  if (task.observed.status === 'STOPPED') return 'DELETED';
  if (task.placement === null) return 'PRECREATED';
  if (task.observed.status === 'PROVISIONING') return 'ATTACHING';
  return task.observed.status === 'DEPROVISIONING' ? 'DETACHING' : 'ATTACHED';
}

/** `berth.isolation` says what the task really runs in, `berth.accelerator` what its virtual machine runs on. */
function attributesOf(task: TaskRecord): Task['attributes'] {
  const architecture = task.desired.spec.platform.arch === 'arm64' ? 'arm64' : 'x86_64';
  const { isolation, accelerator } = task.observed;
  return [
    { name: 'ecs.cpu-architecture', value: architecture },
    ...(isolation === null ? [] : [{ name: 'berth.isolation', value: isolation }]),
    // Rows of a former version have none.
    ...(accelerator ? [{ name: 'berth.accelerator', value: accelerator }] : []),
  ];
}

function containerOf(task: TaskRecord, container: ContainerObserved): Container {
  const front = (task.desired.front as Partial<TaskFront>).containers?.find((candidate) => candidate.name === container.name);
  return {
    containerArn: containerArn(task.key, containerIdOf(task.key.id, container.name)),
    taskArn: taskArn(task.key),
    name: container.name,
    lastStatus: container.status,
    networkInterfaces: interfacesOf(task),
    networkBindings: [],
    healthStatus: container.health ?? 'UNKNOWN',
    cpu: front?.cpu ?? '0',
    ...(task.desired.enableExec ? { managedAgents: [execAgentOf(container)] } : {}),
    ...present({
      image: front?.image,
      memory: front?.memory,
      memoryReservation: front?.memoryReservation,
      imageDigest: container.imageDigest,
      runtimeId: container.runtimeId,
      exitCode: container.exitCode,
      reason: container.reason ?? container.healthReason,
    }),
  };
}

/** Who runs commands inside is the task's supervisor: it is there when the container is. */
function execAgentOf(container: ContainerObserved): NonNullable<Container['managedAgents']>[number] {
  const { status: lastStatus, startedAt } = container;
  return { name: 'ExecuteCommandAgent', lastStatus, ...(startedAt === null ? {} : { lastStartedAt: new Date(startedAt) }) };
}

function interfacesOf(task: TaskRecord): NetworkInterface[] {
  const { placement } = task;
  return placement === null ? [] : [{ attachmentId: placement.attachmentId, privateIpv4Address: placement.ip }];
}

/** Every container is named, as AWS does, whether it was overridden or not. */
function overridesOf(task: TaskRecord, overrides: TaskOverride): TaskOverride {
  const given = overrides.containerOverrides ?? [];
  const untouched = task.observed.containers.filter((container) => !given.some((override) => override.name === container.name));
  return {
    ...overrides,
    containerOverrides: [...given, ...untouched.map((container) => ({ name: container.name }))],
    inferenceAcceleratorOverrides: [],
  };
}

function date(ms: number | null): Date | undefined {
  return ms === null ? undefined : new Date(ms);
}

/** Without the members that have no value. */
function present<T extends Record<string, unknown>>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)) as never;
}
