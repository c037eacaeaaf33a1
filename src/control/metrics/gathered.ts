/** Values of one look, gathered by series: of several values of one series a statistic set is made. */
import { statisticSet } from '#metrics/index.ts';
import type { Scope } from '#domain/scope.ts';
import type { Dimensions, Sample, SeriesIdentity } from '#metrics/types.ts';

export type Gathered = {
  add(scope: Scope, namespace: string, dimensions: Dimensions, name: string, unit: string, value: number): void;
  samples(at: number): Sample[];
};

export function gather(): Gathered {
  const found = new Map<string, { series: SeriesIdentity; values: number[] }>();
  return {
    add({ account, region }, namespace, dimensions, name, unit, value) {
      if (!Number.isFinite(value)) return;
      const key = JSON.stringify([account, region, namespace, name, unit, dimensions]);
      const known = found.get(key) ?? { series: { account, region, namespace, name, dimensions, unit }, values: [] };
      known.values.push(value);
      found.set(key, known);
    },
    samples: (at) =>
      [...found.values()].map(({ series, values }) => ({ series, at, values: statisticSet(values.map((value) => [value, 1] as const)) })),
  };
}
