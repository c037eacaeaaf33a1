/** EventBridge Scheduler: the front door, and schedules that fire to an event bus, in one process. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { IAM } from '@aws-sdk/client-iam';
import { Scheduler } from '@aws-sdk/client-scheduler';
import type { CreateScheduleInput, Target } from '@aws-sdk/client-scheduler';
import { startSchedulesLoop } from '#control/events/schedules-loop.ts';
import { openEventPlatform } from '../../test/iam/event-platform.ts';
import { account } from '../../test/iam/platform.ts';

const region = 'us-east-1';
const scope = { account, region };
let platform: Awaited<ReturnType<typeof openEventPlatform>>;
let scheduler: Scheduler;

before(async () => {
  platform = await openEventPlatform();
  scheduler = new Scheduler({ endpoint: platform.endpoint, region, credentials: platform.root, maxAttempts: 1 });
});

after(async () => {
  scheduler?.destroy();
  await platform?.close();
});

const until: (typeof platform)['until'] = (what, find) => platform.until(what, find);

const RoleArn = `arn:aws:iam::${account}:role/scheduler`;
const job: Target = {
  Arn: `arn:aws:ecs:${region}:${account}:cluster/default`,
  RoleArn,
  EcsParameters: { TaskDefinitionArn: `arn:aws:ecs:${region}:${account}:task-definition/job`, LaunchType: 'FARGATE' },
};
const bus: Target = {
  Arn: `arn:aws:events:${region}:${account}:event-bus/default`,
  RoleArn,
  EventBridgeParameters: { Source: 'my.schedule', DetailType: 'Tick' },
  Input: '{"n":1}',
};
const off = { Mode: 'OFF' as const };

describe('schedules', () => {
  it('are kept and told as they were said, with defaults', async () => {
    const Name = 'nightly';
    const { ScheduleArn } = await scheduler.createSchedule({
      Name,
      ScheduleExpression: 'cron(0 3 * * ? *)',
      ScheduleExpressionTimezone: 'Europe/Berlin',
      FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 15 },
      Target: job,
    });
    assert.equal(ScheduleArn, `arn:aws:scheduler:${region}:${account}:schedule/default/nightly`);
    const { $metadata: _1, CreationDate: _2, LastModificationDate: _3, ...told } = await scheduler.getSchedule({ Name });
    assert.deepEqual(told, {
      Arn: ScheduleArn,
      GroupName: 'default',
      Name,
      ScheduleExpression: 'cron(0 3 * * ? *)',
      ScheduleExpressionTimezone: 'Europe/Berlin',
      State: 'ENABLED',
      ActionAfterCompletion: 'NONE',
      FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 15 },
      Target: { ...job, RetryPolicy: { MaximumEventAgeInSeconds: 86_400, MaximumRetryAttempts: 185 } },
    });
    await scheduler.updateSchedule({ Name, ScheduleExpression: 'rate(2 hours)', FlexibleTimeWindow: off, Target: job, State: 'DISABLED' });
    const changed = await scheduler.getSchedule({ Name });
    assert.deepEqual([changed.ScheduleExpression, changed.ScheduleExpressionTimezone, changed.State], ['rate(2 hours)', 'UTC', 'DISABLED']);
    assert.deepEqual(
      (await scheduler.listSchedules({ State: 'DISABLED' })).Schedules?.map((one) => one.Name),
      [Name],
    );
    await scheduler.deleteSchedule({ Name });
    await assert.rejects(scheduler.getSchedule({ Name }), {
      name: 'ResourceNotFoundException',
      message: 'Schedule nightly does not exist.',
    });
  });

  it('fire: a rate at its beginning, once', async () => {
    await scheduler.createSchedule({ Name: 'tick', ScheduleExpression: 'rate(1 hour)', FlexibleTimeWindow: off, Target: bus });
    const ticks = async () =>
      (await platform.store.read((tx) => tx.events.list(scope, { after: 0, limit: 100 }))).filter(
        ({ event }) => event.source === 'my.schedule',
      );
    const [tick] = await until('a tick', async () => ((found) => (found.length > 0 ? found : undefined))(await ticks()));
    assert.deepEqual(tick?.event.detail, { n: 1 });
    assert.equal(tick?.event['detail-type'], 'Tick');
    assert.deepEqual(tick?.event.resources, [`arn:aws:scheduler:${region}:${account}:schedule/default/tick`]);
    // Another look at all of them, as after a restart.
    const again = startSchedulesLoop(platform, 'another life');
    await again.stop();
    await until('the end of its delivery', async () =>
      (await platform.store.read((tx) => tx.eventDeliveries.count())) === 0 ? true : undefined,
    );
    assert.equal((await ticks()).length, 1);
  });

  it('have the context of the call in their input', async () => {
    const words = ['schedule-arn', 'scheduled-time', 'execution-id', 'attempt-number', 'other'];
    const Input = JSON.stringify(Object.fromEntries(words.map((word) => [word, `<aws.scheduler.${word}>`])));
    await scheduler.createSchedule({
      Name: 'told',
      ScheduleExpression: 'rate(1 hour)',
      FlexibleTimeWindow: off,
      Target: { ...bus, Input },
    });
    const { detail, id, time } = await until('an event', async () => {
      const rows = await platform.store.read((tx) => tx.events.list(scope, { after: 0, limit: 100 }));
      return rows.find(({ event }) => event.resources.some((arn) => arn.endsWith('/told')))?.event;
    });
    const { 'scheduled-time': at, ...rest } = detail as Record<string, string>;
    assert.deepEqual(rest, {
      'schedule-arn': `arn:aws:scheduler:${region}:${account}:schedule/default/told`,
      'execution-id': id,
      'attempt-number': '1',
      other: '<aws.scheduler.other>',
    });
    assert.match(at ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.ok(Date.parse(at ?? '') <= Date.parse(time));
  });

  it('stand in groups, which take them along', async () => {
    await scheduler.createScheduleGroup({ Name: 'mine', Tags: [{ Key: 'team', Value: 'a' }] });
    await scheduler.createSchedule({
      Name: 's',
      GroupName: 'mine',
      ScheduleExpression: 'rate(1 day)',
      FlexibleTimeWindow: off,
      Target: bus,
      State: 'DISABLED',
    });
    const ResourceArn = `arn:aws:scheduler:${region}:${account}:schedule-group/mine`;
    await scheduler.tagResource({ ResourceArn, Tags: [{ Key: 'b', Value: 'c' }] });
    await scheduler.untagResource({ ResourceArn, TagKeys: ['team'] });
    assert.deepEqual((await scheduler.listTagsForResource({ ResourceArn })).Tags, [{ Key: 'b', Value: 'c' }]);
    assert.deepEqual(
      (await scheduler.listScheduleGroups({})).ScheduleGroups?.map((one) => one.Name),
      ['default', 'mine'],
    );
    await scheduler.deleteScheduleGroup({ Name: 'mine' });
    await assert.rejects(scheduler.getSchedule({ Name: 's', GroupName: 'mine' }), { name: 'ResourceNotFoundException' });
    await assert.rejects(scheduler.deleteScheduleGroup({ Name: 'default' }), { name: 'ValidationException' });
  });

  it('what is wrong is refused, and nothing is made', async () => {
    const good: CreateScheduleInput = { Name: 'x', ScheduleExpression: 'rate(1 day)', FlexibleTimeWindow: off, Target: job };
    const wrong: Partial<CreateScheduleInput>[] = [
      { Name: 'a b' },
      { ScheduleExpression: 'rate(1 days)' },
      { ScheduleExpressionTimezone: 'Mars/Base' },
      { FlexibleTimeWindow: { Mode: 'FLEXIBLE' } },
      { FlexibleTimeWindow: { Mode: 'OFF', MaximumWindowInMinutes: 3 } },
      { StartDate: new Date(0) },
      { EndDate: new Date(0) },
      { Target: { ...job, RoleArn: 'role' } },
      { Target: { ...job, EcsParameters: undefined } },
      { Target: { Arn: 'arn:aws:scheduler:::aws-sdk:sqs:sendMessage', RoleArn } },
      { Target: { Arn: `arn:aws:lambda:${region}:${account}:function:f`, RoleArn } },
      { Target: { ...job, DeadLetterConfig: { Arn: `arn:aws:sqs:${region}:${account}:q` } } },
      { KmsKeyArn: `arn:aws:kms:${region}:${account}:key/1` },
    ];
    for (const one of wrong)
      await assert.rejects(scheduler.createSchedule({ ...good, ...one }), { name: 'ValidationException' }, JSON.stringify(one));
    const said: [Partial<CreateScheduleInput>, string][] = [
      [{ ScheduleExpression: 'cron(0 0 31 2 * *)' }, 'Invalid Schedule Expression cron(0 0 31 2 * *).'],
      [{ ScheduleExpressionTimezone: 'Mars/Base' }, 'Invalid Schedule Expression Timezone Mars/Base.'],
      [{ StartDate: new Date(0) }, 'The StartDate you specify cannot be earlier than 5 minutes ago.'],
      [{ EndDate: new Date(0) }, 'The EndDate you specify cannot be earlier than the current time.'],
      [{ ClientToken: 'a b' }, "1 validation error detected: Value 'a b' at 'clientToken' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+"],
    ]; // prettier-ignore
    for (const [one, message] of said)
      await assert.rejects(scheduler.createSchedule({ ...good, ...one }), { name: 'ValidationException', message });
    await assert.rejects(scheduler.createSchedule({ ...good, GroupName: 'none' }), {
      name: 'ResourceNotFoundException',
      message: 'Schedule group none does not exist.',
    });
    assert.deepEqual((await scheduler.listSchedules({ NamePrefix: 'x' })).Schedules, []);
    await scheduler.createSchedule({ ...good, State: 'DISABLED' });
    await assert.rejects(scheduler.createSchedule(good), { name: 'ConflictException' });
  });

  it('are made, changed and deleted once by a token, and a token used for another call is a conflict', async () => {
    const Name = 'once';
    const conflict = { name: 'ConflictException', message: /ClientToken was already used with other parameters/ };
    const wish: CreateScheduleInput = { Name, ScheduleExpression: 'rate(1 day)', FlexibleTimeWindow: off, Target: job, State: 'DISABLED', StartDate: new Date(Date.now() + 60_000) }; // prettier-ignore
    const create = (more: object = {}) => scheduler.createSchedule({ ...wish, ClientToken: 'made', ...more });
    assert.equal((await create()).ScheduleArn, (await create()).ScheduleArn);
    await assert.rejects(create({ Description: 'other' }), conflict);
    await assert.rejects(create({ StartDate: new Date(Date.now() + 90_000) }), conflict);
    await scheduler.updateSchedule({ ...wish, Description: 'first', ClientToken: 'changed' });
    await scheduler.updateSchedule({ ...wish, Description: 'second' });
    // The first change once more, late: its answer, and no way back.
    await scheduler.updateSchedule({ ...wish, Description: 'first', ClientToken: 'changed' });
    assert.equal((await scheduler.getSchedule({ Name })).Description, 'second');
    await assert.rejects(scheduler.updateSchedule({ ...wish, ClientToken: 'changed' }), conflict);
    for (const _time of [1, 2]) await scheduler.deleteSchedule({ Name, ClientToken: 'gone' });
    await assert.rejects(scheduler.deleteSchedule({ Name, ClientToken: 'another' }), { name: 'ResourceNotFoundException' });
    // What was refused took no token.
    await scheduler.createSchedule({ ...wish, ClientToken: 'another' });
    await scheduler.deleteSchedule({ Name, ClientToken: 'another' });
    const group = { Name: 'once', Tags: [{ Key: 'team', Value: 'a' }], ClientToken: 'made' };
    for (const _time of [1, 2]) await scheduler.createScheduleGroup(group);
    await assert.rejects(scheduler.createScheduleGroup({ ...group, Tags: [] }), conflict);
    for (const _time of [1, 2]) await scheduler.deleteScheduleGroup({ Name: 'once', ClientToken: 'gone' });
  });

  // The last, since from here on roles are no mere names.
  it('are refused where their role is not there or trusts somebody else', async () => {
    const iam = new IAM({ endpoint: platform.endpoint, region, credentials: platform.root, maxAttempts: 1 });
    const trust = (Service: string) =>
      JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service }, Action: 'sts:AssumeRole' }] });
    await iam.createRole({ RoleName: 'good', AssumeRolePolicyDocument: trust('scheduler.amazonaws.com') });
    await iam.createRole({ RoleName: 'tasks', AssumeRolePolicyDocument: trust('ecs-tasks.amazonaws.com') });
    const wish = (role: string) => ({
      Name: 'roles',
      ScheduleExpression: 'cron(0 3 * * ? *)',
      FlexibleTimeWindow: off,
      Target: { ...job, RoleArn: `arn:aws:iam::${account}:role/${role}` },
    });
    const refused = {
      name: 'ValidationException',
      message: 'The execution role you provide must allow AWS EventBridge Scheduler to assume the role.',
    };
    for (const role of ['tasks', 'none']) await assert.rejects(scheduler.createSchedule(wish(role)), refused);
    await scheduler.createSchedule(wish('good'));
    await assert.rejects(scheduler.updateSchedule(wish('tasks')), refused);
    assert.equal((await scheduler.getSchedule({ Name: 'roles' })).Target?.RoleArn, wish('good').Target.RoleArn);
    iam.destroy();
  });
});
