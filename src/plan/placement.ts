/** Placement: which host runs a task that waits, with which address. Pure: a snapshot goes in, moves come out. */
import { blockVolumes } from '#domain/block-volume.ts';
import { createCapacity } from '#domain/capacity.ts';
import type { Unavailable } from '#domain/capacity.ts';
import { formatIp, nextFreeIp, parseCidr, parseIp } from '#domain/cidr.ts';
import { reasonsAgainst } from '#domain/isolation.ts';
import type { HostRecord, SubnetRecord } from '#domain/records.ts';
import { attachmentIdOf } from '#domain/task.ts';
import type { Stop, TaskObserved, TaskPlacement, TaskRecord } from '#domain/task.ts';

/** A live task that has its place already. */
export type PlacedTask = { hostId: string; subnetId: string; ip: string; cpuMillis: number; memoryBytes: number; placedAt: number };

export type PlacementSnapshot = {
  now: number;
  /** Since when somebody has been looking for a place: a task's patience does not run before. */
  watchingSince: number;
  /** How long a task may wait for room; milliseconds. */
  patienceMs: number;
  fence: number;
  unplaced: TaskRecord[];
  placed: PlacedTask[];
  /** Addresses that load balancers have. */
  balancers: { subnetId: string; ip: string }[];
  hosts: HostRecord[];
  /** Hosts of the volumes that unplaced tasks have, by the volumes' ids, as far as they have one. */
  volumeHosts?: ReadonlyMap<string, string>;
  /** Subnets of the unplaced tasks, by id, with the address that was given out last. */
  subnets: Map<string, { subnet: SubnetRecord; lastIp: string | undefined }>;
};

/** New names for what a placement makes: an ENI id (`eni-` and 17 hex digits) and a MAC address. */
export type Naming = { eniId(): string; mac(): string };

export type PlacementMove =
  { kind: 'place'; task: TaskRecord; placement: TaskPlacement } | { kind: 'stop'; task: TaskRecord; observed: TaskObserved };

/** AWS's own text for a Fargate task that finds no room (ECS developer guide, "API failure reasons"). */
export const CAPACITY_REASON = 'Capacity is unavailable at this time. Please try again later or in a different availability zone';

/** Moves for all tasks that have no place; those without a move wait. First come, first served. */
export function planPlacements(snapshot: PlacementSnapshot, naming: Naming): PlacementMove[] {
  const capacity = createCapacity(snapshot.hosts, snapshot.placed, snapshot.now);
  const addresses = createAddresses(snapshot);
  const volumeHosts = new Map(snapshot.volumeHosts);
  const moves: PlacementMove[] = [];
  const inOrder = snapshot.unplaced.toSorted((a, b) => a.desired.createdAt - b.desired.createdAt || (a.key.id < b.key.id ? -1 : 1));
  for (const task of inOrder) {
    const stop = (why: Stop | null) => moves.push({ kind: 'stop', task, observed: stoppedUnplaced(task, snapshot.now, why) });
    if (task.desired.status === 'STOPPED') {
      stop(null);
      continue;
    }
    const { spec, network } = task.desired;
    const waited = snapshot.now - Math.max(task.desired.createdAt, snapshot.watchingSince);
    const patient = waited < snapshot.patienceMs;
    const volumes = blockVolumes(spec).map(({ volumeId }) => volumeId);
    const only = volumes.flatMap((id) => volumeHosts.get(id) ?? [])[0] ?? null;
    const picked = capacity.pick(spec, spec.isolation, only, snapshot.subnets.get(network.subnetId)?.subnet.zone);
    if ('unavailable' in picked) {
      if (picked.unavailable === 'isolation' || !patient) stop(noHost(picked.unavailable, task, snapshot.hosts));
      continue;
    }
    const ip = addresses.take(network.subnetId);
    if (ip === null) {
      if (!patient || !snapshot.subnets.has(network.subnetId)) stop(noAddress(network.subnetId));
      continue;
    }
    capacity.take(picked.hostId, spec);
    // Who else has one of them goes there too.
    for (const id of volumes) volumeHosts.set(id, picked.hostId);
    const placement: TaskPlacement = {
      hostId: picked.hostId,
      fence: snapshot.fence,
      eniId: naming.eniId(),
      attachmentId: attachmentIdOf(task.key.id),
      ip,
      mac: naming.mac(),
      at: snapshot.now,
    };
    moves.push({ kind: 'place', task, placement });
  }
  return moves;
}

/** Addresses of the subnets, given out so that each is used again as late as possible; null when a subnet is full or gone. */
function createAddresses(snapshot: PlacementSnapshot): { take(subnetId: string): string | null } {
  const taken = new Map<string, Set<number>>();
  for (const task of [...snapshot.placed, ...snapshot.balancers]) {
    const set = taken.get(task.subnetId) ?? new Set();
    taken.set(task.subnetId, set.add(parseIp(task.ip)));
  }
  const last = new Map<string, number>();
  return {
    take(subnetId) {
      const known = snapshot.subnets.get(subnetId);
      if (known === undefined) return null;
      const before = last.get(subnetId) ?? (known.lastIp === undefined ? null : parseIp(known.lastIp));
      const inUse = taken.get(subnetId) ?? new Set<number>();
      const next = nextFreeIp(parseCidr(known.subnet.cidr), inUse, before);
      if (next === null) return null;
      taken.set(subnetId, inUse.add(next));
      last.set(subnetId, next);
      return formatIp(next);
    },
  };
}

/** A task that ends before any host had it. `stop` null: the user's own stop says why. */
export function stoppedUnplaced(task: TaskRecord, now: number, stop: Stop | null): TaskObserved {
  return {
    ...task.observed,
    status: 'STOPPED',
    version: task.observed.version + 1,
    stoppingAt: task.observed.stoppingAt ?? now,
    executionStoppedAt: task.observed.executionStoppedAt ?? now,
    stoppedAt: now,
    stop,
    containers: task.observed.containers.map((container) => ({ ...container, status: 'STOPPED' })),
  };
}

function noHost(unavailable: Unavailable['unavailable'], task: TaskRecord, hosts: HostRecord[]): Stop {
  if (unavailable === 'volume') {
    return { code: 'TaskFailedToStart', reason: 'ResourceInitializationError: the host that has its volumes is not connected' };
  }
  if (unavailable !== 'isolation') return { code: 'TaskFailedToStart', reason: CAPACITY_REASON };
  const wish = task.desired.spec.isolation;
  const reasons = reasonsAgainst(hosts, wish);
  const kind = wish === 'auto' ? 'any sandbox' : `a ${wish} sandbox`;
  const detail = reasons === '' ? '' : ` (${reasons})`;
  return { code: 'TaskFailedToStart', reason: `ResourceInitializationError: no host can run this task in ${kind}${detail}` };
}

function noAddress(subnetId: string): Stop {
  return { code: 'TaskFailedToStart', reason: `ResourceInitializationError: the subnet ${subnetId} has no free address for the task` };
}
