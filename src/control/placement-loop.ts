/** Gives each task that waits a host and an address, or ends it with the reason why it can't have them. */
import type { Clock } from '#base/clock.ts';
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { blockVolumes } from '#domain/block-volume.ts';
import type { SubnetRecord } from '#domain/records.ts';
import type { TaskRecord } from '#domain/task.ts';
import { balancerAddresses } from '#domain/taken-addresses.ts';
import { planBalancerAddresses } from '#plan/load-balancer-address.ts';
import type { AddressSnapshot } from '#plan/load-balancer-address.ts';
import { planPlacements } from '#plan/placement.ts';
import type { Naming, PlacedTask, PlacementSnapshot } from '#plan/placement.ts';
import type { Store, WriteTx } from '#store/types.ts';
import { createLease } from './lease.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';

/** How often it looks when nothing changes: while tasks wait for room, and while none does. */
const WAITING_TICK_MS = 1000;
const IDLE_TICK_MS = 15_000;

/** While `paused`, only tasks that are to stop are looked after. */
export function startPlacementLoop(
  deps: { store: Store; clock: Clock; random: Random; log: Log },
  holder: string,
  paused: () => boolean,
): Loop {
  const { store, clock, random, log } = deps;
  const lease = createLease(store, clock, 'placement', holder);
  const watchingSince = clock.now();
  const naming = randomNames(random);
  let waiting = false;
  const placeBalancers = async (): Promise<void> => {
    const moves = await lease.write(async (tx) => {
      const found = planBalancerAddresses(await readAddresses(tx));
      for (const { loadBalancer, ip, subnetId } of found) {
        await tx.loadBalancers.setObserved(loadBalancer.key, { ...loadBalancer.observed, ip, subnetId }, loadBalancer.revision);
      }
      return found;
    });
    for (const { loadBalancer, ip } of moves) log.info('placement', { loadBalancer: loadBalancer.key.name, ip });
  };
  return startLoop(deps, {
    name: 'placement',
    tickMs: () => (waiting ? WAITING_TICK_MS : IDLE_TICK_MS),
    async run() {
      const unplaced = await store.read((tx) => tx.tasks.count({ live: true, unplaced: true }));
      const balancers = (await store.read((tx) => tx.loadBalancers.list({}))).filter((lb) => lb.observed.ip === null).length;
      waiting = unplaced + balancers > 0;
      if (balancers > 0) await placeBalancers();
      if (unplaced === 0) return;
      // Snapshot, plan and commit are one transaction: two tasks can't be given one address, however often this runs.
      const moved = await lease.write(async (tx, fence) => {
        const snapshot = await readSnapshot(tx, { now: clock.now(), watchingSince, fence });
        const moves = planPlacements(paused() ? stoppingOnly(snapshot) : snapshot, naming);
        for (const { task, ...move } of moves) {
          if (move.kind === 'place') {
            await tx.tasks.setPlacement(task.key, move.placement, task.revision);
            await placeVolumes(tx, task, move.placement.hostId);
          }
          if (move.kind === 'stop') await tx.tasks.setObserved(task.key, move.observed, task.revision);
        }
        return moves.map((move) => ({ taskId: move.task.key.id, kind: move.kind }));
      });
      for (const move of moved) log.info('placement', move);
    },
  });
}

async function readSnapshot(tx: WriteTx, at: { now: number; watchingSince: number; fence: number }): Promise<PlacementSnapshot> {
  const unplaced = await tx.tasks.list({ live: true, unplaced: true, limit: limits.placementBatch });
  const slots = await tx.tasks.slots();
  const subnets: PlacementSnapshot['subnets'] = new Map();
  for (const { key, desired } of unplaced) {
    const id = desired.network.subnetId;
    if (subnets.has(id)) continue;
    const subnet = await tx.subnets.get({ account: key.account, region: key.region, id });
    if (subnet !== undefined) subnets.set(id, { subnet, lastIp: await tx.tasks.lastAddress(id) });
  }
  const placed = slots.flatMap((slot): PlacedTask[] => {
    const { hostId, ip, placedAt, subnetId, cpuMillis, memoryBytes } = slot;
    return hostId === null || ip === null || placedAt === null ? [] : [{ hostId, ip, placedAt, subnetId, cpuMillis, memoryBytes }];
  });
  const balancers = [
    ...balancerAddresses(await tx.loadBalancers.list({})),
    ...(await tx.mountTargets.list({})),
    ...(await tx.bucketMountTargets.list({})),
  ];
  return {
    ...at,
    patienceMs: limits.placementPatienceMs,
    unplaced,
    placed,
    balancers,
    hosts: await tx.hosts.list({}),
    volumeHosts: await readVolumeHosts(tx, unplaced),
    subnets,
  };
}

/** Where the volumes of tasks lie that wait for a place, and the snapshots that new ones begin as. */
async function readVolumeHosts(tx: WriteTx, tasks: readonly TaskRecord[]): Promise<Map<string, string>> {
  const hosts = new Map<string, string>();
  for (const { key, desired } of tasks) {
    const { account, region } = key;
    for (const { volumeId: id, snapshotId } of blockVolumes(desired.spec)) {
      const own = (await tx.volumes.get({ account, region, id }))?.observed.hostId ?? null;
      const snapshot = own !== null || snapshotId === null ? undefined : await tx.snapshots.get({ account, region, id: snapshotId });
      const hostId = own ?? snapshot?.observed.hostId ?? null;
      if (hostId !== null) hosts.set(id, hostId);
    }
  }
  return hosts;
}

/** A volume lies where its first task is. */
async function placeVolumes(tx: WriteTx, { key, desired }: TaskRecord, hostId: string): Promise<void> {
  for (const { volumeId: id } of blockVolumes(desired.spec)) {
    const volume = await tx.volumes.get({ account: key.account, region: key.region, id });
    if (volume === undefined || volume.observed.hostId !== null) continue;
    await tx.volumes.setObserved(volume.key, { ...volume.observed, hostId }, volume.revision);
  }
}

async function readAddresses(tx: WriteTx): Promise<AddressSnapshot> {
  const loadBalancers = await tx.loadBalancers.list({});
  const subnets = new Map<string, { subnet: SubnetRecord; lastIp: string | undefined }>();
  for (const { key, desired, observed } of loadBalancers) {
    if (observed.ip !== null) continue;
    for (const id of desired.subnetIds) {
      const subnet = await tx.subnets.get({ account: key.account, region: key.region, id });
      if (subnet !== undefined) subnets.set(id, { subnet, lastIp: await tx.tasks.lastAddress(id) });
    }
  }
  const tasks = (await tx.tasks.slots()).flatMap(({ subnetId, ip }) => (ip === null ? [] : [{ subnetId, ip }]));
  const placed = [...tasks, ...(await tx.mountTargets.list({})), ...(await tx.bucketMountTargets.list({}))];
  return { loadBalancers, placed, subnets };
}

function stoppingOnly(snapshot: PlacementSnapshot): PlacementSnapshot {
  return { ...snapshot, unplaced: snapshot.unplaced.filter((task) => task.desired.status === 'STOPPED') };
}

function randomNames(random: Random): Naming {
  return {
    eniId: () => `eni-${hexId(random, 17)}`,
    // Locally administered, unicast (IEEE 802): the first byte is 02.
    mac: () => `02:${(hexId(random, 10).match(/../g) ?? []).join(':')}`,
  };
}
