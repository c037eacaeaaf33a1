/** A service's new tasks: checked for room as RunTask does, and inserted. */
import type { Random } from '#base/random.ts';
import { hexId } from '#base/ids.ts';
import { asFault, isFault } from '#base/fault.ts';
import { bindVolumes } from '#domain/bound-volumes.ts';
import type { BoundVolumes } from '#domain/bound-volumes.ts';
import { CAPACITY_UNAVAILABLE, createCapacity, withHosts } from '#domain/capacity.ts';
import type { Capacity } from '#domain/capacity.ts';
import { withExtensions } from '#domain/extensions.ts';
import type { ClusterRecord, HostRecord, SubnetRecord } from '#domain/records.ts';
import { deploymentName, instantiate, serviceGroup } from '#domain/service.ts';
import type { ServiceKey, ServiceRevisionRecord } from '#domain/service.ts';
import { createSubnetRoom } from '#domain/subnet-room.ts';
import type { SubnetRoom } from '#domain/subnet-room.ts';
import type { TaskSpec } from '#domain/task-spec.ts';
import { newTaskObserved } from '#domain/task.ts';
import type { TaskDesired } from '#domain/task.ts';
import type { ServicePlan } from '#plan/service/types.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';

/** All hosts' room and all subnets' use, for the starts of many services in a row. */
export type Room = { hosts: HostRecord[]; capacity: Capacity; subnets: SubnetRoom };

export async function readRoom(tx: ReadTx, now: number): Promise<Room> {
  const [hosts, slots] = [await tx.hosts.list({}), await tx.tasks.slots()];
  return { hosts, capacity: createCapacity(hosts, slots, now), subnets: createSubnetRoom(slots) };
}

export type Started = {
  taskIds: string[];
  /** Why the rest could not be placed, as the service's event says it; null when all were. */
  refused: string | null;
};

export async function startTasks(
  tx: WriteTx,
  source: { random: Random; now: number; room: Room },
  key: ServiceKey,
  wishes: ServicePlan['start'],
): Promise<Started> {
  const started: Started = { taskIds: [], refused: null };
  const { account, region, cluster: name } = key;
  const cluster = await tx.clusters.get({ account, region, name });
  if (cluster === undefined) return { ...started, refused: 'The cluster was not found.' };
  const recipes = new Map<string, Recipe | undefined>();
  for (const wish of wishes) {
    if (!recipes.has(wish.revisionId)) recipes.set(wish.revisionId, await readRecipe(tx, key, wish.revisionId));
    const recipe = recipes.get(wish.revisionId);
    const result =
      recipe === undefined
        ? { refused: `The service revision ${wish.revisionId} was not found.` }
        : await startOne(tx, source, cluster, recipe, wish);
    if ('refused' in result) return { ...started, refused: result.refused };
    const { id, desired, volumes } = result;
    await volumes.commit();
    await tx.tasks.insert({ account, region, cluster: name, id }, desired, newTaskObserved(desired.spec));
    started.taskIds.push(id);
  }
  return started;
}

type Recipe = { revision: ServiceRevisionRecord; subnets: SubnetRecord[] };

async function readRecipe(tx: ReadTx, key: ServiceKey, id: string): Promise<Recipe | undefined> {
  const revision = await tx.serviceRevisions.get({ ...key, id });
  if (revision === undefined) return undefined;
  const { account, region } = key;
  const found = await Promise.all(revision.desired.network.subnetIds.map((subnetId) => tx.subnets.get({ account, region, id: subnetId })));
  return { revision, subnets: found.filter((subnet) => subnet !== undefined) };
}

type Wish = ServicePlan['start'][number];

async function startOne(
  tx: WriteTx,
  { random, now, room }: { random: Random; now: number; room: Room },
  cluster: ClusterRecord,
  { revision, subnets }: Recipe,
  wish: Wish,
): Promise<{ id: string; desired: TaskDesired; volumes: BoundVolumes } | { refused: string }> {
  const id = hexId(random);
  const inZone = subnets.filter((subnet) => subnet.zone === wish.zone);
  const subnet = room.subnets.pick(inZone) ?? room.subnets.pick(withHosts(subnets, room.hosts));
  const { zone, zoneId } = subnet ?? { zone: '', zoneId: '' };
  const { account, region, cluster: name } = revision.key;
  const task = { scope: { account, region }, cluster: name, id, zone, zoneId, tags: revision.desired.taskTags };
  const volumes = await orRefused(() =>
    bindVolumes(tx, task, specOf(revision, id, cluster, room.hosts), { now, newId: () => `vol-${hexId(random, 17)}` }),
  );
  if ('refused' in volumes) return volumes;
  const { spec } = volumes;
  const picked = room.capacity.pick(spec, spec.isolation, volumes.hostId, subnet?.zone);
  if ('unavailable' in picked) return { refused: picked.unavailable === 'isolation' ? noKind(spec) : CAPACITY_UNAVAILABLE };
  if (subnet === undefined) return { refused: `No address is free in ${revision.desired.network.subnetIds.join(', ')}` };
  room.capacity.take(picked.hostId, spec);
  room.subnets.take(subnet.key.id);
  return { id, volumes, desired: desiredOf(revision, spec, subnet, wish, now) };
}

const specOf = (revision: ServiceRevisionRecord, id: string, cluster: ClusterRecord, hosts: HostRecord[]): TaskSpec =>
  withExtensions(instantiate(revision.desired.template, id, revision.observed.imageDigests), cluster, hosts);

async function orRefused<T>(make: () => Promise<T>): Promise<T | { refused: string }> {
  try {
    return await make();
  } catch (error) {
    if (isFault(error, 'InvalidParameter')) return { refused: asFault(error).message.replace(/\.$/, '') };
    throw error;
  }
}

const noKind = (spec: TaskSpec): string => `No host runs ${spec.platform.arch} tasks with the isolation '${spec.isolation}'`;

function desiredOf({ key, desired }: ServiceRevisionRecord, spec: TaskSpec, subnet: SubnetRecord, wish: Wish, now: number): TaskDesired {
  const { vpcId, securityGroupIds, publicIp } = desired.network;
  return {
    status: 'RUNNING',
    createdAt: now,
    stop: null,
    spec,
    network: { vpcId, subnetId: subnet.key.id, securityGroupIds, publicIp },
    family: desired.family,
    revision: desired.taskRevision,
    group: serviceGroup(key.name),
    startedBy: deploymentName(key.id),
    tags: desired.taskTags,
    launchType: 'FARGATE',
    capacityProvider: wish.capacityProvider,
    platformVersion: desired.platformVersion,
    enableExec: desired.enableExec,
    front: desired.taskFront,
    service: { name: key.name, revisionId: key.id, taskSetId: wish.taskSetId },
    protectedUntil: null,
    injectEndpoint: desired.injectEndpoint,
  };
}
