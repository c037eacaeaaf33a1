/** A small world for the planner's tests: tasks that start late, crash, turn healthy or not, and columns that are written as a plan says. */
import { newServiceDeploymentObserved, newServiceObserved } from '#domain/service.ts';
import type {
  DeploymentConfig,
  ServiceDeploymentRecord,
  ServiceLoadBalancer,
  ServiceRecord,
  ServiceRevisionRecord,
  TaskSetRecord,
} from '#domain/service.ts';
import type { Stop } from '#domain/task.ts';
import { startedEvents } from './events.ts';
import { planService } from './index.ts';
import type { PlanTask, ServicePlan, ServiceSnapshot } from './types.ts';

/** What becomes of a task: times since its making, Infinity for never. */
export type Fate = {
  runsAt: number;
  /** Before `runsAt`: it never runs. */
  endsAt: number;
  /** Since it runs. */
  healthyAfter: number;
  unhealthyAfter: number;
  /** From the wish to stop until it has. */
  stopMs: number;
  stop: Stop;
  failure: string | null;
  digest: boolean;
};

export const goodFate: Fate = {
  runsAt: 1000,
  endsAt: Infinity,
  healthyAfter: 2000,
  unhealthyAfter: Infinity,
  stopMs: 500,
  stop: { code: 'EssentialContainerExited', reason: 'Essential container in task exited' },
  failure: null,
  digest: true,
};
export const missingImage: Partial<Fate> = {
  endsAt: 300,
  digest: false,
  stop: { code: 'TaskFailedToStart', reason: 'CannotPullContainerError: not found' },
  failure: 'container app: CannotPullContainerError: not found',
};

const scope = { account: '000000000000', region: 'us-east-1', cluster: 'default' };

export function deploymentConfig(change: Partial<DeploymentConfig> = {}): DeploymentConfig {
  return {
    strategy: 'ROLLING',
    minimumHealthyPercent: 100,
    maximumPercent: 200,
    circuitBreaker: { enable: false, rollback: false, threshold: { type: 'BOUNDED_PERCENT', value: 50 }, resetOnHealthyTask: true },
    alarms: { names: [], enable: false, rollback: false },
    bakeMs: 0,
    canary: { percent: 5, bakeMs: 600_000 },
    linear: { stepPercent: 10, stepBakeMs: 360_000 },
    hooks: [],
    ...change,
  };
}

export const breaker = (rollback: boolean, resetOnHealthyTask = true): DeploymentConfig['circuitBreaker'] => ({
  enable: true,
  rollback,
  threshold: { type: 'BOUNDED_PERCENT', value: 50 },
  resetOnHealthyTask,
});

export type World = ReturnType<typeof createWorld>;
type Live = { task: PlanTask; fate: Fate; stopAskedAt: number | null };

/** `fateOf` is asked for every new task: its revision, and how many of that revision there were before. */
export function createWorld(
  options: {
    count?: number;
    config?: Partial<DeploymentConfig>;
    checked?: boolean;
    balancers?: ServiceLoadBalancer[];
    zones?: string[];
    desired?: Partial<ServiceRecord['desired']>;
    fateOf?: (revisionId: string, index: number) => Partial<Fate>;
  } = {},
) {
  const config = deploymentConfig(options.config);
  const desired: ServiceRecord['desired'] = {
    status: 'ACTIVE',
    createdAt: 0,
    createdBy: 'arn:aws:iam::000000000000:root',
    deletedAt: null,
    desiredCount: options.count ?? 2,
    deploymentId: null,
    revisionId: null,
    scheduling: 'REPLICA',
    controller: 'ECS',
    deployment: config,
    healthGraceMs: 0,
    zoneRebalancing: false,
    propagateTags: 'NONE',
    managedTags: false,
    enableExec: false,
    tags: [],
    primaryTaskSetId: null,
    front: {},
    ...options.desired,
  };
  const world = {
    now: 1_000_000,
    service: { key: { ...scope, name: 'web' }, revision: 1, desired, observed: newServiceObserved() } as ServiceRecord,
    revisions: new Map<string, ServiceRevisionRecord>(),
    deployments: [] as ServiceDeploymentRecord[],
    taskSets: [] as TaskSetRecord[],
    live: [] as Live[],
    /** All that ever were. */
    all: [] as PlanTask[],
    ended: [] as PlanTask[],
    events: [] as { message: string; at: number }[],
    alarms: new Set<string>(),
    zones: options.zones ?? ['a'],
    /** By ARN of the rule. */
    weights: {} as Record<string, Record<string, number>>,
    fateOf: options.fateOf ?? ((): Partial<Fate> => ({})),
    addRevision: (id: string) => addRevision(id),
    deploy: (id: string, change: Partial<DeploymentConfig> = {}) => deploy(id, change),
    scale(count: number) {
      world.service.desired.desiredCount = count;
    },
    snapshot: (): ServiceSnapshot => snapshot(),
    plan: (): ServicePlan => planService(snapshot()),
    apply: (plan: ServicePlan) => apply(plan),
    /** Time goes on and tasks with it. */
    pass: (ms: number) => pass(ms),
    /** Plans until nothing is left to do now, then lets time pass; in steps no longer than `stepMs`. `look` sees each step's plan before it is carried out. */
    run(ms: number, stepMs = 1000, look?: (plan: ServicePlan) => void) {
      for (const end = world.now + ms; world.now < end;) {
        settle(look);
        pass(Math.max(1, Math.min(stepMs, end - world.now)));
      }
      settle(look);
    },
    deployment: (id: string) => world.deployments.find(({ key }) => key.id === id),
    tasksOf: (revisionId: string) => world.live.filter(({ task }) => task.revisionId === revisionId).map(({ task }) => task),
    messages: () => world.events.map(({ message }) => message).toReversed(),
  };

  function addRevision(id: string): void {
    world.revisions.set(id, {
      key: { ...world.service.key, id },
      revision: 1,
      desired: {
        createdAt: world.now,
        family: 'app',
        taskRevision: 1,
        template: { containers: [{ name: 'app', image: `app:${id}` }] },
        network: { vpcId: 'vpc-1', subnetIds: [], securityGroupIds: [], publicIp: false },
        launchType: 'FARGATE',
        strategy: [],
        platformVersion: 'LATEST',
        loadBalancers: options.balancers ?? [],
        taskTags: [],
        enableExec: false,
        injectEndpoint: false,
        taskFront: {},
        front: {},
      } as unknown as ServiceRevisionRecord['desired'],
      observed: { imageDigests: {}, targetGroupArns: null },
    });
  }

  /** A deployment `d-ID` of a new revision. */
  function deploy(id: string, change: Partial<DeploymentConfig>): void {
    if (!world.revisions.has(id)) addRevision(id);
    const deploymentId = `d-${id}`;
    world.deployments.push({
      key: { ...world.service.key, id: deploymentId },
      revision: 1,
      desired: {
        createdAt: world.now,
        targetRevisionId: id,
        sourceRevisionIds: [...new Set(world.live.map(({ task }) => task.revisionId))],
        config: { ...world.service.desired.deployment, ...change },
        stop: null,
        continued: {},
        requestedCount: world.service.desired.desiredCount,
      },
      observed: newServiceDeploymentObserved(world.now),
    });
    Object.assign(world.service.desired, { deploymentId, revisionId: id });
  }

  function snapshot(): ServiceSnapshot {
    return structuredClone({
      now: world.now,
      service: world.service,
      revisions: world.revisions,
      deployments: world.deployments,
      taskSets: world.taskSets,
      tasks: world.live.map(({ task }) => task),
      ended: world.ended,
      zones: world.zones,
      alarms: world.alarms,
      events: world.events.slice(0, 100),
    });
  }

  function settle(look: ((plan: ServicePlan) => void) | undefined): void {
    for (let round = 0; ; round++) {
      const plan = planService(snapshot());
      look?.(plan);
      if (isEmpty(plan)) return;
      if (round > 50) throw new Error(`the plan never comes to rest: ${JSON.stringify(plan)}`);
      apply(plan);
    }
  }

  function apply(plan: ServicePlan): void {
    const started = plan.start.map((start) => begin(start));
    for (const { taskId, stop } of plan.stop) {
      const live = world.live.find(({ task }) => task.id === taskId);
      if (live === undefined) throw new Error(`there is no task ${taskId} to stop`);
      if (live.task.desired === 'STOPPED') throw new Error(`task ${taskId} is stopped already`);
      Object.assign(live.task, { desired: 'STOPPED', stop });
      live.stopAskedAt = world.now;
    }
    if (plan.service !== null) world.service.observed = plan.service;
    for (const { id, observed } of plan.deployments) Object.assign(world.deployment(id) ?? {}, { observed });
    for (const { id, observed } of plan.revisions) Object.assign(world.revisions.get(id) ?? {}, { observed });
    for (const { id, observed } of plan.taskSets) Object.assign(world.taskSets.find(({ key }) => key.id === id) ?? {}, { observed });
    for (const { ruleArn, weights } of plan.shifts) world.weights[ruleArn] = weights;
    const said = [...plan.events, ...startedEvents(world.service.key.name, started)];
    for (const message of said) world.events.unshift({ message, at: world.now });
    world.ended = world.ended.filter(({ id }) => !plan.accounted.includes(id));
  }

  function begin({ revisionId, taskSetId, zone, capacityProvider }: ServicePlan['start'][number]): string {
    const index = world.all.filter((task) => task.revisionId === revisionId).length;
    const task: PlanTask = {
      id: `${revisionId}-${index}`,
      revisionId,
      taskSetId,
      createdAt: world.now,
      status: 'PENDING',
      desired: 'RUNNING',
      startedAt: null,
      stoppedAt: null,
      stop: null,
      zone,
      capacityProvider,
      health: 'UNKNOWN',
      checked: options.checked ?? false,
      targets: [],
      protectedUntil: null,
      imageDigests: {},
      failure: null,
    };
    world.all.push(task);
    world.live.push({ task, fate: { ...goodFate, ...world.fateOf(revisionId, index) }, stopAskedAt: null });
    return task.id;
  }

  function pass(ms: number): void {
    world.now += ms;
    for (const live of world.live.slice()) age(live);
  }

  function age(live: Live): void {
    const { task, fate, stopAskedAt } = live;
    const alive = world.now - task.createdAt;
    if (stopAskedAt !== null && world.now - stopAskedAt >= fate.stopMs) return finish(live, task.stop ?? fate.stop);
    if (stopAskedAt !== null) return;
    if (alive >= fate.runsAt && fate.endsAt > fate.runsAt && task.startedAt === null) {
      Object.assign(task, { status: 'RUNNING', startedAt: world.now });
      if (fate.digest) task.imageDigests = { app: `sha256:${task.revisionId}` };
    }
    if (alive >= fate.endsAt) {
      task.failure = fate.failure;
      return finish(live, fate.stop);
    }
    if (task.startedAt !== null) checkup(task, fate, world.now - task.startedAt);
  }

  function checkup(task: PlanTask, fate: Fate, ran: number): void {
    const state = ran >= fate.unhealthyAfter ? 'unhealthy' : ran >= fate.healthyAfter ? 'healthy' : 'initial';
    if (task.checked) task.health = state === 'initial' ? 'UNKNOWN' : state === 'healthy' ? 'HEALTHY' : 'UNHEALTHY';
    const groups = world.revisions.get(task.revisionId)?.observed.targetGroupArns ?? [];
    task.targets = groups.map((groupArn) => {
      const before = task.targets.find((target) => target.groupArn === groupArn);
      return before?.state === state
        ? before
        : { groupArn, state, reason: state === 'unhealthy' ? 'Health checks failed' : null, since: world.now };
    });
  }

  function finish(live: Live, stop: Stop): void {
    Object.assign(live.task, { status: 'STOPPED', desired: 'STOPPED', stoppedAt: world.now, stop });
    world.live.splice(world.live.indexOf(live), 1);
    world.ended.push(live.task);
  }

  return world;
}

/** Nothing is written, started or stopped. */
export function isEmpty(plan: ServicePlan): boolean {
  const lists = [plan.start, plan.stop, plan.deployments, plan.revisions, plan.taskSets, plan.shifts, plan.events, plan.accounted];
  return plan.service === null && lists.every((list) => list.length === 0);
}
