/**
 * A task and its life. Three columns, each with one writer: `desired` (intent), `placement` (control/placement), `observed`
 * (control/host-session). Describe calls merge them with `taskView`.
 */
import { createHash } from 'node:crypto';
import { invariant } from '#base/fault.ts';
import type { Scope } from './scope.ts';
import type { Accelerator, IsolationKind, TaskSpec } from './task-spec.ts';

/** AWS's states in their order (ECS developer guide, "Task lifecycle"). DELETED is only ever said of a record that is gone. */
export const taskStatuses = [
  'PROVISIONING',
  'PENDING',
  'ACTIVATING',
  'RUNNING',
  'DEACTIVATING',
  'STOPPING',
  'DEPROVISIONING',
  'STOPPED',
] as const;
export type TaskStatus = (typeof taskStatuses)[number];
export type DesiredStatus = 'RUNNING' | 'STOPPED';

/** A status only moves forward; a stage may be skipped (a task that never ran goes from PENDING to STOPPED's side). */
export function assertTaskMove(from: TaskStatus, to: TaskStatus): void {
  invariant(taskStatuses.indexOf(to) >= taskStatuses.indexOf(from), `a task can't go from ${from} to ${to}`);
}

export type StopCode =
  | 'UserInitiated'
  | 'EssentialContainerExited'
  | 'TaskFailedToStart'
  | 'ServiceSchedulerInitiated'
  | 'SpotInterruption'
  | 'TerminationNotice'
  | 'InfrastructureHealth';

export type Stop = { code: StopCode; reason: string };

/** Scope + cluster name + 32 hex digits; the id alone is unique in one berth. */
export type TaskKey = Scope & { cluster: string; id: string };

/** What the user wants; written by intent only. Times are milliseconds since the epoch. */
export type TaskDesired = {
  status: DesiredStatus;
  createdAt: number;
  /** Set once, when the wish to stop is committed. */
  stop: (Stop & { at: number }) | null;
  spec: TaskSpec;
  network: { vpcId: string; subnetId: string; securityGroupIds: string[]; publicIp: boolean };
  /** Who asked and how: shown back, searched by, never acted on below intent. */
  family: string;
  revision: number;
  group: string;
  startedBy: string | null;
  tags: Tag[];
  launchType: 'FARGATE' | null;
  capacityProvider: string | null;
  platformVersion: string;
  enableExec: boolean;
  /** The front door's own view of the wish (overrides, propagateTags, ...), kept whole and opaque to berth. */
  front: Record<string, unknown>;
  /** The service that it belongs to; null for a task of its own. */
  service: TaskService | null;
  /** Scale-in and deployments leave it alone until then (UpdateTaskProtection); null: not protected. */
  protectedUntil: number | null;
  /** Containers that the platform adds environment to: endpoint URL and region, unless the cluster switches that off. */
  injectEndpoint: boolean;
};

export type TaskService = { name: string; revisionId: string; taskSetId: string | null };

export type Tag = { key: string; value: string };

/** Where it runs; written once by control/placement. */
export type TaskPlacement = {
  hostId: string;
  fence: number;
  eniId: string;
  attachmentId: string;
  ip: string;
  mac: string;
  at: number;
};

export type ContainerStatus = 'PENDING' | 'RUNNING' | 'STOPPED';

/** Of a container with a health check, as its last checks were; UNKNOWN before they tell, and without a check. */
export type HealthStatus = 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN';

export type ContainerObserved = {
  name: string;
  status: ContainerStatus;
  runtimeId: string | null;
  imageDigest: string | null;
  exitCode: number | null;
  /** `OutOfMemoryError: ...`, `CannotPullContainerError: ...`, ...; at most 1024 characters. */
  reason: string | null;
  startedAt: number | null;
  finishedAt: number | null;
  /** Absent in what a former version wrote or said: UNKNOWN. Stays as it was when the container ends. */
  health?: HealthStatus | undefined;
  /** Of one that is UNHEALTHY: how the last check failed, with what it said. */
  healthReason?: string | null | undefined;
  /** That check's; told by the task's own endpoints alone. */
  healthExitCode?: number | null | undefined;
  /** Since when its health is what it is, as the host saw it; told by the task's own endpoints alone. */
  healthSince?: number | null | undefined;
  /** How often it was started again after its end; absent in what a former version wrote or said: 0. */
  restartCount?: number | undefined;
};

/** What is; written by control/host-session from the host's reports (and for a task that never got a host, by control/placement). */
export type TaskObserved = {
  status: TaskStatus;
  /** +1 with every change that AWS would send an event for. */
  version: number;
  connectivity: 'CONNECTED' | 'DISCONNECTED';
  isolation: IsolationKind | null;
  /** Of a microvm: what it runs on. */
  accelerator: Accelerator | null;
  connectivityAt: number | null;
  pullStartedAt: number | null;
  pullStoppedAt: number | null;
  startedAt: number | null;
  stoppingAt: number | null;
  executionStoppedAt: number | null;
  stoppedAt: number | null;
  /** Why it ended, as seen by the host; the user's own stop (desired.stop) comes before it when it was first. */
  stop: Stop | null;
  containers: ContainerObserved[];
};

export type TaskRecord = {
  key: TaskKey;
  revision: number;
  desired: TaskDesired;
  placement: TaskPlacement | null;
  observed: TaskObserved;
};

export function newTaskObserved(spec: TaskSpec): TaskObserved {
  return {
    status: 'PROVISIONING',
    version: 1,
    connectivity: 'CONNECTED',
    isolation: null,
    accelerator: null,
    connectivityAt: null,
    pullStartedAt: null,
    pullStoppedAt: null,
    startedAt: null,
    stoppingAt: null,
    executionStoppedAt: null,
    stoppedAt: null,
    stop: null,
    containers: spec.containers.map((c) => ({
      name: c.name,
      status: 'PENDING',
      runtimeId: null,
      imageDigest: null,
      exitCode: null,
      reason: null,
      startedAt: null,
      finishedAt: null,
      health: 'UNKNOWN',
    })),
  };
}

/** desiredStatus as AWS shows it: a task that ended by itself is desired STOPPED too. */
export function effectiveDesired(task: TaskRecord): DesiredStatus {
  return task.desired.status === 'STOPPED' || task.observed.stop !== null || task.observed.status === 'STOPPED' ? 'STOPPED' : 'RUNNING';
}

/** The stop that is shown: the user's when it was asked for before the task ended by itself. */
export function effectiveStop(task: TaskRecord): Stop | null {
  return task.observed.stop ?? task.desired.stop;
}

/** As AWS has it: all essential containers together. One of them without a check leaves the task UNKNOWN (SDK, Task.healthStatus). */
export function taskHealth(observed: Pick<TaskObserved, 'containers'>, spec: Pick<TaskSpec, 'containers'>): HealthStatus {
  const essential = spec.containers.filter((container) => container.essential);
  const healths = essential.map(({ name }) => observed.containers.find((one) => one.name === name)?.health ?? 'UNKNOWN');
  if (healths.includes('UNHEALTHY')) return 'UNHEALTHY';
  return healths.includes('UNKNOWN') || healths.length === 0 ? 'UNKNOWN' : 'HEALTHY';
}

/** The id of a task's ENI attachment: known from its first answer on (PRECREATED), long before it has a host. A UUID made of its id. */
export function attachmentIdOf(taskId: string): string {
  return uuidOf(`attachment ${taskId}`);
}

/** The same of a volume that was made for it. */
export function volumeAttachmentIdOf(taskId: string, volume: string): string {
  return uuidOf(`attachment ${taskId} ${volume}`);
}

/** A container's id follows from its task and name, so that it is the same in every answer. */
export function containerIdOf(taskId: string, name: string): string {
  return uuidOf(`container ${taskId} ${name}`);
}

function uuidOf(text: string): string {
  const h = createHash('sha256').update(text).digest('hex');
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-a${h.slice(17, 20)}-${h.slice(20, 32)}`;
}

/** As EC2 names an address inside its VPC ("DNS attributes for your VPC"). */
export function privateDnsName(region: string, ip: string): string {
  const zone = region === 'us-east-1' ? 'ec2.internal' : `${region}.compute.internal`;
  return `ip-${ip.replaceAll('.', '-')}.${zone}`;
}
