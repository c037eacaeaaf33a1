/** Once a minute: what tasks use and load balancers counted goes to the metrics. What a host doesn't tell in time is missing in that minute. */
import type { Balancer, BalancerMetrics } from '#balancer/types.ts';
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { ClusterRecord } from '#domain/records.ts';
import { usersOfGroups } from '#domain/target-group-users.ts';
import type { TaskRecord } from '#domain/task.ts';
import { hostOps } from '#link/operations.ts';
import type { Metrics } from '#metrics/types.ts';
import type { ReadTx, Store } from '#store/types.ts';
import { startLoop } from '../loop.ts';
import type { Loop } from '../loop.ts';
import type { HostCalls } from '../types.ts';
import { balancerMetrics } from './balancer-metrics.ts';
import { gather } from './gathered.ts';
import type { Gathered } from './gathered.ts';
import { countMetrics, insightsOf, isTold, taskMetrics } from './task-metrics.ts';
import type { TaskLook, TaskStats } from './task-metrics.ts';

const MINUTE_MS = 60_000;
/** Late enough in its minute that what is asked for is of this minute, whatever hosts take. */
const AFTER_MS = 45_000;
const ASKED_AT_ONCE = 16;

export type MetricsLoopDeps = { store: Store; clock: Clock; log: Log; hosts: HostCalls; balancer: Balancer; metrics: Metrics };

export function startMetricsLoop(deps: MetricsLoopDeps): Loop {
  const { clock, store, balancer, metrics } = deps;
  let told = new Map<string, TaskStats>();
  let counted: BalancerMetrics | undefined;
  let first = true;
  return startLoop(deps, {
    name: 'metrics',
    tickMs: () => untilNext(clock.now()),
    async run() {
      // The control plane has just begun: its hosts aren't there yet.
      if (first) {
        first = false;
        return;
      }
      const gathered = gather();
      const { tasks, clusters } = await store.read(async (tx) => ({
        tasks: await tx.tasks.list({ status: ['RUNNING'] }),
        clusters: await tx.clusters.list({}),
      }));
      const looks = await askHosts(deps, tasks, clusters, told);
      told = new Map(looks.map(({ task, stats }) => [task.key.id, stats]));
      taskMetrics(gathered, looks);
      await store.read((tx) => countAll(tx, gathered, clusters));
      const seen = balancer.metrics();
      const answers = balancer.takeAnswerTimes?.();
      const times = await store.read((tx) => ofBalancers(tx, gathered, seen, counted, answers));
      counted = seen;
      const samples = [...gathered.samples(clock.now()), ...times];
      if (samples.length > 0) await metrics.put(samples);
    },
  });
}

function untilNext(now: number): number {
  const wait = AFTER_MS - (now % MINUTE_MS);
  return wait > 0 ? wait : wait + MINUTE_MS;
}

async function askHosts(
  { hosts }: MetricsLoopDeps,
  tasks: readonly TaskRecord[],
  clusters: readonly ClusterRecord[],
  told: ReadonlyMap<string, TaskStats>,
): Promise<TaskLook[]> {
  const settings = new Map(clusters.map((cluster) => [clusterId(cluster.key), insightsOf(cluster)]));
  const wanted = tasks.flatMap((task) => {
    const insights = settings.get(clusterId({ ...task.key, name: task.key.cluster })) ?? 'disabled';
    return task.placement !== null && isTold(task, insights) ? [{ task, insights, hostId: task.placement.hostId }] : [];
  });
  const looks: TaskLook[] = [];
  const next = wanted.values();
  const worker = async () => {
    for (const { task, insights, hostId } of next) {
      const asked = hosts.request(hostId, hostOps.taskStats, { taskId: task.key.id }, { timeoutMs: limits.taskUsageMs });
      // One that is ending, or whose host is away, says nothing this time.
      const stats = await asked.catch(() => undefined);
      if (stats !== undefined) looks.push({ task, insights, stats: stats as TaskStats, before: told.get(task.key.id) });
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, worker));
  return looks;
}

const clusterId = ({ account, region, name }: { account: string; region: string; name: string }) => JSON.stringify([account, region, name]);

async function countAll(tx: ReadTx, gathered: Gathered, clusters: readonly ClusterRecord[]): Promise<void> {
  for (const cluster of clusters) {
    if (cluster.status !== 'ACTIVE' || insightsOf(cluster) === 'disabled') continue;
    const { account, region, name } = cluster.key;
    const services = [];
    for (const service of await tx.services.list({ account, region, cluster: name })) {
      if (service.observed.status === 'INACTIVE') continue;
      const counts = await tx.tasks.serviceCounts(service.key);
      const sumOf = (statuses: readonly string[]) =>
        counts.filter(({ status }) => statuses.includes(status)).reduce((sum, { count }) => sum + count, 0);
      const deployments = new Set(counts.map(({ revisionId }) => revisionId)).size;
      const taskSets = (await tx.taskSets.list(service.key)).length;
      services.push({
        service,
        running: sumOf(['RUNNING']),
        pending: sumOf(['PROVISIONING', 'PENDING', 'ACTIVATING']),
        deployments,
        taskSets,
      });
    }
    const tasks = await tx.tasks.count({ account, region, cluster: name, live: true });
    countMetrics(gathered, cluster, services, tasks);
  }
}

type AnswerTimes = ReturnType<NonNullable<Balancer['takeAnswerTimes']>>;

async function ofBalancers(
  tx: ReadTx,
  gathered: Gathered,
  seen: BalancerMetrics,
  before: BalancerMetrics | undefined,
  answers: AnswerTimes | undefined,
) {
  const [loadBalancers, listeners] = [await tx.loadBalancers.list({}), await tx.listeners.list({})];
  const users = usersOfGroups({ loadBalancers, listeners, rules: await tx.listenerRules.list({}) });
  const targetGroups = await tx.targetGroups.list({});
  return balancerMetrics(gathered, { loadBalancers, listeners, targetGroups, users }, seen, before, answers);
}
