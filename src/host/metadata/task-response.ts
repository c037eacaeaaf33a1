/** A task and its containers as the ECS agent's metadata endpoints show them on Fargate (versions 3 and 4). Pure. */
import type { ContainerSpec } from '#domain/task-spec.ts';
import type { ContainerObserved, Tag } from '#domain/task.ts';
import type { TaskStats } from '#supervisor/protocol.ts';
import { serviceAddresses } from '#network/rules.ts';
import type { TaskEntry } from '../journal.ts';

export type MetadataVersion = 3 | 4;

const MEBIBYTE = 1024 * 1024;

/** The answer at `/task`; with `tags` that of `/taskWithTags`. `stats`: the task's last, where there are some. */
export function taskResponse(
  entry: TaskEntry,
  version: MetadataVersion,
  { tags, stats }: { tags?: readonly Tag[] | undefined; stats?: TaskStats | undefined },
): Record<string, unknown> {
  const { assignment, report } = entry;
  const { spec, facts, labels, network } = assignment;
  const status = report.status === 'RUNNING' || report.status === 'STOPPED' ? report.status : 'PENDING';
  const disk = stats?.disk;
  const taskOfFour = {
    ServiceName: facts?.service ?? undefined,
    VPCID: network.vpcId,
    FaultInjectionEnabled: spec.faultInjection === true,
    // As Fargate's, in MiB.
    EphemeralStorageMetrics:
      disk === undefined ? undefined : { Utilized: Math.ceil(disk.usedBytes / MEBIBYTE), Reserved: Math.floor(disk.sizeBytes / MEBIBYTE) },
    ClockDrift: stats === undefined ? undefined : clockDrift(stats),
  };
  return present({
    Cluster: labels.clusterArn,
    TaskARN: labels.taskArn,
    Family: labels.family,
    Revision: labels.revision,
    DesiredStatus: desiredStatus(entry),
    // As the agent tells its statuses: what is not yet RUNNING is PENDING, and a task that ends is RUNNING until it is STOPPED.
    KnownStatus: report.startedAt !== null && status === 'PENDING' ? 'RUNNING' : status,
    Containers: spec.containers.map((container) => containerResponse(entry, container, version)),
    Limits: { CPU: spec.cpuMillis / 1000, Memory: spec.memoryBytes / MEBIBYTE },
    PullStartedAt: time(report.pullStartedAt),
    PullStoppedAt: time(report.pullStoppedAt),
    ExecutionStoppedAt: time(report.executionStoppedAt),
    AvailabilityZone: facts?.zone,
    LaunchType: version === 4 ? (facts?.launchType ?? 'FARGATE') : undefined,
    TaskTags: tags === undefined || tags.length === 0 ? undefined : Object.fromEntries(tags.map(({ key, value }) => [key, value])),
    ...(version === 4 ? taskOfFour : {}),
  });
}

/** In milliseconds, by the clock of the kernel that the task runs on, at the time that it showed. */
function clockDrift({ clock, readAtMs }: TaskStats): Record<string, unknown> | undefined {
  if (clock === undefined) return undefined;
  return {
    ClockErrorBound: clock.maxErrorUs / 1000,
    ReferenceTimestamp: new Date(readAtMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    ClockSynchronizationStatus: clock.synchronized ? 'SYNCHRONIZED' : 'NOT_SYNCHRONIZED',
  };
}

/** The answer at the endpoint itself. */
export function containerResponse(entry: TaskEntry, container: ContainerSpec, version: MetadataVersion): Record<string, unknown> {
  const { report } = entry;
  const observed = report.containers.find((one) => one.name === container.name);
  return present({
    DockerId: entry.runtimeIds[container.name] ?? '',
    Name: container.name,
    DockerName: container.name,
    Image: container.image,
    ImageID: observed?.imageDigest ?? undefined,
    Ports: portsOf(container),
    Labels: labelsOf(entry, container),
    DesiredStatus: desiredStatus(entry),
    KnownStatus: knownStatus(observed),
    ExitCode: observed?.exitCode ?? undefined,
    Limits: present({
      // In CPU units (1024 = one core); Memory in MiB.
      CPU: Math.round((container.cpuMillis * 1024) / 1000),
      Memory: container.memoryBytes === null ? undefined : container.memoryBytes / MEBIBYTE,
    }),
    CreatedAt: time(observed?.startedAt ?? null),
    StartedAt: time(observed?.startedAt ?? null),
    FinishedAt: time(observed?.finishedAt ?? null),
    Type: 'NORMAL',
    Networks: [networkResponse(entry, version)],
    Health: container.health === null ? undefined : healthOf(observed),
    Volumes: volumesOf(container),
    ...(version === 4 ? ofFour(entry, container, observed) : {}),
  });
}

function ofFour({ assignment }: TaskEntry, container: ContainerSpec, observed: ContainerObserved | undefined): Record<string, unknown> {
  const restarts = container.restart === undefined || container.restart === null ? undefined : (observed?.restartCount ?? 0);
  return {
    ...logOf(container),
    ContainerARN: assignment.facts?.containerArns[container.name],
    Snapshotter: 'overlayfs',
    RestartCount: restarts,
  };
}

function networkResponse(entry: TaskEntry, version: MetadataVersion): Record<string, unknown> {
  const { ip, mac, subnetCidr, hostname, gatewayIp } = entry.assignment.network;
  const plain = { NetworkMode: 'awsvpc', IPv4Addresses: [ip] };
  if (version === 3) return plain;
  return {
    ...plain,
    AttachmentIndex: 0,
    MACAddress: mac,
    IPv4SubnetCIDRBlock: subnetCidr,
    DomainNameServers: [serviceAddresses.dns],
    PrivateDNSName: hostname,
    // The agent writes the gateway with the length of the subnet's prefix.
    SubnetGatewayIpv4Address: `${gatewayIp}/${subnetCidr.split('/')[1] ?? ''}`,
  };
}

function desiredStatus({ assignment, report }: TaskEntry): string {
  return assignment.desired === 'STOPPED' || report.stop !== null ? 'STOPPED' : 'RUNNING';
}

/** As the agent names them: NONE before its image is there, PULLED until it starts. */
function knownStatus(observed: ContainerObserved | undefined): string {
  if (observed === undefined) return 'NONE';
  if (observed.status === 'PENDING') return observed.imageDigest === null ? 'NONE' : 'PULLED';
  return observed.status;
}

/** The platform's labels go before the definition's own. */
function labelsOf({ assignment }: TaskEntry, container: ContainerSpec): Record<string, string> {
  const { labels } = assignment;
  return {
    ...container.labels,
    'com.amazonaws.ecs.cluster': labels.clusterArn,
    'com.amazonaws.ecs.container-name': container.name,
    'com.amazonaws.ecs.task-arn': labels.taskArn,
    'com.amazonaws.ecs.task-definition-family': labels.family,
    'com.amazonaws.ecs.task-definition-version': labels.revision,
  };
}

function portsOf(container: ContainerSpec): Record<string, unknown>[] | undefined {
  if (container.ports.length === 0) return undefined;
  return container.ports.map(({ containerPort, protocol }) => ({
    ContainerPort: containerPort,
    Protocol: protocol,
    HostPort: containerPort,
  }));
}

function volumesOf(container: ContainerSpec): Record<string, unknown>[] | undefined {
  if (container.mounts.length === 0) return undefined;
  return container.mounts.map(({ volume, path }) => ({ DockerName: volume, Destination: path }));
}

function healthOf(observed: ContainerObserved | undefined): Record<string, unknown> {
  return present({
    status: observed?.health ?? 'UNKNOWN',
    statusSince: time(observed?.healthSince ?? null),
    // As Go's omitempty: a check that passes has none.
    exitCode: observed?.healthExitCode ?? undefined,
    output: observed?.healthReason ?? undefined,
  });
}

function logOf({ log }: ContainerSpec): Record<string, unknown> {
  if (log === null) return {};
  if (log.driver !== 'awslogs') return { LogDriver: log.driver };
  const options = {
    ...(log.createGroup ? { 'awslogs-create-group': 'true' } : {}),
    'awslogs-group': log.group,
    'awslogs-region': log.region,
    'awslogs-stream': log.stream,
  };
  return { LogDriver: log.driver, LogOptions: options };
}

function time(ms: number | null): string | undefined {
  return ms === null ? undefined : new Date(ms).toISOString();
}

/** Without the members that have no value, as Go's omitempty. */
function present(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
