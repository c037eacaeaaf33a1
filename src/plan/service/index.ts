/** The planner of ECS services. Pure and level-triggered: whatever it is shown, it says what to do next, and nothing when nothing is to do. */
import { limits } from '#base/limits.ts';
import type { ServiceDeploymentObserved, ServiceDeploymentRecord } from '#domain/service.ts';
import { accountStarts } from './back-off.ts';
import { drain } from './deletion.ts';
import { adopt, complete, endRollback, watchDeployment } from './deployment.ts';
import { beginDraft, currentDeployment, finishDraft, underWay } from './draft.ts';
import type { Draft } from './draft.ts';
import { holdStill } from './halted.ts';
import { allowedByDigests, learnDigests } from './images.ts';
import { roll } from './rolling.ts';
import { advanceWhole, reached } from './stages.ts';
import { isSettled, noteSteady, rebalance } from './steady.ts';
import { revisionIdOf, planTaskSets } from './external.ts';
import { shift, standBack } from './shifting.ts';
import { setWeight } from './traffic.ts';
import { groupsFor } from './target-groups.ts';
import type { ServicePlan, ServiceSnapshot } from './types.ts';

export { startedEvents } from './events.ts';
export { breakerThreshold } from './breaker.ts';

export function planService(snapshot: ServiceSnapshot): ServicePlan {
  const draft = beginDraft(snapshot);
  learnDigests(draft);
  if (snapshot.service.desired.status === 'DRAINING') drain(draft);
  else planActive(draft);
  return finishDraft(draft);
}

function planActive(draft: Draft): void {
  draft.observed.status = 'ACTIVE';
  if (draft.snapshot.service.desired.controller !== 'ECS') {
    for (const { key } of draft.snapshot.taskSets) groupsFor(draft, revisionIdOf(key.id));
    accountStarts(draft);
    return planTaskSets(draft);
  }
  adopt(draft);
  if (draft.observed.targetRevisionId === null) return;
  groupsFor(draft, draft.observed.targetRevisionId);
  accountStarts(draft);
  watchDeployment(draft);
  carryOn(draft);
  if (underWay(currentDeployment(draft)?.observed) || isHalted(draft)) draft.observed.steadyAt = null;
  else {
    noteSteady(draft);
    rebalance(draft);
  }
}

/** The way to the target, as the deployment's strategy has it. */
function carryOn(draft: Draft): void {
  const current = currentDeployment(draft);
  const { targetRevisionId, stableRevisionId } = draft.observed;
  if (targetRevisionId === null) return;
  const busy = current !== undefined && (underWay(current.observed) || isHalted(draft));
  if (!busy) return roll(draft, targetRevisionId, Infinity);
  const { record, observed } = current;
  const green = record.desired.targetRevisionId;
  const shifts = record.desired.config.strategy !== 'ROLLING' && stableRevisionId !== null && stableRevisionId !== green;
  if (shifts) {
    const shifting = { record, observed, green, blue: stableRevisionId };
    if (observed.rollback === null && underWay(observed)) shift(draft, shifting);
    else standBack(draft, shifting);
  } else if (isHalted(draft)) {
    holdStill(draft);
  } else {
    rollOut(draft, record, observed);
  }
  if (underWay(observed) && !(shifts && observed.rollback === null)) conclude(draft, record, observed);
}

/** Whether it goes through stages although it shifts nothing: for its hooks. */
const isStaged = ({ desired }: ServiceDeploymentRecord): boolean =>
  desired.config.hooks.length > 0 || desired.config.strategy !== 'ROLLING';

/** All traffic goes to the target as its tasks come up: a rolling deployment, or a first one, which has nothing to shift from. */
function rollOut(draft: Draft, record: ServiceDeploymentRecord, observed: ServiceDeploymentObserved): void {
  const green = record.desired.targetRevisionId;
  if (observed.rollback === null && isStaged(record)) advanceWhole(draft, record, observed);
  if (!underWay(observed)) return holdStill(draft);
  if (observed.rollback !== null) return roll(draft, observed.rollback.revisionId, Infinity);
  if (record.desired.config.strategy !== 'ROLLING') setWeight(draft, observed, green, 'production', 100);
  const waits = isStaged(record) && !reached(observed, 'SCALE_UP');
  roll(draft, green, waits ? 0 : allowedByDigests(draft, green, observed.failedTasks));
}

function conclude(draft: Draft, record: ServiceDeploymentRecord, observed: ServiceDeploymentObserved): void {
  if (isSettled(draft)) {
    const fresh = observed.rollback === null && isStaged(record);
    if (!fresh || advanceWhole(draft, record, observed)) complete(draft, observed);
  } else if (observed.rollback !== null && draft.observed.startFailures >= limits.serviceRollbackFailures) {
    endRollback(draft, observed, `${observed.rollback.reason} The tasks of the earlier revision fail to start.`);
  }
}

/** The deployment is over without having come to its end, and nothing took its place. */
function isHalted(draft: Draft): boolean {
  const current = currentDeployment(draft);
  if (current === undefined || current.record.desired.targetRevisionId !== draft.observed.targetRevisionId) return false;
  return current.observed.status === 'STOPPED' || current.observed.status === 'ROLLBACK_FAILED';
}
