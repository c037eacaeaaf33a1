/** What carries a wish's tasks. Only Fargate does here: there are no container instances to place on. */
import { Fault } from '#base/fault.ts';
import { assertStrategy } from '#domain/capacity-strategy.ts';
import type { StrategyItem } from '#domain/capacity-strategy.ts';
import type { ClusterRecord } from '#domain/records.ts';
import type { StrategyWish } from './clusters.ts';

/**
 * The capacity provider strategy to divide tasks by: the call's own, else the cluster's default one; null for the plain launch type FARGATE.
 * Throws InvalidParameter with AWS's texts.
 */
export function carriersOf(cluster: ClusterRecord, wish: { launchType: string | null; strategy: StrategyWish }): StrategyItem[] | null {
  if (wish.launchType !== null && wish.strategy.length > 0) {
    throw new Fault('InvalidParameter', 'Specify either Launch Type or Capacity Provider Strategy, but not both.');
  }
  if (wish.launchType === 'FARGATE') return null;
  const strategy = wish.strategy.length > 0 ? assertStrategy(wish.strategy) : cluster.defaultStrategy;
  if (wish.launchType !== null || strategy.length === 0) {
    throw new Fault('InvalidParameter', 'No Container Instances were found in your cluster.');
  }
  const foreign = strategy.find((item) => !cluster.capacityProviders.includes(item.capacityProvider));
  if (foreign !== undefined) {
    throw new Fault(
      'InvalidParameter',
      `The specified capacity provider '${foreign.capacityProvider}' was not found. Specify a valid capacity provider that is associated with the cluster and try again.`,
    );
  }
  return strategy;
}
