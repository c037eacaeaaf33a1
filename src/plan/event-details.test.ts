/**
 * The members of events, held against what AWS publishes of them: the schemas that the CDK's event patterns are made from (aws_cdk.mixins_preview.aws_ecs.events), and the
 * ECS developer guide's examples, which have what `always` lists.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostRecord } from '#domain/records.ts';
import { deploymentEvent, envelopeOf, hostEvent, serviceActionEvent, type PlainEvent } from './event-details.ts';

const scope = { account: '123456789012', region: 'us-east-1' };
const service = { ...scope, cluster: 'c', name: 'web', id: 'i' } as never;
const arn = (resource: string) => `arn:aws:ecs:us-east-1:123456789012:${resource}`;
const AT = Date.UTC(2026, 10, 27, 12);

const members: Record<string, { all: string[]; always: string[] }> = {
  'ECS Container Instance State Change': {
    all: ['accountType', 'agentConnected', 'agentUpdateStatus', 'attachments', 'attributes', 'clusterArn', 'containerInstanceArn', 'ec2InstanceId', 'pendingTasksCount', 'registeredAt', 'registeredResources', 'remainingResources', 'runningTasksCount', 'status', 'statusReason', 'updatedAt', 'version', 'versionInfo'],
    always: ['agentConnected', 'attributes', 'clusterArn', 'containerInstanceArn', 'pendingTasksCount', 'registeredResources', 'remainingResources', 'runningTasksCount', 'status', 'updatedAt', 'version', 'versionInfo'],
  },
  'ECS Service Action': {
    all: ['capacityProviderArns', 'clusterArn', 'containerInstanceArns', 'containerPort', 'createdAt', 'desiredCount', 'ec2InstanceIds', 'eventName', 'eventType', 'reason', 'serviceRegistryArns', 'targetGroupArns', 'targets', 'taskArns', 'taskSetArns'],
    always: ['clusterArn', 'createdAt', 'eventName', 'eventType'],
  },
  'ECS Deployment State Change': {
    // The guide's newer examples have no cluster; berth's have.
    all: ['clusterArn', 'deploymentId', 'eventName', 'eventType', 'reason', 'updatedAt'],
    always: ['deploymentId', 'eventName', 'eventType', 'reason', 'updatedAt'],
  },
}; // prettier-ignore

function assertMembers(event: PlainEvent): Record<string, unknown> {
  const known = members[event.type];
  assert.ok(known !== undefined, event.type);
  const names = Object.keys(event.detail);
  assert.deepEqual(names.filter((name) => !known.all.includes(name)), [], `${event.type}: members that AWS has not`); // prettier-ignore
  assert.deepEqual(known.always.filter((name) => !names.includes(name)), [], `${event.type}: members that are missing`); // prettier-ignore
  assert.deepEqual(Object.keys(envelopeOf(event, 'id', AT)).sort(), ['account', 'detail', 'detail-type', 'id', 'region', 'resources', 'source', 'time', 'version']); // prettier-ignore
  assert.equal(event.source, 'aws.ecs');
  return event.detail;
}

const GIB = 2 ** 30;
const host = (zone: string | null): HostRecord => ({
  key: { hostId: 'h' },
  revision: 7,
  info: { hostname: 'm', arch: 'amd64', cpuMillis: 4000, memoryBytes: 8 * GIB, reserveBytes: GIB, isolation: [], strictCapacity: false, zone, occupiedCidrs: [], cidrSeed: 0 },
  usage: { freeMemoryBytes: 0, freeDiskBytes: 0, loadPercent: 0, tasks: 0, sandboxes: [] },
  status: 'CONNECTED',
  seenAt: 0,
}); // prettier-ignore

test('container instance events tell what a host has, and what is left of it', () => {
  const slots = [
    { status: 'RUNNING' as const, cpuMillis: 1000, memoryBytes: 2 * GIB },
    { status: 'PENDING' as const, cpuMillis: 250, memoryBytes: GIB },
  ];
  const event = hostEvent(scope, { hostId: 'h', connected: true, host: host('us-east-1b'), slots }, AT);
  const detail = assertMembers(event);
  assert.deepEqual(event.resources, [arn('container-instance/default/h')]);
  const integers = (name: string) =>
    (detail[name] as { name: string; integerValue?: number }[]).flatMap(({ name: what, integerValue }) => (integerValue === undefined ? [] : [`${what} ${integerValue}`])); // prettier-ignore
  assert.deepEqual(integers('registeredResources'), ['CPU 4096', 'MEMORY 7168']);
  assert.deepEqual(integers('remainingResources'), ['CPU 2816', 'MEMORY 4096']);
  assert.deepEqual([detail['runningTasksCount'], detail['pendingTasksCount'], detail['version']], [1, 1, 7]);
  assert.deepEqual(detail['attributes'], [
    { name: 'ecs.availability-zone', value: 'us-east-1b' },
    { name: 'ecs.cpu-architecture', value: 'x86_64' },
    { name: 'ecs.os-type', value: 'linux' },
  ]);
  // Memory and processors may be promised more than once.
  const crowded = hostEvent(scope, { hostId: 'h', connected: false, host: host(null), slots: Array.from({ length: 9 }, () => slots[0]!) }, AT); // prettier-ignore
  assert.match(JSON.stringify(assertMembers(crowded)['remainingResources']), /"CPU","type":"INTEGER","integerValue":0}/);
  assertMembers(hostEvent(scope, { hostId: 'h', connected: false, host: undefined, slots: [] }, AT));
});

test('service action events, each by its own name', () => {
  const task = 'a'.repeat(32);
  const cases: [message: string, eventType: string, eventName: string, more: object][] = [
    ['(service web) has reached a steady state.', 'INFO', 'SERVICE_STEADY_STATE', {}],
    ['(service web, taskSet ecs-svc/12) has reached a steady state.', 'INFO', 'TASKSET_STEADY_STATE', { taskSetArns: [arn('task-set/c/web/ecs-svc/12')] }],
    [`(service web) has stopped 1 running tasks: (task ${task}).`, 'INFO', 'TASKS_STOPPED', { taskArns: [arn(`task/c/${task}`)] }],
    ['(service web) is unable to consistently start tasks successfully. For more information, see there.', 'WARN', 'SERVICE_TASK_START_IMPAIRED', { reason: 'is unable to consistently start tasks successfully. For more information, see there.' }],
    ['(service web) was unable to place a task. Reason: no host.', 'ERROR', 'SERVICE_TASK_PLACEMENT_FAILURE', { reason: 'was unable to place a task. Reason: no host.' }],
    ['(service web) was unable to stop or start tasks during a deployment because of the service deployment configuration. x', 'ERROR', 'SERVICE_TASK_CONFIGURATION_FAILURE', { reason: 'was unable to stop or start tasks during a deployment because of the service deployment configuration. x' }],
  ]; // prettier-ignore
  for (const [message, eventType, eventName, more] of cases) {
    const event = serviceActionEvent({ kind: 'serviceEvent', service, id: 'e', at: AT, message });
    assert.ok(event !== null, message);
    assert.deepEqual(assertMembers(event), { eventType, eventName, clusterArn: arn('cluster/c'), createdAt: '2026-11-27T12:00:00.000Z', ...more }, message); // prettier-ignore
    assert.deepEqual(event.resources, [arn('service/c/web')]);
  }
  assert.equal(serviceActionEvent({ kind: 'serviceEvent', service, id: 'e', at: AT, message: '(service web) has started 1 tasks: x.' }), null); // prettier-ignore
});

test('deployment events', () => {
  for (const [what, eventType] of [
    ['IN_PROGRESS', 'INFO'],
    ['COMPLETED', 'INFO'],
    ['FAILED', 'ERROR'],
  ] as const) {
    const event = deploymentEvent({ kind: 'deployment', deployment: service, revisionId: '12', what, reason: '', at: AT });
    const detail = assertMembers(event);
    const said = { IN_PROGRESS: 'in progress', COMPLETED: 'completed', FAILED: 'failed' };
    assert.deepEqual([detail['eventType'], detail['eventName'], detail['deploymentId'], detail['reason']], [eventType, `SERVICE_DEPLOYMENT_${what}`, 'ecs-svc/12', `ECS deployment ecs-svc/12 ${said[what]}.`]); // prettier-ignore
  }
});
