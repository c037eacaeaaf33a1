import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BalancerMetrics } from '#balancer/types.ts';
import type { ListenerRecord, LoadBalancerRecord, TargetGroupRecord } from '#domain/load-balancer.ts';
import { newTaskObserved } from '#domain/task.ts';
import type { TaskRecord } from '#domain/task.ts';
import { statistic } from '#metrics/index.ts';
import type { Sample } from '#metrics/types.ts';
import { taskDesired, taskKey } from '../../../test/conformance/store.ts';
import { balancerMetrics } from './balancer-metrics.ts';
import { gather } from './gathered.ts';
import { taskMetrics } from './task-metrics.ts';
import type { Insights, TaskLook } from './task-metrics.ts';

const AT = 1_700_000_000_000;
const MIB = 1024 ** 2;

/** `Namespace/Name{values of dimensions}` -> count, sum, min, max. */
const shown = (samples: readonly Sample[]) =>
  Object.fromEntries(
    samples.map(({ series, values }) => [
      `${series.namespace}/${series.name}{${Object.values(series.dimensions).join(',')}}`,
      [values.count, values.sum, values.min, values.max],
    ]),
  );

describe('what tasks use', () => {
  const look = (id: string, cores: number, insights: Insights = 'disabled', service: string | null = 'web'): TaskLook => {
    const desired = taskDesired();
    desired.spec.cpuMillis = 500;
    desired.spec.memoryBytes = 1024 * MIB;
    desired.service = service === null ? null : { name: service, revisionId: 'r', taskSetId: null };
    const task: TaskRecord = {
      key: { ...taskKey(id), cluster: 'c' },
      revision: 1,
      desired,
      placement: null,
      observed: newTaskObserved(desired.spec),
    };
    const stats = (seconds: number) => ({
      readAtMs: AT + seconds * 1000,
      containers: [{ name: 'app', cpuNs: seconds * cores * 1e9, memoryBytes: 200 * MIB }],
      task: { cpuNs: seconds * cores * 1e9, memoryBytes: 256 * MIB },
      network: { rxBytes: seconds * 1000, txBytes: 0 },
      disk: { usedBytes: 1024 ** 3 / 2, readBytes: seconds * 10, writtenBytes: seconds * 20 },
    });
    return { task, insights, stats: stats(60), before: stats(0) };
  };
  const told = (looks: TaskLook[]) => {
    const gathered = gather();
    taskMetrics(gathered, looks);
    return shown(gathered.samples(AT));
  };

  it('is told for a service as the share of its tasks’ sizes', () => {
    assert.deepEqual(told([look('1', 0.25), look('2', 0.5), look('3', 0.1, 'disabled', null)]), {
      'AWS/ECS/CPUUtilization{c,web}': [2, 150, 50, 100],
      'AWS/ECS/MemoryUtilization{c,web}': [2, 50, 25, 25],
    });
  });

  it('tells no rate of a task that is seen for the first time', () => {
    assert.deepEqual(told([{ ...look('1', 0.25), before: undefined }]), { 'AWS/ECS/MemoryUtilization{c,web}': [1, 25, 25, 25] });
  });

  it('is told by cluster, family and service with Container Insights, and by container with enhanced ones', () => {
    const enabled = told([look('1', 0.25, 'enabled'), look('2', 0.125, 'enabled', null)]);
    assert.deepEqual(enabled['ECS/ContainerInsights/CpuUtilized{c}'], [2, 384, 128, 256]);
    assert.deepEqual(enabled['ECS/ContainerInsights/CpuUtilized{c,web}'], [1, 256, 256, 256]);
    assert.deepEqual(enabled['ECS/ContainerInsights/NetworkRxBytes{c}'], [2, 2000, 1000, 1000]);
    assert.deepEqual(enabled['ECS/ContainerInsights/MemoryReserved{c,web}'], [1, 1024, 1024, 1024]);
    assert.ok(!Object.keys(enabled).some((name) => name.includes('/Container') && name.includes('app')));
    const [enhanced, family] = [told([look('1', 0.25, 'enhanced')]), taskDesired().family];
    assert.deepEqual(enhanced[`ECS/ContainerInsights/ContainerMemoryUtilized{c,${family},${taskKey('1').id},app}`], [1, 200, 200, 200]);
    assert.deepEqual(enhanced[`ECS/ContainerInsights/TaskCpuUtilization{c,${family},${taskKey('1').id}}`], [1, 50, 50, 50]);
    assert.deepEqual(enhanced['ECS/ContainerInsights/TaskCpuUtilization{c}'], [1, 50, 50, 50]);
    assert.deepEqual(enhanced[`ECS/ContainerInsights/NetworkRxBytes{c,${family},${taskKey('1').id}}`], [1, 1000, 1000, 1000]);
    // The container asked for nothing of its own: it may have what the task has.
    assert.deepEqual(enhanced[`ECS/ContainerInsights/ContainerMemoryReserved{c,${family},${taskKey('1').id},app}`], [1, 1024, 1024, 1024]);
    assert.deepEqual(enhanced[`ECS/ContainerInsights/ContainerCpuUtilization{c,${family},${taskKey('1').id},app}`], [1, 50, 50, 50]);
  });

  it('tells what a task has on its disk, and what went through it since the look before', () => {
    const all = told([look('1', 0.25, 'enabled'), look('2', 0.25, 'enabled')]);
    assert.deepEqual(all['ECS/ContainerInsights/EphemeralStorageUtilized{c,web}'], [2, 1, 0.5, 0.5]);
    assert.deepEqual(all['ECS/ContainerInsights/EphemeralStorageReserved{c,web}'], [2, 42, 21, 21]);
    assert.deepEqual(all['ECS/ContainerInsights/StorageReadBytes{c,web}'], [2, 1200, 600, 600]);
    assert.deepEqual(all['ECS/ContainerInsights/StorageWriteBytes{c}'], [2, 2400, 1200, 1200]);
    const first = told([{ ...look('1', 0.25, 'enabled'), before: undefined }]);
    assert.equal(first['ECS/ContainerInsights/StorageReadBytes{c}'], undefined);
    assert.deepEqual(first['ECS/ContainerInsights/EphemeralStorageUtilized{c}'], [1, 0.5, 0.5, 0.5]);
  });
});

describe('what load balancers count', () => {
  const scope = { account: '123456789012', region: 'us-east-1' };
  const lb = { key: { ...scope, name: 'front' }, desired: { id: 'aaaa', type: 'application' } } as LoadBalancerRecord;
  const listener = { key: { ...scope, loadBalancer: 'front', id: 'bbbb' }, desired: { loadBalancerId: 'aaaa' } } as ListenerRecord;
  const group = { key: { ...scope, name: 'web' }, desired: { id: 'cccc' } } as TargetGroupRecord;
  const arn = 'arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/cccc';
  const counters = (requests: number, answered: number) => ({
    requests,
    responses: { '1xx': 0, '2xx': answered, '3xx': 0, '4xx': 0, '5xx': requests - answered, other: 0 },
    connections: requests,
    bytesIn: requests * 10,
    bytesOut: requests * 90,
    connectionErrors: 0,
    responseErrors: 0,
    activeConnections: 3,
  });
  /** Five of each hundred requests find no target. */
  const seen = (requests: number): BalancerMetrics => ({
    at: AT,
    listeners: [{ id: 'bbbb', ...counters(requests, requests * 0.95) }],
    groups: [
      {
        id: 'cccc',
        ...counters(requests * 0.95, requests * 0.95),
        healthy: 2,
        unhealthy: 1,
        responseMs: { mean: 20, longest: [], sum: requests * 0.95 * 10 },
      },
    ],
  });

  it('is told as what was added since the look before', () => {
    const gathered = gather();
    const records = { loadBalancers: [lb], listeners: [listener], targetGroups: [group], users: new Map([[arn, [lb]]]) };
    const times = balancerMetrics(gathered, records, seen(300), seen(100));
    const all = shown([...gathered.samples(AT), ...times]);
    const one = (name: string, dimensions: string) => all[`AWS/ApplicationELB/${name}{${dimensions}}`];
    const [balancer, both] = ['app/front/aaaa', 'app/front/aaaa,targetgroup/web/cccc'];
    assert.deepEqual(one('RequestCount', balancer), [1, 200, 200, 200]);
    assert.deepEqual(one('HTTPCode_Target_2XX_Count', balancer), [1, 190, 190, 190]);
    assert.deepEqual(one('HTTPCode_Target_5XX_Count', balancer), [1, 0, 0, 0]);
    assert.deepEqual(one('HTTPCode_ELB_5XX_Count', balancer), [1, 10, 10, 10]);
    assert.deepEqual(one('ActiveConnectionCount', balancer), [1, 3, 3, 3]);
    assert.deepEqual(one('ProcessedBytes', balancer), [1, 20_000, 20_000, 20_000]);
    assert.deepEqual(one('HealthyHostCount', both), [1, 2, 2, 2]);
    assert.deepEqual(one('UnHealthyHostCount', both), [1, 1, 1, 1]);
    assert.deepEqual(one('RequestCountPerTarget', 'targetgroup/web/cccc'), [1, 95, 95, 95]);
    assert.deepEqual(one('TargetResponseTime', balancer), [190, 1.9, 0.01, 0.02]);
  });

  it('tells the longest answer since the look before', () => {
    const records = { loadBalancers: [lb], listeners: [listener], targetGroups: [group], users: new Map([[arn, [lb]]]) };
    const longest = [[-70_000, 5000], [-59_000, 700], [-1000, 1500], [0, 40]].map(([ago = 0, ms = 0]) => ({ at: AT + ago, ms })); // prettier-ignore
    const all = seen(300);
    const now = { ...all, groups: all.groups.map((one) => ({ ...one, responseMs: { ...one.responseMs, longest } })) };
    const values = (before: BalancerMetrics | undefined) => balancerMetrics(gather(), records, now, before)[0]?.values;
    assert.deepEqual([values({ ...seen(100), at: AT - 60_000 })?.max, values({ ...seen(100), at: AT - 500 })?.max], [1.5, 0.04]);
    // Nothing was seen since: no more than means say.
    assert.equal(values({ ...seen(100), at: AT })?.max, 0.02);
    assert.equal(values(undefined)?.max, 0.02);
  });

  it('tells each response time, its extremes and percentiles, where there is an access log', () => {
    const records = { loadBalancers: [lb], listeners: [listener], targetGroups: [group], users: new Map([[arn, [lb]]]) };
    const answers = new Map([['cccc', new Map(Array.from({ length: 100 }, (_, ms) => [ms + 1, 2] as const))]]);
    const [ofBalancer, ofGroup] = balancerMetrics(gather(), records, seen(300), seen(100), answers);
    assert.deepEqual(ofBalancer?.values, ofGroup?.values);
    const { values } = ofBalancer ?? assert.fail();
    assert.deepEqual([values.count, values.min, values.max], [200, 0.001, 0.1]);
    const near = (name: string, wanted: number) => {
      const got = statistic(values, name) ?? NaN;
      assert.ok(Math.abs(got - wanted) <= wanted * 0.026, `${name} is ${got}`);
    };
    for (const [name, wanted] of [['p50', 0.05], ['p90', 0.09], ['p95', 0.095], ['p99', 0.099], ['Average', 0.0505]] as const) near(name, wanted); // prettier-ignore
    assert.deepEqual(balancerMetrics(gather(), records, seen(300), seen(100), new Map())[0]?.values.bins, undefined);
  });

  it('tells nothing of a group that no load balancer leads to', () => {
    const gathered = gather();
    balancerMetrics(gathered, { loadBalancers: [], listeners: [], targetGroups: [group], users: new Map() }, seen(10), undefined);
    assert.deepEqual(gathered.samples(AT), []);
  });
});
