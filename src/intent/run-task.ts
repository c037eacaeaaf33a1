/** The wish to run tasks: everything is checked and committed in one transaction; starting them is the control loops' work. */
import { hexId } from '#base/ids.ts';
import { bindVolumes } from '#domain/bound-volumes.ts';
import { CAPACITY_UNAVAILABLE, createCapacity, withHosts } from '#domain/capacity.ts';
import type { Unavailable } from '#domain/capacity.ts';
import { divide } from '#domain/capacity-strategy.ts';
import { withExtensions } from '#domain/extensions.ts';
import { reasonsAgainst } from '#domain/isolation.ts';
import type { ClusterRecord, HostRecord, SubnetRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import { createSubnetRoom } from '#domain/subnet-room.ts';
import type { TaskSpec } from '#domain/task-spec.ts';
import { newTaskObserved } from '#domain/task.ts';
import type { Tag, TaskDesired, TaskRecord } from '#domain/task.ts';
import type { WriteTx } from '#store/types.ts';
import { carriersOf } from './carriers.ts';
import { answerBefore, keepAnswer } from './client-token.ts';
import type { TokenWish } from './client-token.ts';
import { injectsEndpoint } from './cluster-settings.ts';
import type { StrategyWish } from './clusters.ts';
import { activeCluster } from './clusters.ts';
import { resolveNetwork } from './network.ts';
import type { NetworkWish } from './network.ts';
import { ensureRegionIn } from './region.ts';
import type { IntentDeps } from './types.ts';

export type RunTaskWish = {
  cluster: string;
  count: number;
  family: string;
  revision: number;
  /** The resolved spec of one task; it needs the id for the names of its log streams. Pure; may throw a Fault. */
  spec: (taskId: string) => TaskSpec;
  network: NetworkWish;
  /** What carries the tasks: at most one of the two; neither means the cluster's default strategy. */
  launchType: string | null;
  strategy: StrategyWish;
  group: string;
  startedBy: string | null;
  tags: Tag[];
  platformVersion: string;
  enableExec: boolean;
  front: Record<string, unknown>;
  token: TokenWish | null;
};

/** AWS's word for a subnet without a free address ("API failure reasons", ECS developer guide). */
export const NO_ADDRESS = 'RESOURCE:ENI';
/** AWS's word for a task that needs what no host offers, now or later (same page). */
export const NO_SUCH_HOST = 'ATTRIBUTE';

export type RunTaskFailure = { reason: string; detail: string };
export type RunTaskResult = { tasks: TaskRecord[]; failures: RunTaskFailure[] };

/**
 * Throws ClusterNotFound, InvalidParameter, Conflict (a token used with other parameters; details.taskIds). What the hosts have no
 * room for now comes back as failures beside the tasks that are accepted.
 */
export async function runTask(deps: IntentDeps, scope: Scope, wish: RunTaskWish): Promise<RunTaskResult> {
  const now = deps.clock.now();
  return await deps.store.write(async (tx) => {
    await ensureRegionIn(tx, scope, now);
    const cluster = await activeCluster(tx, scope, wish.cluster);
    const before =
      wish.token === null ? undefined : await answerBefore(tx, { ...scope, cluster: wish.cluster }, 'RunTask', wish.token, now);
    if (before !== undefined) return { tasks: before, failures: [] };
    const strategy = carriersOf(cluster, wish);
    const providers = strategy === null ? Array.from({ length: wish.count }, () => null) : divide(strategy, wish.count);
    const { vpcId, subnets, securityGroupIds } = await resolveNetwork(tx, scope, wish.network);
    const result = await placeAll(tx, deps, scope, wish, { now, cluster, providers, vpcId, subnets, securityGroupIds });
    if (wish.token !== null && result.tasks.length > 0) {
      const taskIds = result.tasks.map((task) => task.key.id);
      await keepAnswer(tx, { ...scope, cluster: wish.cluster }, 'RunTask', wish.token, taskIds, now);
    }
    return result;
  });
}

type Setting = {
  now: number;
  cluster: ClusterRecord;
  /** Of each task: the capacity provider, or null for a plain launch type. */
  providers: (string | null)[];
  vpcId: string;
  subnets: SubnetRecord[];
  securityGroupIds: string[];
};

async function placeAll(tx: WriteTx, deps: IntentDeps, scope: Scope, wish: RunTaskWish, setting: Setting): Promise<RunTaskResult> {
  const slots = await tx.tasks.slots();
  const hosts = await tx.hosts.list({});
  const capacity = createCapacity(hosts, slots, setting.now);
  const subnets = createSubnetRoom(slots);
  const result: RunTaskResult = { tasks: [], failures: [] };
  for (let index = 0; index < wish.count; index++) {
    const id = hexId(deps.random);
    const subnet = subnets.pick(withHosts(setting.subnets, hosts));
    const zone = subnet ?? setting.subnets[0] ?? { zone: '', zoneId: '' };
    const task = { scope, cluster: wish.cluster, id, zone: zone.zone, zoneId: zone.zoneId, tags: wish.tags };
    const newId = () => `vol-${hexId(deps.random, 17)}`;
    const volumes = await bindVolumes(tx, task, withExtensions(wish.spec(id), setting.cluster, hosts), { now: setting.now, newId });
    const { spec } = volumes;
    const picked = capacity.pick(spec, spec.isolation, volumes.hostId, subnet?.zone);
    if ('unavailable' in picked) {
      const reason = picked.unavailable === 'isolation' ? NO_SUCH_HOST : CAPACITY_UNAVAILABLE;
      result.failures.push({ reason, detail: detailOf(picked, spec, hosts) });
      continue;
    }
    if (subnet === undefined) {
      result.failures.push({ reason: NO_ADDRESS, detail: `No address is free in ${setting.subnets.map((s) => s.key.id).join(', ')}.` });
      continue;
    }
    capacity.take(picked.hostId, spec);
    await volumes.commit();
    const desired = desiredOf(wish, setting, spec, subnet, setting.providers[index] ?? null);
    result.tasks.push(await tx.tasks.insert({ ...scope, cluster: wish.cluster, id }, desired, newTaskObserved(spec)));
    subnets.take(subnet.key.id);
  }
  return result;
}

function desiredOf(
  wish: RunTaskWish,
  setting: Setting,
  spec: TaskSpec,
  subnet: SubnetRecord,
  capacityProvider: string | null,
): TaskDesired {
  return {
    status: 'RUNNING',
    createdAt: setting.now,
    stop: null,
    spec,
    network: {
      vpcId: setting.vpcId,
      subnetId: subnet.key.id,
      securityGroupIds: setting.securityGroupIds,
      publicIp: wish.network.publicIp,
    },
    family: wish.family,
    revision: wish.revision,
    group: wish.group,
    startedBy: wish.startedBy,
    tags: wish.tags,
    launchType: 'FARGATE',
    capacityProvider,
    platformVersion: wish.platformVersion,
    enableExec: wish.enableExec,
    front: wish.front,
    service: null,
    protectedUntil: null,
    injectEndpoint: injectsEndpoint(setting.cluster.settings),
  };
}

function detailOf(picked: Unavailable, spec: TaskSpec, hosts: HostRecord[]): string {
  const asked = `${Math.round(spec.memoryBytes / 1024 ** 2)} MiB of memory and ${spec.cpuMillis} millicores`;
  switch (picked.unavailable) {
    case 'no-host':
      return 'No host is connected.';
    case 'volume':
      return 'The host that has its volumes is not connected.';
    case 'isolation': {
      const reasons = reasonsAgainst(hosts, spec.isolation);
      const why = reasons === '' ? '' : ` (${reasons})`;
      return `No connected host runs ${spec.platform.arch} tasks with the isolation '${spec.isolation}'${why}.`;
    }
    case 'zone':
      return "No connected host stands in a zone of the task's subnets.";
    case 'cpu':
      return `No host has CPU left for a task of ${asked}.`;
    case 'disk':
      return 'No host has enough of its disk free for one more task.';
    case 'memory':
      return `No host has memory left, beyond its reserve, for a task of ${asked}.`;
  }
}
