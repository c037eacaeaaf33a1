/** A service's revisions that have tasks, and the one that it is brought to -> the API's Deployment list. Pure. */
import type { Deployment, DeploymentRolloutState } from '@aws-sdk/client-ecs';
import { deploymentName } from '#domain/service.ts';
import type { ServiceDeploymentRecord, ServiceRecord, ServiceRevisionRecord } from '#domain/service.ts';
import type { ServiceCount } from '#store/types.ts';
import { tally } from './counts.ts';
import { effectiveRevisionId } from './effective.ts';
import { frontOf, shownExtras, shownLaunch, shownNetwork } from './shown-members.ts';

export type DeploymentParts = {
  service: ServiceRecord;
  /** The target, and those that have tasks. */
  revisions: readonly ServiceRevisionRecord[];
  /** Newest first. */
  deployments: readonly ServiceDeploymentRecord[];
  counts: readonly ServiceCount[];
};

/** PRIMARY first, then what still has tasks, newest first. */
export function describeDeployments(parts: DeploymentParts): Deployment[] {
  const primary = effectiveRevisionId(parts.service);
  const rank = (revision: ServiceRevisionRecord) => (revision.key.id === primary ? 0 : 1);
  return parts.revisions
    .toSorted((a, b) => rank(a) - rank(b) || b.desired.createdAt - a.desired.createdAt)
    .map((revision) => describeDeployment(parts, revision, revision.key.id === primary));
}

function describeDeployment(parts: DeploymentParts, revision: ServiceRevisionRecord, primary: boolean): Deployment {
  const { id } = revision.key;
  const { runningCount, pendingCount, wanted } = tally(parts.counts, id);
  const record = parts.deployments.find((deployment) => deployment.desired.targetRevisionId === id);
  const front = frontOf(revision);
  return {
    id: deploymentName(id),
    status: primary ? 'PRIMARY' : 'ACTIVE',
    taskDefinition: front.taskDefinition,
    desiredCount: primary ? parts.service.desired.desiredCount : wanted,
    runningCount,
    pendingCount,
    failedTasks: record?.observed.failedTasks ?? 0,
    createdAt: new Date(record?.desired.createdAt ?? revision.desired.createdAt),
    updatedAt: new Date(record?.observed.updatedAt ?? revision.desired.createdAt),
    ...shownLaunch(revision),
    platformVersion: revision.desired.platformVersion,
    ...shownNetwork(front.members),
    ...shownExtras(front.members),
    ...rolloutOf(parts, id, record, primary),
  };
}

type Rollout = { rolloutState: DeploymentRolloutState; rolloutStateReason: string };

function rolloutOf(parts: DeploymentParts, id: string, record: ServiceDeploymentRecord | undefined, primary: boolean): Rollout {
  const name = deploymentName(id);
  const completed: Rollout = { rolloutState: 'COMPLETED', rolloutStateReason: `ECS deployment ${name} completed.` };
  const going: Rollout = { rolloutState: 'IN_PROGRESS', rolloutStateReason: `ECS deployment ${name} in progress.` };
  const failed = (reason: string): Rollout => ({ rolloutState: 'FAILED', rolloutStateReason: reason });
  const current = parts.deployments.find((deployment) => deployment.key.id === parts.service.desired.deploymentId);
  if (primary && current !== undefined && current.observed.rollback?.revisionId === id) {
    if (current.observed.status === 'ROLLBACK_SUCCESSFUL') return completed;
    return current.observed.status === 'ROLLBACK_FAILED'
      ? failed(current.observed.statusReason ?? 'ECS deployment rollback failed.')
      : going;
  }
  if (record === undefined) return completed;
  const { observed } = record;
  if (observed.status === 'SUCCESSFUL') return completed;
  if (observed.status === 'ROLLBACK_FAILED' && observed.rollback === null) return failed(observed.statusReason ?? 'ECS deployment failed.');
  if (observed.rollback !== null) return failed(rollbackReason(record, observed.rollback.revisionId));
  if (observed.status !== 'STOPPED') return going;
  if (observed.breaker === 'TRIGGERED') return failed('ECS deployment circuit breaker: task failed to start.');
  // One that a newer deployment took the place of goes away with its tasks.
  return primary ? failed(observed.statusReason ?? `ECS deployment ${name} was stopped.`) : going;
}

function rollbackReason(record: ServiceDeploymentRecord, revisionId: string): string {
  const to = `rolling back to deploymentId ${deploymentName(revisionId)}.`;
  if (record.observed.breaker === 'TRIGGERED') return `ECS deployment circuit breaker: ${to}`;
  return record.observed.triggeredAlarms.length > 0 ? `ECS deployment alarms: ${to}` : `ECS deployment: ${to}`;
}
