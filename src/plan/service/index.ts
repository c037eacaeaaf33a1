/** The planner of ECS services. Pure and level-triggered: whatever it is shown, it says what to do next, and nothing when nothing is to do. */
import { accountStarts } from './back-off.ts';
import { drain } from './deletion.ts';
import { adopt, complete, endRollback, watchDeployment } from './deployment.ts';
import { beginDraft, currentDeployment, finishDraft, underWay } from './draft.ts';
import type { Draft } from './draft.ts';
import { holdStill } from './halted.ts';
import { allowedByDigests, learnDigests } from './images.ts';
import { roll } from './rolling.ts';
import { isSettled, noteSteady, rebalance } from './steady.ts';
import { groupsFor } from './target-groups.ts';
import type { ServicePlan, ServiceSnapshot } from './types.ts';
import { limits } from '#base/limits.ts';

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
  adopt(draft);
  groupsFor(draft);
  accountStarts(draft);
  watchDeployment(draft);
  const current = currentDeployment(draft);
  const { targetRevisionId } = draft.observed;
  if (targetRevisionId === null) return;
  if (current !== undefined && isHalted(draft, targetRevisionId)) {
    holdStill(draft);
    draft.observed.steadyAt = null;
    return;
  }
  const deploying = underWay(current?.observed);
  const fresh = deploying && current !== undefined && current.observed.rollback === null;
  roll(draft, targetRevisionId, fresh ? allowedByDigests(draft, targetRevisionId, current.observed.failedTasks) : Infinity);
  if (deploying && current !== undefined) {
    if (isSettled(draft)) complete(draft, current.observed);
    else if (current.observed.rollback !== null && draft.observed.startFailures >= limits.serviceRollbackFailures) {
      endRollback(draft, current.observed, `${current.observed.rollback.reason} The tasks of the earlier revision fail to start.`);
    }
  }
  if (!underWay(current?.observed)) {
    noteSteady(draft);
    rebalance(draft);
  }
}

/** The deployment is over without having come to its end, and nothing took its place. */
function isHalted(draft: Draft, targetRevisionId: string): boolean {
  const current = currentDeployment(draft);
  if (current === undefined || current.record.desired.targetRevisionId !== targetRevisionId) return false;
  return current.observed.status === 'STOPPED' || current.observed.status === 'ROLLBACK_FAILED';
}
