/** Wishes about clusters. */
import { Fault } from '#base/fault.ts';
import { assertStrategy, fargateProviders } from '#domain/capacity-strategy.ts';
import { assertClusterName } from '#domain/names.ts';
import type { ClusterRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';
import { assertClusterSettings, mergeClusterSettings } from './cluster-settings.ts';
import type { ClusterSetting } from './cluster-settings.ts';
import { effectiveSetting } from './account-settings.ts';
import { DEFAULT_CLUSTER, ensureRegionIn } from './region.ts';
import type { IntentDeps } from './types.ts';

export type StrategyWish = { capacityProvider?: string | undefined; weight?: number | undefined; base?: number | undefined }[];
export type ClusterWish = {
  name: string | undefined;
  tags: Tag[];
  settings: ClusterSetting[];
  configuration: Record<string, unknown> | null;
  capacityProviders: string[];
  defaultStrategy: StrategyWish;
  serviceConnectDefaults: Record<string, unknown> | null;
};

/** The ACTIVE cluster of this name; throws ClusterNotFound. */
export async function activeCluster(tx: ReadTx, scope: Scope, name: string): Promise<ClusterRecord> {
  const cluster = await tx.clusters.get({ ...scope, name });
  if (cluster === undefined || cluster.status !== 'ACTIVE') throw new Fault('ClusterNotFound', 'Cluster not found.');
  return cluster;
}

/** Makes a cluster, or returns the one that is there: CreateCluster is idempotent by name. `principal` decides the account's defaults. */
export async function createCluster(deps: IntentDeps, scope: Scope, principal: string, wish: ClusterWish): Promise<ClusterRecord> {
  const name = wish.name ?? DEFAULT_CLUSTER;
  assertClusterName(name);
  assertClusterSettings(wish.settings);
  const strategy = checkProviders(wish.capacityProviders, wish.defaultStrategy);
  const now = deps.clock.now();
  return await deps.store.write(async (tx) => {
    await ensureRegionIn(tx, scope, now);
    const key = { ...scope, name };
    const present = await tx.clusters.get(key);
    if (present?.status === 'ACTIVE') return present;
    const insights = await effectiveSetting(tx, scope, principal, 'containerInsights');
    const cluster: Omit<ClusterRecord, 'revision'> = {
      key,
      status: 'ACTIVE',
      createdAt: now,
      tags: wish.tags,
      settings: mergeClusterSettings([{ name: 'containerInsights', value: insights }], wish.settings),
      configuration: wish.configuration,
      capacityProviders: wish.capacityProviders,
      defaultStrategy: strategy,
      serviceConnectDefaults: wish.serviceConnectDefaults,
    };
    return await tx.clusters.put(cluster, present?.revision ?? 0);
  });
}

export async function updateCluster(
  deps: IntentDeps,
  scope: Scope,
  name: string,
  change: {
    settings?: ClusterSetting[];
    configuration?: Record<string, unknown>;
    serviceConnectDefaults?: Record<string, unknown> | null;
  },
): Promise<ClusterRecord> {
  assertClusterSettings(change.settings ?? []);
  return await changeCluster(deps, scope, name, (cluster) => ({
    ...cluster,
    settings: mergeClusterSettings(cluster.settings, change.settings ?? []),
    configuration: change.configuration ?? cluster.configuration,
    serviceConnectDefaults: change.serviceConnectDefaults === undefined ? cluster.serviceConnectDefaults : change.serviceConnectDefaults,
  }));
}

/** Replaces the providers and the default strategy, as PutClusterCapacityProviders does. */
export async function putClusterCapacityProviders(
  deps: IntentDeps,
  scope: Scope,
  name: string,
  capacityProviders: string[],
  defaultStrategy: StrategyWish,
): Promise<ClusterRecord> {
  const strategy = checkProviders(capacityProviders, defaultStrategy);
  return await changeCluster(deps, scope, name, (cluster) => ({ ...cluster, capacityProviders, defaultStrategy: strategy }));
}

/** Throws ClusterContainsServices while a service of it hasn't ended, ClusterContainsTasks while a task of it lives. The record stays, INACTIVE, as in AWS. */
export async function deleteCluster(deps: IntentDeps, scope: Scope, name: string): Promise<ClusterRecord> {
  return await changeCluster(deps, scope, name, async (cluster, tx) => {
    const services = await tx.services.list({ account: scope.account, region: scope.region, cluster: name });
    if (services.some((service) => service.observed.status !== 'INACTIVE')) {
      throw new Fault('ClusterContainsServices', 'The Cluster cannot be deleted while Services are active.');
    }
    if ((await tx.tasks.count({ ...scope, cluster: name, live: true })) > 0) {
      throw new Fault('ClusterContainsTasks', 'The Cluster cannot be deleted while Tasks are active.');
    }
    return { ...cluster, status: 'INACTIVE', capacityProviders: [], defaultStrategy: [] };
  });
}

async function changeCluster(
  deps: IntentDeps,
  scope: Scope,
  name: string,
  change: (cluster: ClusterRecord, tx: WriteTx) => ClusterRecord | Promise<ClusterRecord>,
): Promise<ClusterRecord> {
  const now = deps.clock.now();
  return await deps.store.write(async (tx) => {
    await ensureRegionIn(tx, scope, now);
    const cluster = await activeCluster(tx, scope, name);
    return await tx.clusters.put(await change(cluster, tx), cluster.revision);
  });
}

function checkProviders(capacityProviders: string[], strategyWish: StrategyWish): ClusterRecord['defaultStrategy'] {
  for (const provider of capacityProviders) {
    if (!fargateProviders.includes(provider)) {
      throw new Fault(
        'InvalidParameter',
        `The specified capacity provider '${provider}' was not found. Specify a valid capacity provider and try again.`,
      );
    }
  }
  const strategy = assertStrategy(strategyWish);
  const missing = strategy.find((item) => !capacityProviders.includes(item.capacityProvider));
  if (missing !== undefined) {
    throw new Fault(
      'InvalidParameter',
      `The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster: '${missing.capacityProvider}'. Associate the capacity provider with the cluster and try again.`,
    );
  }
  return strategy;
}
