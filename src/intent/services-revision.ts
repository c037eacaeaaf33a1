/** A new revision of a service: everything that it names is looked up, and stands whole in the revision's row from then on. */
import { digitsId } from '#base/ids.ts';
import { withExtensions } from '#domain/extensions.ts';
import { mergeTags } from '#domain/tags.ts';
import type { ClusterRecord } from '#domain/records.ts';
import type { ServiceDesired, ServiceKey, ServiceLoadBalancer, ServiceRevisionDesired, ServiceRevisionRecord } from '#domain/service.ts';
import type { TaskSpec } from '#domain/task-spec.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';
import { carriersOf } from './carriers.ts';
import { injectsEndpoint } from './cluster-settings.ts';
import type { StrategyWish } from './clusters.ts';
import { resolveNetwork } from './network.ts';
import type { NetworkWish } from './network.ts';
import { assertLoadBalancers } from './services-load-balancers.ts';
import type { IntentDeps } from './types.ts';

export type RevisionWish = {
  family: string;
  taskRevision: number;
  /** Of one task, with streams that end with a slash: `instantiate` completes them. */
  template: TaskSpec;
  network: NetworkWish;
  /** At most one of the two; neither means the cluster's default strategy. */
  launchType: string | null;
  strategy: StrategyWish;
  platformVersion: string;
  loadBalancers: ServiceLoadBalancer[];
  taskFront: Record<string, unknown>;
  front: Record<string, unknown>;
};

/** What of a service its tasks get. */
export type TaskSide = Pick<ServiceDesired, 'propagateTags' | 'managedTags' | 'enableExec' | 'tags'>;

/** Throws InvalidParameter with AWS's texts for what isn't there or doesn't fit. */
export async function insertRevision(
  tx: WriteTx,
  deps: IntentDeps,
  setting: { key: ServiceKey; cluster: ClusterRecord; now: number; service: TaskSide },
  wish: RevisionWish,
): Promise<ServiceRevisionRecord> {
  const { key, cluster, service } = setting;
  const strategy = carriersOf(cluster, wish);
  const { vpcId, subnets, securityGroupIds } = await resolveNetwork(tx, key, wish.network);
  await assertLoadBalancers(tx, key, vpcId, wish.loadBalancers);
  const desired: ServiceRevisionDesired = {
    createdAt: setting.now,
    family: wish.family,
    taskRevision: wish.taskRevision,
    template: withExtensions(wish.template, cluster, await tx.hosts.list({})),
    network: { vpcId, subnetIds: subnets.map((subnet) => subnet.key.id), securityGroupIds, publicIp: wish.network.publicIp },
    launchType: strategy === null ? 'FARGATE' : null,
    strategy: strategy ?? [],
    platformVersion: wish.platformVersion,
    loadBalancers: wish.loadBalancers,
    taskTags: await taskTagsOf(tx, key, service, wish),
    enableExec: service.enableExec,
    injectEndpoint: injectsEndpoint(cluster.settings),
    taskFront: { ...wish.taskFront, propagateTags: service.propagateTags },
    front: wish.front,
  };
  return await tx.serviceRevisions.insert({ ...key, id: digitsId(deps.random) }, desired, { imageDigests: {}, targetGroupArns: null });
}

/**
 * A revision's recipe never changes; what only labels new tasks and lets people into them does, without a deployment (API reference,
 * UpdateService: enableExecuteCommand, enableECSManagedTags, propagateTags).
 */
export async function refreshTaskSide(tx: WriteTx, key: ServiceKey, service: TaskSide, revisionIds: Iterable<string>): Promise<void> {
  for (const id of new Set(revisionIds)) {
    const record = await tx.serviceRevisions.get({ ...key, id });
    if (record === undefined) continue;
    const taskTags = await taskTagsOf(tx, key, service, record.desired);
    const taskFront = { ...record.desired.taskFront, propagateTags: service.propagateTags };
    const desired = { ...record.desired, taskTags, taskFront, enableExec: service.enableExec };
    if (JSON.stringify(desired) !== JSON.stringify(record.desired)) {
      await tx.serviceRevisions.setDesired(record.key, desired, record.revision);
    }
  }
}

/** Propagated ones, and the two that ECS manages. */
async function taskTagsOf(
  tx: ReadTx,
  key: ServiceKey,
  service: TaskSide,
  definition: Pick<ServiceRevisionDesired, 'family' | 'taskRevision'>,
): Promise<Tag[]> {
  const managed: Tag[] = service.managedTags
    ? [
        { key: 'aws:ecs:clusterName', value: key.cluster },
        { key: 'aws:ecs:serviceName', value: key.name },
      ]
    : [];
  if (service.propagateTags === 'SERVICE') return [...service.tags, ...managed];
  if (service.propagateTags !== 'TASK_DEFINITION') return managed;
  const { account, region } = key;
  const { family, taskRevision } = definition;
  const record = await tx.taskDefinitions.get({ account, region, family, taskRevision });
  return [...mergeTags([], record?.tags ?? []), ...managed];
}
