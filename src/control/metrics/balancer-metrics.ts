/**
 * What load balancers counted since the look before, in the names of AWS. Pure. Source: ELB user guides, "CloudWatch metrics for your Application Load
 * Balancer" and "... Network Load Balancer". Of a load balancer with an access log each response time is known, and so are their percentiles and extremes; of others HAProxy
 * tells means and the longest: Minimum of TargetResponseTime is that of means then, and it has no percentiles.
 */
import type { BalancerMetrics, TrafficCounters } from '#balancer/types.ts';
import { loadBalancerArn, targetGroupArn } from '#domain/load-balancer.ts';
import type { ListenerRecord, LoadBalancerRecord, TargetGroupRecord } from '#domain/load-balancer.ts';
import { statisticSet } from '#metrics/index.ts';
import type { Sample, StatisticSet } from '#metrics/types.ts';
import type { Gathered } from './gathered.ts';

export type BalancerRecords = {
  loadBalancers: LoadBalancerRecord[];
  listeners: ListenerRecord[];
  targetGroups: TargetGroupRecord[];
  /** By target group's ARN. */
  users: ReadonlyMap<string, LoadBalancerRecord[]>;
};

/** By group: ms -> how often (`Balancer.takeAnswerTimes`). */
type AnswerTimes = ReadonlyMap<string, ReadonlyMap<number, number>>;
type Group = BalancerMetrics['groups'][number];

export function balancerMetrics(
  gathered: Gathered,
  records: BalancerRecords,
  now: BalancerMetrics,
  before: BalancerMetrics | undefined,
  answers: AnswerTimes = new Map(),
): Sample[] {
  const groups = records.targetGroups.flatMap((record) => {
    const counted = now.groups.find(({ id }) => id === record.desired.id);
    const [loadBalancer] = records.users.get(targetGroupArn(record)) ?? [];
    if (counted === undefined || loadBalancer === undefined) return [];
    return [
      {
        record,
        loadBalancer,
        counted,
        grown: grown(
          counted,
          before?.groups.find(({ id }) => id === counted.id),
        ),
      },
    ];
  });
  for (const loadBalancer of records.loadBalancers) {
    const own = records.listeners.filter(({ desired }) => desired.loadBalancerId === loadBalancer.desired.id).map(({ key }) => key.id);
    const counted = now.listeners.filter(({ id }) => own.includes(id));
    if (counted.length === 0) continue;
    const growths = counted.map((one) =>
      grown(
        one,
        before?.listeners.find(({ id }) => id === one.id),
      ),
    );
    const active = counted.reduce((sum, one) => sum + one.activeConnections, 0);
    const answered = groups.filter((one) => one.loadBalancer === loadBalancer).map((one) => one.grown);
    ofLoadBalancer(gathered, loadBalancer, growths, active, answered);
  }
  for (const group of groups) ofGroup(gathered, group);
  return groups.flatMap((group) => responseTimes(group, before, now.at, answers.get(group.counted.id)));
}

function grown(now: TrafficCounters, before: TrafficCounters | undefined): TrafficCounters {
  const less = (counter: Exclude<keyof TrafficCounters, 'responses'>) => Math.max(0, now[counter] - (before?.[counter] ?? 0));
  const responses = Object.entries(now.responses).map(([name, count]) => [
    name,
    Math.max(0, count - (before?.responses[name as keyof TrafficCounters['responses']] ?? 0)),
  ]);
  return {
    requests: less('requests'),
    responses: Object.fromEntries(responses) as TrafficCounters['responses'],
    connections: less('connections'),
    bytesIn: less('bytesIn'),
    bytesOut: less('bytesOut'),
    connectionErrors: less('connectionErrors'),
    responseErrors: less('responseErrors'),
  };
}

const sumOf = (all: readonly TrafficCounters[], of: (one: TrafficCounters) => number) => all.reduce((sum, one) => sum + of(one), 0);
const CLASSES = ['2xx', '3xx', '4xx', '5xx'] as const;
/** `app/NAME/ID`, `targetgroup/NAME/ID`: what stands behind the last colon of an ARN, as these dimensions have it. */
const balancerName = (lb: LoadBalancerRecord) => loadBalancerArn(lb).split(':loadbalancer/').at(-1) ?? '';
const groupName = (group: TargetGroupRecord) => targetGroupArn(group).split(':').at(-1) ?? '';
const isNetwork = (lb: LoadBalancerRecord) => lb.desired.type === 'network';

function ofLoadBalancer(
  gathered: Gathered,
  lb: LoadBalancerRecord,
  growths: readonly TrafficCounters[],
  active: number,
  answered: readonly TrafficCounters[],
): void {
  const dimensions = { LoadBalancer: balancerName(lb) };
  const bytes = sumOf(growths, (one) => one.bytesIn + one.bytesOut);
  const connections = sumOf(growths, (one) => one.connections);
  if (isNetwork(lb)) {
    const add = (name: string, unit: string, value: number) => gathered.add(lb.key, 'AWS/NetworkELB', dimensions, name, unit, value);
    add('ActiveFlowCount', 'Count', active);
    add('NewFlowCount', 'Count', connections);
    add('ProcessedBytes', 'Bytes', bytes);
    return;
  }
  const add = (name: string, unit: string, value: number) => gathered.add(lb.key, 'AWS/ApplicationELB', dimensions, name, unit, value);
  add('ActiveConnectionCount', 'Count', active);
  add('NewConnectionCount', 'Count', connections);
  add('ProcessedBytes', 'Bytes', bytes);
  add(
    'RequestCount',
    'Count',
    sumOf(growths, (one) => one.requests),
  );
  for (const name of CLASSES) {
    const fromTargets = sumOf(answered, (one) => one.responses[name]);
    const digit = name[0];
    add(`HTTPCode_Target_${digit}XX_Count`, 'Count', fromTargets);
    // What no target said, the load balancer said.
    if (name !== '2xx')
      add(`HTTPCode_ELB_${digit}XX_Count`, 'Count', Math.max(0, sumOf(growths, (one) => one.responses[name]) - fromTargets));
  }
}

type GroupGrowth = { record: TargetGroupRecord; loadBalancer: LoadBalancerRecord; counted: Group; grown: TrafficCounters };

function ofGroup(gathered: Gathered, { record, loadBalancer, counted, grown: growth }: GroupGrowth): void {
  const both = { LoadBalancer: balancerName(loadBalancer), TargetGroup: groupName(record) };
  const namespace = isNetwork(loadBalancer) ? 'AWS/NetworkELB' : 'AWS/ApplicationELB';
  const add = (name: string, unit: string, value: number) => gathered.add(record.key, namespace, both, name, unit, value);
  add('HealthyHostCount', 'Count', counted.healthy);
  add('UnHealthyHostCount', 'Count', counted.unhealthy);
  if (isNetwork(loadBalancer)) return;
  add('RequestCount', 'Count', growth.requests);
  add('TargetConnectionErrorCount', 'Count', growth.connectionErrors);
  for (const name of CLASSES) add(`HTTPCode_Target_${name[0]}XX_Count`, 'Count', growth.responses[name]);
  // Target tracking scales by it: requests of each target that could take some.
  const perTarget = counted.healthy > 0 ? growth.requests / counted.healthy : 0;
  gathered.add(record.key, namespace, both, 'RequestCountPerTarget', 'None', perTarget);
  gathered.add(record.key, namespace, { TargetGroup: groupName(record) }, 'RequestCountPerTarget', 'None', perTarget);
}

function responseTimes(
  { record, loadBalancer, counted, grown: growth }: GroupGrowth,
  before: BalancerMetrics | undefined,
  at: number,
  answers: ReadonlyMap<number, number> | undefined,
): Sample[] {
  const values = isNetwork(loadBalancer) ? undefined : answers === undefined ? ofMeans(counted, growth, before) : ofEach(answers);
  if (values === undefined) return [];
  const { account, region } = record.key;
  const series = { account, region, namespace: 'AWS/ApplicationELB', name: 'TargetResponseTime', unit: 'Seconds' };
  const both = { LoadBalancer: balancerName(loadBalancer), TargetGroup: groupName(record) };
  return [{ LoadBalancer: both.LoadBalancer }, both].map((dimensions) => ({ series: { ...series, dimensions }, at, values }));
}

const ofEach = (answers: ReadonlyMap<number, number>) => statisticSet([...answers].map(([ms, times]) => [ms / 1000, times] as const));

function ofMeans(counted: Group, { requests: count }: TrafficCounters, before: BalancerMetrics | undefined): StatisticSet | undefined {
  const sum = (counted.responseMs.sum - (before?.groups.find(({ id }) => id === counted.id)?.responseMs.sum ?? 0)) / 1000;
  if (count === 0 || sum < 0) return undefined;
  const [mean, latest] = [sum / count, counted.responseMs.mean / 1000];
  const longest =
    Math.max(0, ...counted.responseMs.longest.filter(({ at }) => before !== undefined && at > before.at).map(({ ms }) => ms)) / 1000;
  return { count, sum, min: Math.min(mean, latest), max: longest > 0 ? Math.max(mean, longest) : Math.max(mean, latest) };
}
