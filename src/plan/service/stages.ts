/** The lifecycle of a BLUE_GREEN, LINEAR or CANARY deployment: which stage it is in, and when that is done. */
import { lifecycleStages } from '#domain/service.ts';
import type { LifecycleStage, ServiceDeploymentObserved, ServiceDeploymentRecord } from '#domain/service.ts';
import { underWay, wake } from './draft.ts';
import type { Draft } from './draft.ts';
import { hooksPassed } from './hooks.ts';
import { isSettled } from './steady.ts';
import { prepareRules, setWeight } from './traffic.ts';

/** `green`: the new revision; `blue`: the one that has the traffic. */
export type Shifting = { record: ServiceDeploymentRecord; observed: ServiceDeploymentObserved; green: string; blue: string };

export const reached = (observed: ServiceDeploymentObserved, stage: LifecycleStage): boolean =>
  observed.stage !== null && lifecycleStages.indexOf(observed.stage) >= lifecycleStages.indexOf(stage);

/** Goes on as far as it can at once; true when the last stage is done. A hook may have turned the deployment back. */
export function advance(draft: Draft, shifting: Shifting): boolean {
  const { record, observed } = shifting;
  // The first stage is for services that have more than the one revision to come from.
  if (observed.stage === null) {
    prepareRules(draft, shifting.green);
    enter(draft, observed, strays(draft, shifting) > 0 ? 'RECONCILE_SERVICE' : 'PRE_SCALE_UP');
  }
  return walk(
    draft,
    record,
    observed,
    (stage) => {
      // Blue ends from here on: whatever comes next comes from green, which has all traffic and has baked.
      if (stage === 'CLEAN_UP') draft.observed.stableRevisionId = shifting.green;
      return workDone(draft, shifting, stage);
    },
    (stage) => {
      if (stage === 'PRODUCTION_TRAFFIC_SHIFT') shiftProduction(draft, shifting);
    },
    // Before each step of a linear or canary deployment come the hooks of the stage before (API reference of DeploymentLifecycleHook).
    (stage) =>
      stage === 'PRODUCTION_TRAFFIC_SHIFT' && observed.productionWeight < 100 ? 'PRE_PRODUCTION_TRAFFIC_SHIFT' : following(stage),
  );
}

/**
 * The same for a deployment with no traffic to shift: a rolling one, or the first of a service. It has its hooks, and all between scaling up and the
 * end is nothing but them.
 */
export function advanceWhole(draft: Draft, record: ServiceDeploymentRecord, observed: ServiceDeploymentObserved): boolean {
  if (observed.stage === null) enter(draft, observed, 'PRE_SCALE_UP');
  return walk(draft, record, observed, (stage) => stage !== 'SCALE_UP' || isSettled(draft));
}

function walk(
  draft: Draft,
  record: ServiceDeploymentRecord,
  observed: ServiceDeploymentObserved,
  done: (stage: LifecycleStage) => boolean,
  begin: (stage: LifecycleStage) => void = () => undefined,
  after: (stage: LifecycleStage) => LifecycleStage | undefined = following,
): boolean {
  while (observed.stage !== null && underWay(observed) && observed.rollback === null) {
    if (!done(observed.stage) || !hooksPassed(draft, record, observed, observed.stage)) return false;
    const next = after(observed.stage);
    if (next === undefined) return true;
    enter(draft, observed, next);
    begin(next);
  }
  return false;
}

const following = (stage: LifecycleStage): LifecycleStage | undefined => lifecycleStages[lifecycleStages.indexOf(stage) + 1];

function enter(draft: Draft, observed: ServiceDeploymentObserved, stage: LifecycleStage): void {
  observed.stage = stage;
  observed.stageAt = draft.now;
}

function workDone(draft: Draft, shifting: Shifting, stage: LifecycleStage): boolean {
  const { record, observed, green, blue } = shifting;
  switch (stage) {
    case 'RECONCILE_SERVICE':
      return strays(draft, shifting) === 0;
    case 'SCALE_UP':
      return healthyOf(draft, green) >= draft.count;
    case 'TEST_TRAFFIC_SHIFT':
      setWeight(draft, observed, green, 'test', 100);
      return true;
    case 'PRODUCTION_TRAFFIC_SHIFT':
      return stepBaked(draft, shifting);
    case 'BAKE_TIME':
      return isOver(draft, (observed.stageAt ?? draft.now) + record.desired.config.bakeMs);
    case 'CLEAN_UP':
      return !draft.tasks.some(({ task }) => task.revisionId === blue) && strays(draft, shifting) === 0;
    default:
      return true;
  }
}

export const healthyOf = (draft: Draft, revisionId: string): number =>
  draft.tasks.filter(({ task, standing }) => task.revisionId === revisionId && standing === 'healthy').length;

const strays = (draft: Draft, { green, blue }: Shifting): number =>
  draft.tasks.filter(({ task }) => task.revisionId !== green && task.revisionId !== blue).length;

function isOver(draft: Draft, at: number): boolean {
  wake(draft, at);
  return at <= draft.now;
}

/** Whether the last step has baked; there is nothing to bake once all traffic went over. */
function stepBaked(draft: Draft, { record, observed }: Shifting): boolean {
  const { strategy, linear, canary } = record.desired.config;
  const between = strategy === 'LINEAR' ? linear.stepBakeMs : canary.bakeMs;
  return observed.productionWeight >= 100 || isOver(draft, (observed.shiftedAt ?? draft.now) + between);
}

/** All at once, in equal steps, or a little first. */
function shiftProduction(draft: Draft, { record, observed, green }: Shifting): void {
  const { strategy, linear, canary } = record.desired.config;
  setWeight(draft, observed, green, 'production', nextWeight(strategy, observed.productionWeight, linear.stepPercent, canary.percent));
}

function nextWeight(strategy: string, weight: number, step: number, canary: number): number {
  if (strategy === 'LINEAR') return Math.min(100, Math.round((weight + step) * 10) / 10);
  return strategy === 'CANARY' && weight === 0 ? Math.min(100, canary) : 100;
}
