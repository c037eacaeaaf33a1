/** What changes are as events. Pure. Sources: ECS developer guide, "Amazon ECS events"; CloudWatch user guide, "Alarm events and EventBridge". */
import type { Json } from '#base/fault.ts';
import { alarmArn } from '#domain/alarm.ts';
import type { AlarmRecord } from '#domain/alarm.ts';
import { serviceArn } from '#domain/arn.ts';
import type { AlarmSaid, Change } from '#domain/change.ts';
import { eventTime } from '#domain/event.ts';
import type { EventEnvelope } from '#domain/event.ts';
import { deploymentName } from '#domain/service.ts';
import { serviceActionOf } from '#domain/service-action.ts';
import type { Scope } from '#domain/scope.ts';
import type { TaskRecord } from '#domain/task.ts';

type Detail = { [key: string]: Json };
export type PlainEvent = Scope & { type: string; source: string; resources: string[]; detail: Detail };

export function envelopeOf(event: PlainEvent, id: string, at: number): EventEnvelope {
  const { account, region, type, source, resources, detail } = event;
  return { version: '0', id, 'detail-type': type, source, account, time: eventTime(at), region, resources, detail };
}

/** The task as it was when the change was noted. */
export function taskThen(task: TaskRecord, { desired: status, stop, placed, observed }: Extract<Change, { kind: 'task' }>): TaskRecord {
  return { ...task, desired: { ...task.desired, status, stop }, placement: placed ? task.placement : null, observed };
}

/** `described`: the task as DescribeTasks shows it, as JSON. An event has no tags, and a shorter word for a network interface. */
export function taskEvent(scope: Scope, described: Detail, at: number): PlainEvent {
  const { tags: _tags, attachments, ...rest } = described;
  const shown = ((attachments as Detail[] | undefined) ?? []).map((one) =>
    one['type'] === 'ElasticNetworkInterface' ? { ...one, type: 'eni' } : one,
  );
  const detail: Detail = { ...rest, attachments: shown, updatedAt: new Date(at).toISOString() };
  return { ...scope, type: 'ECS Task State Change', source: 'aws.ecs', resources: [String(described['taskArn'])], detail };
}

/** null for what ECS doesn't tell as an event. */
export function serviceActionEvent({ service, at, message }: Extract<Change, { kind: 'serviceEvent' }>): PlainEvent | null {
  const action = serviceActionOf(message);
  if (action === null) return null;
  const { account, region, cluster, name } = service;
  const scope = { account, region };
  const reason = message.replace(/^\([^)]*\) /, '');
  const taskIds = [...message.matchAll(/\(task ([0-9a-f]{32})\)/g)].map(
    ([, id]) => `arn:aws:ecs:${region}:${account}:task/${cluster}/${id ?? ''}`,
  );
  const detail: Detail = {
    ...action,
    clusterArn: `arn:aws:ecs:${region}:${account}:cluster/${cluster}`,
    createdAt: new Date(at).toISOString(),
    ...(action.eventType === 'INFO' ? {} : { reason }),
    ...(taskIds.length > 0 ? { taskArns: taskIds } : {}),
  };
  return { ...scope, type: 'ECS Service Action', source: 'aws.ecs', resources: [serviceArn(scope, cluster, name)], detail };
}

export function deploymentEvent({ deployment, revisionId, what, reason, at }: Extract<Change, { kind: 'deployment' }>): PlainEvent {
  const { account, region, cluster, name } = deployment;
  const scope = { account, region };
  const id = deploymentName(revisionId);
  const said = {
    IN_PROGRESS: `ECS deployment ${id} in progress.`,
    COMPLETED: `ECS deployment ${id} completed.`,
    FAILED: `ECS deployment ${id} failed.`,
  };
  const detail: Detail = {
    eventType: what === 'FAILED' ? 'ERROR' : 'INFO',
    eventName: `SERVICE_DEPLOYMENT_${what}`,
    clusterArn: `arn:aws:ecs:${region}:${account}:cluster/${cluster}`,
    deploymentId: id,
    updatedAt: new Date(at).toISOString(),
    reason: what === 'COMPLETED' || reason === '' ? said[what] : reason,
  };
  return { ...scope, type: 'ECS Deployment State Change', source: 'aws.ecs', resources: [serviceArn(scope, cluster, name)], detail };
}

/** A host as ECS tells of a container instance; it carries the tasks of every account and region, so each hears of it. */
export function hostEvent(scope: Scope, hostId: string, connected: boolean, at: number): PlainEvent {
  const arn = `arn:aws:ecs:${scope.region}:${scope.account}:container-instance/default/${hostId}`;
  const detail: Detail = {
    agentConnected: connected,
    clusterArn: `arn:aws:ecs:${scope.region}:${scope.account}:cluster/default`,
    containerInstanceArn: arn,
    status: 'ACTIVE',
    updatedAt: new Date(at).toISOString(),
  };
  return { ...scope, type: 'ECS Container Instance State Change', source: 'aws.ecs', resources: [arn], detail };
}

export function alarmEvent(
  change: Pick<Extract<Change, { kind: 'alarm' }>, 'alarm' | 'before' | 'after'>,
  record: AlarmRecord | undefined,
): PlainEvent {
  const { alarm, before, after } = change;
  const { account, region, name } = alarm;
  const detail: Detail = {
    alarmName: name,
    state: stateOf(after),
    previousState: stateOf(before),
    configuration: record === undefined ? {} : configurationOf(record),
  };
  return { account, region, type: 'CloudWatch Alarm State Change', source: 'aws.cloudwatch', resources: [alarmArn(alarm)], detail };
}

function stateOf({ state, reason, reasonData, stateUpdatedAt }: AlarmSaid): Detail {
  const timestamp = new Date(stateUpdatedAt).toISOString().replace('Z', '+0000');
  return { value: state, reason, ...(reasonData === null ? {} : { reasonData }), timestamp };
}

function configurationOf({ desired }: AlarmRecord): Detail {
  const metrics = desired.queries.map((query): Json => {
    const { id, metric, expression, periodS, returned } = query;
    const stat = metric === undefined ? {} : { metricStat: { metric: { namespace: metric.namespace, name: metric.name, dimensions: { ...metric.dimensions } }, period: periodS ?? desired.periodS, stat: metric.statistic } }; // prettier-ignore
    return { id, ...stat, ...(expression === undefined ? {} : { expression }), returnData: returned };
  });
  const description = desired.front['AlarmDescription'];
  return { ...(typeof description === 'string' ? { description } : {}), metrics };
}
