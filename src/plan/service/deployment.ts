/** The life of a deployment: taken up, brought to its end, failed, rolled back, superseded. */
import { ended } from '#domain/service.ts';
import type { ServiceDeploymentObserved, ServiceDeploymentRecord } from '#domain/service.ts';
import { accountFailures, breakerThreshold, forgiveFailures, lastCause } from './breaker.ts';
import { completedEvent, failedEvent, rollingBackEvent, sentence } from './events.ts';
import { currentDeployment, revisionOf, say, underWay } from './draft.ts';
import type { Draft } from './draft.ts';
import { setWeight } from './traffic.ts';

const SUPERSEDED = 'Service deployment stopped because a newer service deployment was started.';

/** Takes up the newest deployment that was asked for; those before it are over. */
export function adopt(draft: Draft): void {
  const { desired } = draft.snapshot.service;
  for (const record of draft.snapshot.deployments) {
    const observed = draft.deployments.get(record.key.id);
    if (observed === undefined || ended(observed.status) || record.key.id === desired.deploymentId) continue;
    returnTraffic(draft, record, observed);
    stopDeployment(draft, observed, SUPERSEDED);
  }
  if (desired.deploymentId === null || desired.deploymentId === draft.observed.deploymentId) return;
  const record = draft.snapshot.deployments.find(({ key }) => key.id === desired.deploymentId);
  const observed = draft.deployments.get(desired.deploymentId);
  if (record === undefined || observed === undefined) return;
  Object.assign(draft.observed, {
    deploymentId: record.key.id,
    targetRevisionId: record.desired.targetRevisionId,
    steadyAt: null,
    startFailures: 0,
    nextStartAt: null,
    failedAt: null,
  });
  if (ended(observed.status)) return;
  observed.status = 'IN_PROGRESS';
  observed.startedAt = draft.now;
  observed.breaker = record.desired.config.circuitBreaker.enable ? 'MONITORING' : 'DISABLED';
}

/** What a deployment took over so far goes back to the revision that it came from. */
function returnTraffic(draft: Draft, record: ServiceDeploymentRecord, observed: ServiceDeploymentObserved): void {
  const { stableRevisionId } = draft.observed;
  const { config, targetRevisionId } = record.desired;
  if (stableRevisionId === null || stableRevisionId === targetRevisionId || config.strategy === 'ROLLING') return;
  setWeight(draft, observed, targetRevisionId, 'production', 0);
  setWeight(draft, observed, targetRevisionId, 'test', 0);
}

export function stopDeployment(draft: Draft, observed: ServiceDeploymentObserved, reason: string): void {
  Object.assign(observed, { status: 'STOPPED', statusReason: reason, stoppedAt: draft.now, finishedAt: draft.now });
  if (observed.breaker === 'MONITORING') observed.breaker = 'MONITORING_COMPLETE';
}

/** What speaks against the deployment that is under way: failed tasks, alarms, a caller's wish. */
export function watchDeployment(draft: Draft): void {
  const current = currentDeployment(draft);
  if (current === undefined || !underWay(current.observed)) return;
  const { record, observed } = current;
  if (observed.rollback !== null) {
    abortRollback(draft, record, observed);
    return;
  }
  const { config, targetRevisionId, stop } = record.desired;
  accountFailures(draft, observed, targetRevisionId);
  forgiveFailures(draft, observed, targetRevisionId, config);
  if (stop?.type === 'ABORT') return stopDeployment(draft, observed, 'Service deployment stopped because of a user request.');
  if (stop?.type === 'ROLLBACK') return rollBack(draft, observed, 'Service deployment rolled back because of a user request.', true);
  const ringing = config.alarms.enable ? config.alarms.names.filter((name) => draft.snapshot.alarms.has(name)) : [];
  if (ringing.length > 0) {
    observed.triggeredAlarms = ringing;
    say(draft, failedEvent(draft.name, targetRevisionId, 'alarm detected'));
    return rollBack(draft, observed, 'Service deployment rolled back because of a deployment alarm.', config.alarms.rollback);
  }
  if (!config.circuitBreaker.enable || observed.failureCount < breakerThreshold(config.circuitBreaker, draft.count)) return;
  observed.breaker = 'TRIGGERED';
  say(draft, failedEvent(draft.name, targetRevisionId, 'tasks failed to start'));
  const cause = lastCause(draft, targetRevisionId);
  const because = `because the circuit breaker threshold was exceeded.${cause === null ? '' : ` ${sentence(cause)}`}`;
  const does = config.circuitBreaker.rollback ? 'rolled back' : 'failed';
  rollBack(draft, observed, `Service deployment ${does} ${because}`, config.circuitBreaker.rollback);
}

function abortRollback(draft: Draft, record: ServiceDeploymentRecord, observed: ServiceDeploymentObserved): void {
  const { stop } = record.desired;
  const started = observed.rollback?.startedAt ?? 0;
  if (stop?.type === 'ABORT' && stop.at > started) endRollback(draft, observed, 'Rollback stopped because of a user request.');
}

export function endRollback(draft: Draft, observed: ServiceDeploymentObserved, reason: string): void {
  const current = currentDeployment(draft);
  if (current !== undefined) returnTraffic(draft, current.record, observed);
  Object.assign(observed, { status: 'ROLLBACK_FAILED', statusReason: reason, stoppedAt: draft.now, finishedAt: draft.now });
}

/** Turns back to the last revision that a deployment brought to its end; without one, or where that wasn't wished, the deployment is over. */
export function rollBack(draft: Draft, observed: ServiceDeploymentObserved, reason: string, wished: boolean): void {
  if (!wished) return stopDeployment(draft, observed, reason);
  const { stableRevisionId, targetRevisionId } = draft.observed;
  if (stableRevisionId === null || stableRevisionId === targetRevisionId || revisionOf(draft, stableRevisionId) === undefined) {
    return endRollback(draft, observed, `${reason} No rollback candidate was found to run the rollback.`);
  }
  observed.status = 'ROLLBACK_IN_PROGRESS';
  observed.statusReason = reason;
  observed.rollback = { revisionId: stableRevisionId, reason, startedAt: draft.now };
  Object.assign(draft.observed, {
    targetRevisionId: stableRevisionId,
    steadyAt: null,
    startFailures: 0,
    nextStartAt: null,
    failedAt: null,
  });
  say(draft, rollingBackEvent(draft.name, stableRevisionId));
}

/** All that runs is as many healthy tasks of the target as wished. */
export function complete(draft: Draft, observed: ServiceDeploymentObserved): void {
  const { targetRevisionId } = draft.observed;
  if (targetRevisionId === null) return;
  observed.status = observed.rollback === null ? 'SUCCESSFUL' : 'ROLLBACK_SUCCESSFUL';
  observed.finishedAt = draft.now;
  if (observed.breaker === 'MONITORING') observed.breaker = 'MONITORING_COMPLETE';
  draft.observed.stableRevisionId = targetRevisionId;
  say(draft, completedEvent(draft.name, targetRevisionId));
}
