/** Services, load balancers and hosts. */
import { targetGroupArn } from '#domain/load-balancer.ts';
import { usersOfGroups } from '#domain/target-group-users.ts';
import type { ReadTx } from '#store/types.ts';
import type { Book, Labels, Sample } from './exposition.ts';

const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx', 'other'] as const;

/** What a listener or a group counted (balancer/types.ts, `BalancerMetrics`). */
export type Traffic = {
  id: string;
  requests: number;
  responses: Record<(typeof CLASSES)[number], number>;
  connections: number;
  bytesIn: number;
  bytesOut: number;
  connectionErrors: number;
  responseErrors: number;
  activeConnections: number;
};
export type GroupTraffic = Traffic & {
  healthy: number;
  unhealthy: number;
  responseMs: { sum: number };
  latencyMs?: { p50: number; p90: number; p99: number };
};
export type TrafficNow = { listeners: Traffic[]; groups: GroupTraffic[] };

export async function serviceFamilies(book: Book, tx: ReadTx, account: string): Promise<void> {
  for (const service of await tx.services.list({ account })) {
    if (service.observed.status === 'INACTIVE') continue;
    const labels = { region: service.key.region, cluster: service.key.cluster, service: service.key.name };
    const counts = await tx.tasks.serviceCounts(service.key);
    const sum = (statuses: readonly string[]) =>
      counts.filter(({ status }) => statuses.includes(status)).reduce((all, { count }) => all + count, 0);
    const revisions = new Set(counts.map(({ revisionId }) => revisionId)).size;
    book.add('gauge', 'berth_service_desired_tasks', 'Tasks that the service is wished to have.', labels, service.desired.desiredCount);
    book.add('gauge', 'berth_service_running_tasks', 'Tasks of the service that run.', labels, sum(['RUNNING']));
    const pending = sum(['PROVISIONING', 'PENDING', 'ACTIVATING']);
    book.add('gauge', 'berth_service_pending_tasks', 'Tasks of the service that are on their way to run.', labels, pending);
    book.add('gauge', 'berth_service_revisions', 'Revisions that the live tasks of the service are of.', labels, revisions);
  }
}

export async function balancerFamilies(book: Book, tx: ReadTx, account: string, now: TrafficNow): Promise<void> {
  const [loadBalancers, listeners] = [await tx.loadBalancers.list({ account }), await tx.listeners.list({ account })];
  for (const { key, desired } of listeners) {
    const counted = now.listeners.find(({ id }) => id === key.id);
    if (counted === undefined) continue;
    const labels = { region: key.region, load_balancer: key.loadBalancer, listener: key.id, port: String(desired.port) };
    traffic(book, 'berth_listener', labels, counted);
  }
  const users = usersOfGroups({ loadBalancers, listeners, rules: await tx.listenerRules.list({ account }) });
  for (const group of await tx.targetGroups.list({ account })) {
    const counted = now.groups.find(({ id }) => id === group.desired.id);
    if (counted === undefined) continue;
    const [loadBalancer] = users.get(targetGroupArn(group)) ?? [];
    const labels = { region: group.key.region, load_balancer: loadBalancer?.key.name ?? '', target_group: group.key.name };
    traffic(book, 'berth_target_group', labels, counted);
    const help = 'Targets by their health.';
    book.add('gauge', 'berth_target_group_targets', help, { ...labels, health: 'healthy' }, counted.healthy);
    book.add('gauge', 'berth_target_group_targets', help, { ...labels, health: 'unhealthy' }, counted.unhealthy);
    book.family({
      name: 'berth_target_group_response_time_seconds',
      type: 'summary',
      help: 'Until an answer of a target began; quantiles of the last minutes, where an access log is on.',
      samples: responseTimes(labels, counted),
    });
  }
}

function responseTimes(labels: Labels, { requests, responseMs, latencyMs }: GroupTraffic): Sample[] {
  const quantiles = latencyMs === undefined ? [] : ([['0.5', latencyMs.p50], ['0.9', latencyMs.p90], ['0.99', latencyMs.p99]] as const); // prettier-ignore
  return [
    ...quantiles.map(([quantile, ms]) => ({ suffix: '', labels: { ...labels, quantile }, value: ms / 1000 })),
    { suffix: '_sum', labels, value: responseMs.sum / 1000 },
    { suffix: '_count', labels, value: requests },
  ];
}

function traffic(book: Book, prefix: string, labels: Labels, counted: Traffic): void {
  const add = (name: string, help: string, value: number) => book.add('counter', `${prefix}_${name}`, help, labels, value);
  add('requests', 'HTTP requests.', counted.requests);
  for (const code of CLASSES) {
    book.add('counter', `${prefix}_responses`, 'Answers by the class of their code.', { ...labels, code }, counted.responses[code]);
  }
  add('connections', 'Connections.', counted.connections);
  add('received_bytes', 'What came from clients.', counted.bytesIn);
  add('sent_bytes', 'What went to clients.', counted.bytesOut);
  add('connection_errors', 'Connections to targets that failed.', counted.connectionErrors);
  add('response_errors', 'Answers that broke off.', counted.responseErrors);
  book.add('gauge', `${prefix}_active_connections`, 'Connections that are open.', labels, counted.activeConnections);
}

export async function hostFamilies(book: Book, tx: ReadTx): Promise<void> {
  const slots = Map.groupBy(await tx.tasks.slots(), ({ hostId }) => hostId);
  for (const { key, info, usage, status } of await tx.hosts.list({})) {
    const labels = { host: key.hostId };
    const placed = slots.get(key.hostId) ?? [];
    const sum = (of: (slot: (typeof placed)[number]) => number) => placed.reduce((all, slot) => all + of(slot), 0);
    const add = (name: string, help: string, value: number) => book.add('gauge', `berth_host_${name}`, help, labels, value);
    book.info('berth_host', 'A host: its name and zone.', { ...labels, hostname: info.hostname, zone: info.zone ?? '', arch: info.arch });
    add('up', 'Whether the host is connected.', status === 'CONNECTED' ? 1 : 0);
    add('cpu_cores', 'Cores of the host.', info.cpuMillis / 1000);
    add('memory_bytes', 'Memory of the host.', info.memoryBytes);
    add('memory_reserved_bytes', 'Memory of it that no task is given.', info.reserveBytes);
    add('memory_free_bytes', 'Memory of it that nobody has, as it last told.', usage.freeMemoryBytes);
    add('disk_free_bytes', 'Room on the disk of its state directory, as it last told.', usage.freeDiskBytes);
    add('load_ratio', 'Its load average over the number of its cores, as it last told.', usage.loadPercent / 100);
    add('tasks', 'Tasks that are placed on the host.', placed.length);
    add('cpu_placed_cores', 'Cores that these asked for.', sum(({ cpuMillis }) => cpuMillis) / 1000);
    add(
      'memory_placed_bytes',
      'Memory that these asked for.',
      sum(({ memoryBytes }) => memoryBytes),
    );
  }
}
