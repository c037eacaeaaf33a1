/**
 * Services: so many tasks, kept alive and replaced safely. A service's wish names a deployment; a deployment brings the service to a revision; a
 * revision is the immutable recipe of its tasks. The desired columns are intent's, the observed ones control/services'.
 */
import type { Scope } from './scope.ts';
import type { TaskSpec } from './task-spec.ts';
import type { Tag } from './task.ts';

export type ServiceKey = Scope & { cluster: string; name: string };

export type ServiceDesired = {
  /** DRAINING: deletion was asked for; its tasks end, then control makes it INACTIVE. */
  status: 'ACTIVE' | 'DRAINING';
  createdAt: number;
  /** ARN of the principal. */
  createdBy: string;
  deletedAt: number | null;
  desiredCount: number;
  /** The newest deployment that was asked for, and the revision it brings (also its first one). EXTERNAL: null, task sets say what runs. */
  deploymentId: string | null;
  revisionId: string | null;
  scheduling: 'REPLICA' | 'DAEMON';
  controller: 'ECS' | 'EXTERNAL' | 'CODE_DEPLOY';
  deployment: DeploymentConfig;
  healthGraceMs: number;
  zoneRebalancing: boolean;
  propagateTags: 'NONE' | 'SERVICE' | 'TASK_DEFINITION';
  managedTags: boolean;
  enableExec: boolean;
  tags: Tag[];
  /** EXTERNAL: the task set that is PRIMARY. */
  primaryTaskSetId: string | null;
  /** Of an Express gateway service: what was made for it, and goes when it is INACTIVE. */
  managed?: ManagedResources;
  /** The front door's own view (CreateService as merged with every UpdateService), kept whole and opaque to berth. */
  front: Record<string, unknown>;
};

/** Names and keys within the service's account and region; the load balancer is shared, and goes with the last service behind it. */
export type ManagedResources = {
  loadBalancer: string;
  /** `certificate` of its HTTPS listener: a certificate's id. */
  certificate: string;
  rules: { listener: string; id: string }[];
  targetGroups: string[];
};

export type DeploymentStrategy = 'ROLLING' | 'BLUE_GREEN' | 'LINEAR' | 'CANARY';

/** ECS DeploymentConfiguration, defaults filled in. Percentages are of the desired count. */
export type DeploymentConfig = {
  strategy: DeploymentStrategy;
  minimumHealthyPercent: number;
  maximumPercent: number;
  circuitBreaker: {
    enable: boolean;
    rollback: boolean;
    threshold: { type: 'BOUNDED_PERCENT' | 'UNBOUNDED_PERCENT' | 'COUNT'; value: number };
    resetOnHealthyTask: boolean;
  };
  alarms: { names: string[]; enable: boolean; rollback: boolean };
  /** How long both revisions stay up after all traffic went over. */
  bakeMs: number;
  canary: { percent: number; bakeMs: number };
  linear: { stepPercent: number; stepBakeMs: number };
  hooks: LifecycleHook[];
};

export const lifecycleStages = [
  'RECONCILE_SERVICE',
  'PRE_SCALE_UP',
  'SCALE_UP',
  'POST_SCALE_UP',
  'TEST_TRAFFIC_SHIFT',
  'POST_TEST_TRAFFIC_SHIFT',
  'PRE_PRODUCTION_TRAFFIC_SHIFT',
  'PRODUCTION_TRAFFIC_SHIFT',
  'POST_PRODUCTION_TRAFFIC_SHIFT',
  'BAKE_TIME',
  'CLEAN_UP',
] as const;
export type LifecycleStage = (typeof lifecycleStages)[number];

/** A deployment stands still at the end of these stages until somebody continues it, or its time is over. */
export type LifecycleHook = {
  /** Stable within the configuration. */
  id: string;
  type: 'PAUSE' | 'AWS_LAMBDA';
  target: string | null;
  stages: LifecycleStage[];
  timeoutMs: number;
  onTimeout: 'ROLLBACK' | 'CONTINUE';
};

/** An event of ECS's own words; ids are UUIDs. `order` sorts: milliseconds and a counter, fixed width. */
export type ServiceEventRecord = {
  key: ServiceKey & { order: string };
  revision: number;
  id: string;
  at: number;
  message: string;
};

export type ServiceObserved = {
  status: 'ACTIVE' | 'DRAINING' | 'INACTIVE';
  /** The revision that the service is being brought to: the desired one, or after a rollback the one before. */
  targetRevisionId: string | null;
  /** The deployment that is under way or was the last. */
  deploymentId: string | null;
  /** The last revision that a deployment brought to the end: where a rollback goes. */
  stableRevisionId: string | null;
  /** Since when it has been steady; null while it isn't. */
  steadyAt: number | null;
  /** Starting is slowed down after tasks that never ran: how many in a row, and when the next may start. */
  startFailures: number;
  nextStartAt: number | null;
  /** When a task last failed. */
  failedAt: number | null;
};

export type ServiceRecord = { key: ServiceKey; revision: number; desired: ServiceDesired; observed: ServiceObserved };

/** How tasks of a revision are wired to a target group. */
export type ServiceLoadBalancer = {
  targetGroupArn: string;
  container: string;
  port: number;
  /** BLUE_GREEN, LINEAR, CANARY: the other group, and the listener rules (or listeners) that shift between the two. */
  alternateTargetGroupArn: string | null;
  productionRuleArn: string | null;
  testRuleArn: string | null;
};

/** Immutable once made. Its id is 19 digits; `ecs-svc/ID` names the tasks' deployment, and the revision's ARN ends with it. */
export type ServiceRevisionDesired = {
  createdAt: number;
  family: string;
  taskRevision: number;
  /** Of one task: `instantiate` gives it a task's id. */
  template: TaskSpec;
  network: { vpcId: string; subnetIds: string[]; securityGroupIds: string[]; publicIp: boolean };
  launchType: 'FARGATE' | null;
  strategy: { capacityProvider: string; weight: number; base: number }[];
  platformVersion: string;
  loadBalancers: ServiceLoadBalancer[];
  /** Tags that its tasks get: propagated, managed. */
  taskTags: Tag[];
  enableExec: boolean;
  injectEndpoint: boolean;
  /** As `TaskDesired.front` of its tasks. */
  taskFront: Record<string, unknown>;
  /** What DescribeServiceRevisions shows, opaque to berth. */
  front: Record<string, unknown>;
};

export type ServiceRevisionObserved = {
  /** By container: the digest that its tag had when the first task pulled it; later tasks use it. */
  imageDigests: Record<string, string>;
  /** By index of `loadBalancers`: the target group that its tasks are registered in; null until it is decided. */
  targetGroupArns: string[] | null;
};

export type ServiceRevisionRecord = {
  key: ServiceKey & { id: string };
  revision: number;
  desired: ServiceRevisionDesired;
  observed: ServiceRevisionObserved;
};

export const serviceDeploymentStatuses = [
  'PENDING',
  'IN_PROGRESS',
  'SUCCESSFUL',
  'STOP_REQUESTED',
  'STOPPED',
  'ROLLBACK_REQUESTED',
  'ROLLBACK_IN_PROGRESS',
  'ROLLBACK_SUCCESSFUL',
  'ROLLBACK_FAILED',
] as const;
export type ServiceDeploymentStatus = (typeof serviceDeploymentStatuses)[number];

export type ServiceDeploymentDesired = {
  createdAt: number;
  targetRevisionId: string;
  /** The revisions that had tasks when it was asked for. */
  sourceRevisionIds: string[];
  config: DeploymentConfig;
  /** StopServiceDeployment. */
  stop: { type: 'ROLLBACK' | 'ABORT'; at: number } | null;
  /** ContinueServiceDeployment, by hook id and stage: `HOOKID@STAGE`; before a later step of the production shift `HOOKID@STAGE#PERCENT`, which is shifted already. */
  continued: Record<string, { action: 'CONTINUE' | 'ROLLBACK'; at: number }>;
  /** The newest wish for the count, when it was asked for. */
  requestedCount: number;
};

export type ServiceDeploymentObserved = {
  status: ServiceDeploymentStatus;
  statusReason: string | null;
  startedAt: number | null;
  finishedAt: number | null;
  stoppedAt: number | null;
  updatedAt: number;
  stage: LifecycleStage | null;
  stageAt: number | null;
  /** Tasks that failed and count for the circuit breaker, and all that failed. */
  failureCount: number;
  failedTasks: number;
  rollback: { revisionId: string; reason: string; startedAt: number } | null;
  /** Share of production and test traffic that the target revision gets; percent. */
  productionWeight: number;
  testWeight: number;
  /** When the production weight was last raised. */
  shiftedAt: number | null;
  breaker: 'DISABLED' | 'MONITORING' | 'MONITORING_COMPLETE' | 'TRIGGERED';
  triggeredAlarms: string[];
  /** Hooks that it waits or waited for, by `HOOKID@STAGE`. */
  hooks: Record<string, { status: 'AWAITING_ACTION' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT'; startedAt: number; finishedAt: number | null }>;
};

export type ServiceDeploymentRecord = {
  /** id: 21 characters of A-Z a-z 0-9 _ -. */
  key: ServiceKey & { id: string };
  revision: number;
  desired: ServiceDeploymentDesired;
  observed: ServiceDeploymentObserved;
};

/** EXTERNAL controllers bring their own revisions as task sets; id `ecs-svc/DIGITS`, of which the digits are the revision's id. */
export type TaskSetRecord = {
  key: ServiceKey & { id: string };
  revision: number;
  desired: {
    createdAt: number;
    deleted: boolean;
    externalId: string | null;
    startedBy: string | null;
    /** Percent of the service's desired count. */
    scale: number;
    tags: Tag[];
    front: Record<string, unknown>;
  };
  observed: { status: 'ACTIVE' | 'DRAINING'; stability: 'STABILIZING' | 'STEADY_STATE'; stabilityAt: number; updatedAt: number };
};

export function newServiceObserved(): ServiceObserved {
  return {
    status: 'ACTIVE',
    targetRevisionId: null,
    deploymentId: null,
    stableRevisionId: null,
    steadyAt: null,
    startFailures: 0,
    nextStartAt: null,
    failedAt: null,
  };
}

export function newServiceDeploymentObserved(now: number): ServiceDeploymentObserved {
  return {
    status: 'PENDING',
    statusReason: null,
    startedAt: null,
    finishedAt: null,
    stoppedAt: null,
    updatedAt: now,
    stage: null,
    stageAt: null,
    failureCount: 0,
    failedTasks: 0,
    rollback: null,
    productionWeight: 0,
    testWeight: 0,
    shiftedAt: null,
    breaker: 'DISABLED',
    triggeredAlarms: [],
    hooks: {},
  };
}

export const ended = (status: ServiceDeploymentStatus): boolean =>
  status === 'SUCCESSFUL' || status === 'STOPPED' || status === 'ROLLBACK_SUCCESSFUL' || status === 'ROLLBACK_FAILED';

/** The group of a service's tasks. */
export const serviceGroup = (name: string): string => `service:${name}`;

/** `startedBy` of a revision's tasks, and the id of its entry in `deployments`. */
export const deploymentName = (revisionId: string): string => `ecs-svc/${revisionId}`;

/** A revision's recipe as the spec of one task: the streams of a template end with a slash, and the tag of an image gives way to its digest. */
export function instantiate(template: TaskSpec, taskId: string, imageDigests: Record<string, string>): TaskSpec {
  return {
    ...template,
    containers: template.containers.map((container) => {
      const digest = container.followsTag ? undefined : imageDigests[container.name];
      return {
        ...container,
        image: digest === undefined ? container.image : pinned(container.image, digest),
        log: container.log?.driver === 'awslogs' ? { ...container.log, stream: `${container.log.stream}${taskId}` } : container.log,
      };
    }),
  };
}

/** `registry:5000/app:1` at `sha256:...` -> `registry:5000/app@sha256:...`. */
function pinned(image: string, digest: string): string {
  if (image.includes('@')) return image;
  const tagAt = image.lastIndexOf(':');
  const name = tagAt > image.lastIndexOf('/') ? image.slice(0, tagAt) : image;
  return `${name}@${digest}`;
}
