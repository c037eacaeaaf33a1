/** What metric filters of log groups found, into metrics. */
import type { FilterSink } from '#logs/index.ts';
import { statisticSet } from '#metrics/index.ts';
import type { Metrics } from '#metrics/types.ts';

export function createFilterSink(metrics: Metrics): FilterSink {
  return (found) =>
    metrics.put(
      found.map(({ account, region, namespace, name, dimensions, unit, at, values }) => ({
        series: { account, region, namespace, name, dimensions, unit },
        at,
        values: statisticSet(values),
      })),
    );
}
