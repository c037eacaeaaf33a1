/** A service that is deleted: all of its tasks end, then it is INACTIVE. */
import { ended } from '#domain/service.ts';
import { stopDeployment } from './deployment.ts';
import { stopTask } from './draft.ts';
import type { Draft } from './draft.ts';

export function drain(draft: Draft): void {
  const { observed } = draft;
  for (const judged of draft.tasks) stopTask(draft, judged);
  for (const deployment of draft.deployments.values()) {
    if (!ended(deployment.status)) stopDeployment(draft, deployment, 'Service deployment stopped because the service was deleted.');
  }
  for (const taskSet of draft.taskSets.values()) taskSet.status = 'DRAINING';
  observed.steadyAt = null;
  observed.status = draft.tasks.length === 0 ? 'INACTIVE' : 'DRAINING';
}
