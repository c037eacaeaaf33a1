/** What changes are as events. Pure. Sources: ECS developer guide, "Amazon ECS events"; CloudWatch user guide, "Alarm events and EventBridge". */
import type { Json } from '#base/fault.ts';
import { alarmArn } from '#domain/alarm.ts';
import type { AlarmRecord } from '#domain/alarm.ts';
import { serviceArn, taskSetArn } from '#domain/arn.ts';
import type { AlarmSaid, Change } from '#domain/change.ts';
import { eventTime } from '#domain/event.ts';
import type { EventEnvelope } from '#domain/event.ts';
import type { HostInfo, HostRecord } from '#domain/records.ts';
import { deploymentName } from '#domain/service.ts';
import { serviceActionOf } from '#domain/service-action.ts';
import type { Scope } from '#domain/scope.ts';
import type { TaskRecord, TaskStatus } from '#domain/task.ts';

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
  const [, taskSet] = /^\([^)]*, taskSet ecs-svc\/([^)]+)\)/.exec(message) ?? [];
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
    ...(taskSet === undefined ? {} : { taskSetArns: [taskSetArn(scope, cluster, name, taskSet)] }),
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

export type HostThen = { hostId: string; connected: boolean; host: HostRecord | undefined; slots: readonly HostSlot[] };
/** A task that lives on the host. */
export type HostSlot = { status: TaskStatus; cpuMillis: number; memoryBytes: number };

/**
 * A host as ECS tells of a container instance; it carries the tasks of every account and region, so each hears of it. It has no EC2 instance, and no Docker whose version
 * could be told. `host`, `slots`: as they are when the event is made; no host for one that is gone by then.
 */
export function hostEvent(scope: Scope, { hostId, connected, host, slots }: HostThen, at: number): PlainEvent {
  const arn = `arn:aws:ecs:${scope.region}:${scope.account}:container-instance/default/${hostId}`;
  const running = slots.filter(({ status }) => status === 'RUNNING').length;
  const detail: Detail = {
    agentConnected: connected,
    attributes: host === undefined ? [] : hostAttributes(host.info),
    clusterArn: `arn:aws:ecs:${scope.region}:${scope.account}:cluster/default`,
    containerInstanceArn: arn,
    pendingTasksCount: slots.length - running,
    registeredResources: host === undefined ? [] : hostResources(host.info, []),
    remainingResources: host === undefined ? [] : hostResources(host.info, slots),
    runningTasksCount: running,
    status: 'ACTIVE',
    updatedAt: new Date(at).toISOString(),
    version: host?.revision ?? 0,
    versionInfo: {},
  };
  return { ...scope, type: 'ECS Container Instance State Change', source: 'aws.ecs', resources: [arn], detail };
}

function hostAttributes({ arch, zone }: HostInfo): Json[] {
  return [
    ...(typeof zone === 'string' ? [{ name: 'ecs.availability-zone', value: zone }] : []),
    { name: 'ecs.cpu-architecture', value: arch === 'amd64' ? 'x86_64' : arch },
    { name: 'ecs.os-type', value: 'linux' },
  ];
}

/** What tasks may have of it, less what these have. Tasks have addresses of their own, so none takes a port. */
function hostResources({ cpuMillis, memoryBytes, reserveBytes }: HostInfo, slots: readonly HostSlot[]): Json[] {
  const cpu = cpuMillis - slots.reduce((sum, slot) => sum + slot.cpuMillis, 0);
  const memory = memoryBytes - reserveBytes - slots.reduce((sum, slot) => sum + slot.memoryBytes, 0);
  return [
    { name: 'CPU', type: 'INTEGER', integerValue: Math.max(0, Math.floor((cpu * 1024) / 1000)) },
    { name: 'MEMORY', type: 'INTEGER', integerValue: Math.max(0, Math.floor(memory / 2 ** 20)) },
    { name: 'PORTS', type: 'STRINGSET', stringSetValue: [] },
    { name: 'PORTS_UDP', type: 'STRINGSET', stringSetValue: [] },
  ];
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
  const text = desired.front['AlarmDescription'];
  const description = typeof text === 'string' ? { description: text } : {};
  if (desired.rule !== undefined) return { alarmRule: desired.rule, ...description };
  const metrics = desired.queries.map((query): Json => {
    const { id, metric, expression, periodS, returned } = query;
    const stat = metric === undefined ? {} : { metricStat: { metric: { namespace: metric.namespace, name: metric.name, dimensions: { ...metric.dimensions } }, period: periodS ?? desired.periodS, stat: metric.statistic } }; // prettier-ignore
    return { id, ...stat, ...(expression === undefined ? {} : { expression }), returnData: returned };
  });
  return { ...description, metrics };
}
