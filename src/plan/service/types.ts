/** What the planner of a service is shown, and what it answers. Pure: a snapshot goes in, a plan comes out; whatever it finds, it goes on from there. */
import type { TargetState } from '#domain/load-balancer.ts';
import type {
  ServiceDeploymentObserved,
  ServiceDeploymentRecord,
  ServiceObserved,
  ServiceRecord,
  ServiceRevisionObserved,
  ServiceRevisionRecord,
  TaskSetRecord,
} from '#domain/service.ts';
import type { DesiredStatus, Stop, TaskStatus } from '#domain/task.ts';

/** One of the service's tasks, as far as planning asks. */
export type PlanTask = {
  id: string;
  revisionId: string;
  taskSetId: string | null;
  createdAt: number;
  status: TaskStatus;
  /** `effectiveDesired`: a task that ended by itself is STOPPED too. */
  desired: DesiredStatus;
  startedAt: number | null;
  stoppedAt: number | null;
  stop: Stop | null;
  zone: string | null;
  capacityProvider: string | null;
  /** Of its container health checks. */
  health: 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN';
  /** Whether an essential container has a health check. */
  checked: boolean;
  /** Its places in target groups; one that it should have and has not yet is missing here. */
  targets: { groupArn: string; state: TargetState; reason: string | null; since: number }[];
  protectedUntil: number | null;
  /** Digests of its images as far as they are known, by container. */
  imageDigests: Record<string, string>;
  /** Of one that ended: what went wrong, in a line, with the container and the exit code; null where nothing did. */
  failure: string | null;
};

export type ServiceSnapshot = {
  now: number;
  service: ServiceRecord;
  /** All that are named by tasks, deployments or the service. */
  revisions: ReadonlyMap<string, ServiceRevisionRecord>;
  /** Those that have not ended, and the newest that did. In order of their making. */
  deployments: readonly ServiceDeploymentRecord[];
  taskSets: readonly TaskSetRecord[];
  /** Live ones, in order of their making. */
  tasks: readonly PlanTask[];
  /** Those that ended since the last plan was carried out. */
  ended: readonly PlanTask[];
  /** Zones that new tasks may go to. */
  zones: readonly string[];
  /** Of the alarms that its deployments name: those in ALARM. */
  alarms: ReadonlySet<string>;
  /** Newest first: an event that repeats is not said again for a while. */
  events: readonly { message: string; at: number }[];
};

export type ServicePlan = {
  /** New tasks, in this order as far as there is room. */
  start: { revisionId: string; taskSetId: string | null; zone: string | null; capacityProvider: string | null }[];
  stop: { taskId: string; stop: Stop }[];
  /** Whole columns, only those that change. */
  service: ServiceObserved | null;
  deployments: { id: string; observed: ServiceDeploymentObserved }[];
  revisions: { id: string; observed: ServiceRevisionObserved }[];
  taskSets: { id: string; observed: TaskSetRecord['observed'] }[];
  /** Weights of a production or test rule's groups, by ARN of the rule (or listener). */
  shifts: { ruleArn: string; weights: Record<string, number> }[];
  /** In ECS's own words, in order. */
  events: string[];
  /** Ids of `ended`, all of them. */
  accounted: string[];
  /** When to plan again although nothing changes. */
  wakeAt: number | null;
};
