/**
 * GET /metrics, for Prometheus and whoever reads its format: what runs in the caller's account, in all regions, and how the platform does. The action that a
 * caller needs is `berth:GetMetrics`. Scrapes that come at once share one look.
 */
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { Meters } from '#base/meters.ts';
import type { TaskRecord } from '#domain/task.ts';
import type { HttpRoute } from '#gateway/types.ts';
import { hostOps } from '#link/operations.ts';
import type { Metrics } from '#metrics/types.ts';
import type { Store } from '#store/types.ts';
import type { HostAccess } from '../berth/types.ts';
import { callerOf } from './credentials.ts';
import { contentTypes, formatOf, openBook, render } from './exposition.ts';
import type { Book, Family } from './exposition.ts';
import { meterFamilies, processFamilies } from './own-families.ts';
import { balancerFamilies, hostFamilies, serviceFamilies } from './platform-families.ts';
import type { TrafficNow } from './platform-families.ts';
import { taskFamilies } from './task-families.ts';
import type { TaskStats } from './task-families.ts';

export type PrometheusDeps = {
  store: Store;
  hosts: Pick<HostAccess, 'request'>;
  clock: Clock;
  meters: Meters;
  metrics: Pick<Metrics, 'bytes'>;
  traffic(): TrafficNow;
  version: string;
};

const PATH = '/metrics';
const ASKED_AT_ONCE = 16;
/** Whose keys are asked about: identity is the same in all regions. */
const REGION = 'us-east-1';

export function createPrometheusRoute(deps: PrometheusDeps): HttpRoute {
  const looks = new Map<string, { at: number; families: Promise<Family[]> }>();
  const look = (account: string): Promise<Family[]> => {
    const known = looks.get(account);
    if (known !== undefined && deps.clock.now() - known.at < limits.scrapeFreshMs) return known.families;
    const families = gather(deps, account);
    looks.set(account, { at: deps.clock.now(), families });
    families.catch(() => looks.delete(account));
    return families;
  };
  return {
    // What is signed is meant for an API of AWS's, as a bucket of this name.
    matches: ({ path, query, headers }) =>
      path === PATH && headers['authorization']?.[0]?.startsWith('AWS4-') !== true && !query.includes('X-Amz-'),
    async handle(call) {
      const { method, headers } = call.request;
      if (method !== 'GET' && method !== 'HEAD') return { status: 405, headers: { Allow: 'GET, HEAD' }, body: '' };
      const context = await call.context(await callerOf(call), REGION);
      await context.assertAllowed('berth:GetMetrics', ['*']);
      const format = formatOf(headers['accept']?.join(','));
      const text = render(await look(context.account), format);
      return { status: 200, headers: { 'Content-Type': contentTypes[format] }, body: text };
    },
    fail(fault) {
      const isStranger = fault.details['unknown'] === true;
      const status = isStranger ? 401 : fault.code === 'AccessDenied' ? 403 : fault.code === 'Unavailable' ? 503 : 500;
      const challenge: Record<string, string> = isStranger ? { 'WWW-Authenticate': 'Basic realm="berth"' } : {};
      const text = status === 500 ? 'An internal error occurred.' : fault.message;
      return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8', ...challenge }, body: `${text}\n` };
    },
  };
}

async function gather(deps: PrometheusDeps, account: string): Promise<Family[]> {
  const book = openBook();
  const { tasks, statuses } = await deps.store.read(async (tx) => {
    await serviceFamilies(book, tx, account);
    await balancerFamilies(book, tx, account, deps.traffic());
    await hostFamilies(book, tx);
    const live = await tx.tasks.list({ account, live: true });
    return { tasks: live.slice(0, limits.scrapeTasks), statuses: live };
  });
  countTasks(book, statuses);
  book.add('gauge', 'berth_tasks_left_out', 'Live tasks that are too many to be told one by one.', {}, statuses.length - tasks.length);
  const stats = await askHosts(deps, tasks);
  for (const task of tasks) taskFamilies(book, task, stats.get(task.key.id));
  book.info('berth_build', 'The version that runs.', { version: deps.version });
  book.add('gauge', 'berth_metrics_database_bytes', 'Size of what CloudWatch metrics are kept in.', {}, deps.metrics.bytes());
  meterFamilies(book, deps.meters.read());
  processFamilies(book);
  return book.families();
}

function countTasks(book: Book, tasks: readonly TaskRecord[]): void {
  const groups = Map.groupBy(tasks, ({ key, observed }) => JSON.stringify([key.region, key.cluster, observed.status]));
  for (const [group, all] of groups) {
    const [region = '', cluster = '', status = ''] = JSON.parse(group) as string[];
    book.add('gauge', 'berth_tasks', 'Tasks that have not stopped, by their status.', { region, cluster, status }, all.length);
  }
}

/** By task. One that is ending, or whose host is away, says nothing this time. */
async function askHosts({ hosts }: PrometheusDeps, tasks: readonly TaskRecord[]): Promise<Map<string, TaskStats>> {
  const found = new Map<string, TaskStats>();
  const next = tasks.filter(({ placement, observed }) => placement !== null && observed.status === 'RUNNING').values();
  const worker = async () => {
    for (const { key, placement } of next) {
      const asked = hosts.request(placement?.hostId ?? '', hostOps.taskStats, { taskId: key.id }, { timeoutMs: limits.taskUsageMs });
      const stats = await asked.catch(() => undefined);
      if (stats !== undefined) found.set(key.id, stats as unknown as TaskStats);
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, worker));
  return found;
}
