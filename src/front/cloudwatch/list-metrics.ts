/** ListMetrics: those with data in the last two weeks, each once whatever its units; 500 a page. */
import type { ListMetricsInput, ListMetricsOutput } from '@aws-sdk/client-cloudwatch';
import type { Handler } from '#gateway/types.ts';
import { invalidValue } from './errors.ts';
import { checkName, checkNamespace, dimensionsView } from './input.ts';
import { decodeToken, encodeToken } from './tokens.ts';
import type { CloudWatchDeps } from './types.ts';

const PAGE = 500;
const MOST_FILTERS = 10;
const TWO_WEEKS_MS = 14 * 24 * 3600_000;
const THREE_HOURS_MS = 3 * 3600_000;

export function listMetrics({ metrics, clock }: CloudWatchDeps): Handler<ListMetricsInput, ListMetricsOutput> {
  return {
    name: 'ListMetrics',
    async handle(input, { account, region }) {
      const { RecentlyActive: recently, Dimensions: filters = [], NextToken: token } = input;
      if (recently !== undefined && recently !== 'PT3H')
        throw invalidValue(`The value ${String(recently).slice(0, 50)} for parameter RecentlyActive is invalid; PT3H is the only one.`);
      if (filters.length > MOST_FILTERS) throw invalidValue(`The collection Dimensions must not have a size greater than ${MOST_FILTERS}.`);
      const dimensions = Object.fromEntries(filters.map(({ Name, Value }) => [checkName(Name, 'Dimensions.member.Name'), Value ?? null]));
      const found = metrics.list({
        account,
        region,
        dimensions,
        activeSince: clock.now() - (recently === undefined ? TWO_WEEKS_MS : THREE_HOURS_MS),
        ...(input.Namespace === undefined ? {} : { namespace: checkNamespace(input.Namespace) }),
        ...(input.MetricName === undefined ? {} : { name: checkName(input.MetricName, 'MetricName') }),
      });
      const after = decodeToken('metrics', token);
      const seen = new Set<string>();
      const page: (typeof found)[number][] = [];
      for (const series of found) {
        const key = JSON.stringify([series.namespace, series.name, series.dimensions]);
        if (seen.has(key)) continue;
        seen.add(key);
        if (series.id > after) page.push(series);
        if (page.length > PAGE) break;
      }
      const more = page.length > PAGE;
      const shown = page.slice(0, PAGE);
      return {
        Metrics: shown.map(({ namespace, name, dimensions: of }) => ({
          Namespace: namespace,
          MetricName: name,
          Dimensions: dimensionsView(of),
        })),
        ...(more ? { NextToken: encodeToken('metrics', shown.at(-1)?.id ?? 0) } : {}),
      };
    },
  };
}
