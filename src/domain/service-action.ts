/** Which of a service's events are "ECS Service Action" events, and what they are called there. Source: ECS developer guide, "Amazon ECS service action events". */

export type ServiceAction = { eventType: 'INFO' | 'WARN' | 'ERROR'; eventName: string };

const actions: [RegExp, ServiceAction][] = [
  [/, taskSet [^)]*\) has reached a steady state\.$/, { eventType: 'INFO', eventName: 'TASKSET_STEADY_STATE' }],
  [/ has reached a steady state\.$/, { eventType: 'INFO', eventName: 'SERVICE_STEADY_STATE' }],
  [/ has stopped \d+ running tasks: /, { eventType: 'INFO', eventName: 'TASKS_STOPPED' }],
  [/ is unable to consistently start tasks successfully\./, { eventType: 'WARN', eventName: 'SERVICE_TASK_START_IMPAIRED' }],
  [/ was unable to stop or start tasks during a deployment /, { eventType: 'ERROR', eventName: 'SERVICE_TASK_CONFIGURATION_FAILURE' }],
  [/ was unable to place a task\./, { eventType: 'ERROR', eventName: 'SERVICE_TASK_PLACEMENT_FAILURE' }],
];

/** null for what ECS tells in the service's events alone. */
export function serviceActionOf(message: string): ServiceAction | null {
  return actions.find(([text]) => text.test(message))?.[1] ?? null;
}
