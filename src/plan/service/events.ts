/** What ECS says in a service's events (ECS developer guide, "Amazon ECS service event messages"). */
import { limits } from '#base/limits.ts';
import { deploymentName } from '#domain/service.ts';

/** `(service web)`, and of a task set's tasks `(service web, taskSet ecs-svc/1)`. */
export function subject(service: string, taskSetId: string | null = null): string {
  return taskSetId === null ? `(service ${service})` : `(service ${service}, taskSet ${taskSetId})`;
}

/** One event for each lot of tasks that were started together. */
export function startedEvents(service: string, taskIds: readonly string[], taskSetId: string | null = null): string[] {
  return lots(taskIds).map((ids) => `${subject(service, taskSetId)} has started ${ids.length} tasks: ${named(ids)}.`);
}

export function stoppedEvents(service: string, taskIds: readonly string[], taskSetId: string | null = null): string[] {
  return lots(taskIds).map((ids) => `${subject(service, taskSetId)} has stopped ${ids.length} running tasks: ${named(ids)}.`);
}

export const steadyEvent = (service: string, taskSetId: string | null = null): string =>
  `${subject(service, taskSetId)} has reached a steady state.`;

export const completedEvent = (service: string, revisionId: string): string =>
  `${subject(service)} (deployment ${deploymentName(revisionId)}) deployment completed.`;

export const failedEvent = (service: string, revisionId: string, why: string): string =>
  `${subject(service)} (deployment ${deploymentName(revisionId)}) deployment failed: ${why}.`;

export const rollingBackEvent = (service: string, revisionId: string): string =>
  `${subject(service)} rolling back to deployment ${deploymentName(revisionId)}.`;

export const inconsistentEvent = (service: string): string => `${subject(service)} is unable to consistently start tasks successfully.`;

export const stuckEvent = (service: string): string =>
  `${subject(service)} was unable to stop or start tasks during a deployment because of the service deployment configuration. ` +
  'Update the minimumHealthyPercent or maximumPercent value and try again.';

export const unplacedEvent = (service: string, reason: string): string =>
  `${subject(service)} was unable to place a task. Reason: ${sentence(reason)}`;

/** berth's own: AWS leaves the cause to be looked up at the stopped task. */
export const causeEvent = (service: string, taskId: string, cause: string): string =>
  `${subject(service)} (task ${taskId}) failed to start: ${sentence(cause)}`;

export const containerUnhealthyEvent = (service: string, taskId: string): string =>
  `${subject(service)} (task ${taskId}) failed container health checks.`;

export const targetUnhealthyEvent = (service: string, port: number, groupArn: string, reason: string): string =>
  `${subject(service)} (port ${port}) is unhealthy in (target-group ${groupArn}) due to (reason ${reason})`;

export const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

const named = (ids: readonly string[]): string => ids.map((id) => `(task ${id})`).join(' ');

function lots(ids: readonly string[]): string[][] {
  const result: string[][] = [];
  for (let at = 0; at < ids.length; at += limits.serviceEventTasks) result.push(ids.slice(at, at + limits.serviceEventTasks));
  return result;
}
