/** Composite alarms through the stock SDK: what is put is read back, what AWS refuses is refused in its words. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CloudWatch } from '@aws-sdk/client-cloudwatch';
import type { CompositeAlarm, DescribeAlarmsInput, PutCompositeAlarmInput } from '@aws-sdk/client-cloudwatch';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { startAlarmsLoop } from '#control/alarms-loop.ts';
import type { Loop } from '#control/loop.ts';
import { authorizeRoot, createGateway, openKeys } from '#gateway/index.ts';
import type { Gateway } from '#gateway/index.ts';
import type { CallContext } from '#gateway/types.ts';
import { openMetrics } from '#metrics/index.ts';
import type { Metrics } from '#metrics/types.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { cloudWatchAccess } from './access.ts';
import { createCloudWatchApis } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-composite-'));
const deps = { clock: realClock(), random: realRandom(), log: silentLog };
const keys = openKeys(deps, { path: join(folder, 'keys.json'), account: '123456789012' });
const arn = (name: string) => `arn:aws:cloudwatch:us-east-1:123456789012:alarm:${name}`;
let gateway: Gateway;
let metrics: Metrics;
let store: Store;
let alarms: Loop;
let cloudwatch: CloudWatch;

before(async () => {
  metrics = openMetrics(deps, { path: join(folder, 'metrics.db') });
  store = await createSqliteStore({ path: ':memory:' });
  alarms = startAlarmsLoop({ store, metrics, ...deps }, 'test');
  store.onChange(['alarms'], () => alarms.look());
  const apis = createCloudWatchApis({ metrics, ...deps, intent: { store, ...deps } });
  gateway = createGateway({ ...deps, apis, keys, authorize: authorizeRoot, version: 'test' });
  const port = await gateway.listen({ host: '127.0.0.1', port: 0 });
  cloudwatch = new CloudWatch({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', maxAttempts: 1, credentials: keys.root });
  for (const name of ['cpu', 'disk']) await putMetric(name);
});

after(async () => {
  cloudwatch.destroy();
  await gateway.close();
  await alarms.stop();
  await store.close();
  await metrics.close();
  rmSync(folder, { recursive: true, force: true });
});

const putMetric = (AlarmName: string) =>
  cloudwatch.putMetricAlarm({ AlarmName, Namespace: 'N', MetricName: AlarmName, Statistic: 'Sum', Period: 60, EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: 'GreaterThanThreshold', TreatMissingData: 'ignore' }); // prettier-ignore
const CompositeAlarms = ['CompositeAlarm'] as const;
const one = async (name: string): Promise<CompositeAlarm | undefined> =>
  (await cloudwatch.describeAlarms({ AlarmNames: [name], AlarmTypes: [...CompositeAlarms] })).CompositeAlarms?.[0];
async function inState(name: string, state: string): Promise<CompositeAlarm> {
  for (let tries = 0; tries < 600; tries++) {
    const alarm = await one(name);
    if (alarm?.StateValue === state) return alarm;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${name} never was ${state}: ${JSON.stringify(await one(name))}`);
}
const setState = (AlarmName: string, StateValue: 'OK' | 'ALARM') =>
  cloudwatch.setAlarmState({ AlarmName, StateValue, StateReason: 'a test' });
const namesOf = (alarmsOf: readonly { AlarmName?: string | undefined }[] | undefined) => alarmsOf?.map(({ AlarmName }) => AlarmName);

describe('composite alarms', () => {
  const plain = {
    AlarmName: 'both',
    AlarmDescription: 'all is lost',
    AlarmRule: `ALARM(cpu) AND ALARM("${arn('disk')}")`,
    ActionsEnabled: true,
    AlarmActions: ['arn:aws:logs:us-east-1:123456789012:log-group:/alarms'],
    OKActions: [],
    InsufficientDataActions: [],
    Tags: [{ Key: 'team', Value: 'web' }],
  } satisfies PutCompositeAlarmInput;

  it('ring as their rule says, are read back as they were put, and tell their relatives', async () => {
    await cloudwatch.putCompositeAlarm(plain);
    assert.equal((await inState('both', 'OK')).StateReason, `${arn('both')} was created and its alarm rule evaluates to OK`);
    await setState('cpu', 'ALARM');
    await setState('disk', 'ALARM');
    const alarm = await inState('both', 'ALARM');
    const { Tags: Tags_, ...put } = plain;
    assert.deepEqual({ ...alarm, ...put }, alarm);
    assert.match(
      alarm.StateReason ?? '',
      new RegExp(`^${arn('disk')} transitioned to ALARM at \\w+day \\d\\d \\w+, \\d{4} [\\d:]{8} UTC$`),
    );
    assert.equal(JSON.parse(alarm.StateReasonData ?? '').triggeringAlarms[0].state.value, 'ALARM');
    assert.deepEqual((await cloudwatch.listTagsForResource({ ResourceARN: arn('both') })).Tags, Tags_);
    const children = await cloudwatch.describeAlarms({ ChildrenOfAlarmName: 'both' });
    assert.deepEqual([namesOf(children.MetricAlarms), namesOf(children.CompositeAlarms)], [['cpu', 'disk'], []]);
    assert.deepEqual(Object.keys(children.MetricAlarms?.[0] ?? {}).sort(), ['AlarmArn', 'AlarmName', 'StateUpdatedTimestamp', 'StateValue']); // prettier-ignore
    const parents = await cloudwatch.describeAlarms({ ParentsOfAlarmName: 'disk' });
    assert.deepEqual([parents.MetricAlarms, parents.CompositeAlarms], [[], [{ AlarmName: 'both', AlarmArn: arn('both') }]]);
  });

  it('are told where their type is asked for', async () => {
    const told = async (AlarmTypes?: ('MetricAlarm' | 'CompositeAlarm')[]) => {
      const { MetricAlarms, CompositeAlarms: composites } = await cloudwatch.describeAlarms({ ...(AlarmTypes && { AlarmTypes }) });
      const { AlarmHistoryItems = [] } = await cloudwatch.describeAlarmHistory({ ...(AlarmTypes && { AlarmTypes }) });
      return [namesOf(MetricAlarms), namesOf(composites), [...new Set(AlarmHistoryItems.map(({ AlarmType }) => AlarmType))].sort()];
    };
    assert.deepEqual(await told(), [['cpu', 'disk'], [], ['MetricAlarm']]);
    assert.deepEqual(await told(['CompositeAlarm']), [[], ['both'], ['CompositeAlarm']]);
    assert.deepEqual(await told(['MetricAlarm', 'CompositeAlarm']), [['cpu', 'disk'], ['both'], ['CompositeAlarm', 'MetricAlarm']]);
    await assert.rejects(cloudwatch.describeAlarms({ ChildrenOfAlarmName: 'both', AlarmTypes: ['MetricAlarm'] }), { name: 'ValidationException', message: /beside ChildrenOfAlarmName/ }); // prettier-ignore
  });

  it('have their actions switched, and are set by hand', async () => {
    await cloudwatch.disableAlarmActions({ AlarmNames: ['both'] });
    assert.equal((await one('both'))?.ActionsEnabled, false);
    await cloudwatch.enableAlarmActions({ AlarmNames: ['both'] });
    await setState('both', 'OK');
    await inState('both', 'OK');
  });

  it('hold their children, and go one at a time', async () => {
    await cloudwatch.putCompositeAlarm({ AlarmName: 'above', AlarmRule: 'OK(both)' });
    const refused = async (AlarmNames: string[], message: RegExp) =>
      await assert.rejects(cloudwatch.deleteAlarms({ AlarmNames }), { name: 'ValidationException', message });
    await refused(['cpu'], /^Cannot delete cpu as there are composite alarm\(s\) depending on it\.$/);
    await refused(['cpu', 'disk'], /^Cannot delete cpu,disk as there are composite alarm\(s\) depending on them\.$/);
    await refused(['both'], /^Cannot delete both/);
    await refused(['above', 'both'], /^Only one composite alarm/);
    await cloudwatch.deleteAlarms({ AlarmNames: ['above'] });
    await cloudwatch.deleteAlarms({ AlarmNames: ['both', 'disk'] });
    assert.equal(await one('both'), undefined);
  });

  const wrong: [input: Partial<PutCompositeAlarmInput>, name: string, message: RegExp][] = [
    [{ AlarmRule: '()' }, 'ValidationException', /^Error in AlarmRule \[Unsupported token '\)' at char 1/],
    [{ AlarmRule: 'ALARM(absent) OR OK(gone)' }, 'ValidationException', /^Could not save the composite alarm as alarms \[absent, gone\] in the alarm rule do not exist$/],
    [{ AlarmRule: 'ALARM("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:cpu")' }, 'ValidationException', /eu-west-1.* do not exist$/],
    [{ AlarmRule: '' }, 'MissingRequiredParameterException', /AlarmRule is required/],
    [{ AlarmActions: ['pager'] }, 'InvalidParameterValueException', /Invalid arn syntax: pager/],
    [{ AlarmName: 'cpu' }, 'ValidationException', /is a metric alarm/],
    [{ ActionsSuppressor: 'cpu' }, 'ValidationException', /does not implement ActionsSuppressor /],
    [{ ActionsSuppressorWaitPeriod: 1 }, 'ValidationException', /does not implement ActionsSuppressorWaitPeriod /],
    [{ ActionsSuppressorExtensionPeriod: 1 }, 'ValidationException', /does not implement ActionsSuppressorExtensionPeriod /],
  ]; // prettier-ignore
  for (const [change, name, message] of wrong) {
    it(`are refused with ${JSON.stringify(change).slice(0, 60)}`, async () => {
      await assert.rejects(cloudwatch.putCompositeAlarm({ AlarmName: 'wrong', AlarmRule: 'ALARM(cpu)', ...change }), { name, message });
      assert.equal(await one('wrong'), undefined);
    });
  }

  it('are told to those alone who may describe all alarms', () => {
    const { resources } = cloudWatchAccess({ intent: { store, ...deps } }).rows['DescribeAlarms'] ?? assert.fail();
    const asked = (input: DescribeAlarmsInput) => resources(input, { account: '123456789012', region: 'us-east-1' } as CallContext);
    assert.deepEqual(asked({ AlarmNames: ['a'] }), [arn('a')]);
    for (const input of [
      { AlarmNames: ['a'], AlarmTypes: ['MetricAlarm', 'CompositeAlarm'] },
      { ChildrenOfAlarmName: 'a' },
      { ParentsOfAlarmName: 'a' },
    ] satisfies DescribeAlarmsInput[])
      // prettier-ignore
      assert.deepEqual(asked(input), [arn('*')]);
  });

  it('are no metric alarms', async () => {
    await cloudwatch.putCompositeAlarm({ AlarmName: 'kind', AlarmRule: 'TRUE' });
    await assert.rejects(putMetric('kind'), { name: 'ValidationException', message: /is a composite alarm/ });
  });
});
