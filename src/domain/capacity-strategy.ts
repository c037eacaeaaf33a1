/** Capacity provider strategies (ECS API reference, CapacityProviderStrategyItem): checking them, and dividing tasks by base and weight. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';

export type StrategyItem = { capacityProvider: string; weight: number; base: number };

/** The providers that berth has; neither is ever short of what the hosts have. */
export const fargateProviders: readonly string[] = ['FARGATE', 'FARGATE_SPOT'];

/** Defaults filled in (weight 0, base 0). Throws InvalidParameter with what is wrong. */
export function assertStrategy(
  items: readonly { capacityProvider?: string | undefined; weight?: number | undefined; base?: number | undefined }[],
): StrategyItem[] {
  const strategy = items.map((item) => ({ capacityProvider: item.capacityProvider ?? '', weight: item.weight ?? 0, base: item.base ?? 0 }));
  const refuse = (text: string) => new Fault('InvalidParameter', text);
  if (strategy.length > limits.strategyItems) throw refuse(`A capacity provider strategy can have up to ${limits.strategyItems} items.`);
  for (const item of strategy) {
    if (!(item.weight >= 0 && item.weight <= 1000)) throw refuse('The weight of a capacity provider must be between 0 and 1000.');
    if (!(item.base >= 0 && item.base <= 100_000)) throw refuse('The base of a capacity provider must be between 0 and 100000.');
  }
  if (new Set(strategy.map((item) => item.capacityProvider)).size !== strategy.length) {
    throw refuse('A capacity provider can be specified only once in a capacity provider strategy.');
  }
  if (strategy.filter((item) => item.base > 0).length > 1)
    throw refuse('Only one capacity provider in a capacity provider strategy can have a base defined.');
  if (strategy.length > 0 && strategy.every((item) => item.weight === 0)) {
    throw refuse('A capacity provider strategy must contain at least one capacity provider with a weight greater than 0.');
  }
  return strategy;
}

/**
 * The provider of each of `count` tasks: the base first, then by weight, always the one that is furthest behind its share.
 */
export function divide(strategy: readonly StrategyItem[], count: number): string[] {
  const given = new Map<string, number>(strategy.map((item) => [item.capacityProvider, 0]));
  const based = strategy.find((item) => item.base > 0);
  const chosen: string[] = [];
  for (let index = 0; index < count; index++) {
    const next = based !== undefined && index < based.base ? based : furthestBehind(strategy, given, based);
    if (next === undefined) break;
    given.set(next.capacityProvider, (given.get(next.capacityProvider) ?? 0) + 1);
    chosen.push(next.capacityProvider);
  }
  return chosen;
}

function furthestBehind(
  strategy: readonly StrategyItem[],
  given: Map<string, number>,
  based: StrategyItem | undefined,
): StrategyItem | undefined {
  const weighted = strategy.filter((item) => item.weight > 0);
  const load = (item: StrategyItem) => ((given.get(item.capacityProvider) ?? 0) - (item === based ? item.base : 0)) / item.weight;
  return weighted.reduce<StrategyItem | undefined>(
    (best, item) => (best === undefined || load(item) < load(best) ? item : best),
    undefined,
  );
}
