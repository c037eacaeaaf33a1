/** Metrics and expressions of one GetMetricData call, or of one alarm, which may read each other. */
import { Fault } from '#base/fault.ts';
import type { MetricQuery } from '#domain/metric-query.ts';
import type { Scope } from '#domain/scope.ts';
import { evaluate } from './expression.ts';
import type { TimeSeries, Value } from './expression.ts';
import { limits } from '#base/limits.ts';
import { labelText } from './labels.ts';
import { parseSearch } from './search-terms.ts';
import { isStatistic, statistic } from './statistics.ts';
import type { Metrics, Series, Span } from './types.ts';

/** `values`: by the start of the period, ms, in order of time. */
export type QueryResult = { id: string; label: string; values: Map<number, number> };

const MOST_TIMES = 200_000;

/** Throws Fault InvalidParameter, Unsupported: see `evaluate`. [start, end) in ms. */
export function runQueries(
  metrics: Metrics,
  scope: Scope,
  queries: readonly MetricQuery[],
  { start, end }: { start: number; end: number },
): QueryResult[] {
  const periodS = Math.max(60, ...queries.map((query) => query.periodS ?? 0));
  const times = Array.from(
    { length: Math.min(MOST_TIMES, Math.ceil((end - start) / (periodS * 1000))) },
    (_, index) => start + index * periodS * 1000,
  );
  const known = new Map<string, Exclude<Value, string>>();
  const under: string[] = [];

  const valueOf = (query: MetricQuery): Exclude<Value, string> => {
    const had = known.get(query.id);
    if (had !== undefined) return had;
    if (under.includes(query.id))
      throw new Fault('InvalidParameter', `The expressions read each other in a circle: ${[...under, query.id].join(', ')}.`);
    under.push(query.id);
    const value = query.metric === undefined ? computed(query) : measured(metrics, scope, query, { start, end });
    under.pop();
    known.set(query.id, value);
    return value;
  };
  const computed = (query: MetricQuery): Exclude<Value, string> => {
    const value = evaluate(query.expression ?? '', {
      lookup: (id) => {
        const other = queries.find((one) => one.id === id);
        return other === undefined ? undefined : valueOf(other);
      },
      metrics: (text) =>
        queries
          .filter((one) => one.metric !== undefined && (text === '' || labelOf(one).includes(text) || one.id.includes(text)))
          .map((one) => valueOf(one) as TimeSeries),
      search: (text, statisticName, period) =>
        found(metrics, scope, text, statisticName, { start, end, periodS: period ?? query.periodS ?? periodS }),
      times,
      periodS,
    });
    if (typeof value === 'string') throw new Fault('InvalidParameter', `The expression of ${query.id} is a text, not a number.`);
    return value;
  };
  return queries.filter(({ returned }) => returned).flatMap((query) => told(query, valueOf(query), times));
}

function measured(metrics: Metrics, scope: Scope, query: MetricQuery, span: { start: number; end: number }): TimeSeries {
  const { metric, periodS = 60 } = query;
  if (metric === undefined) return { label: '', periodS, values: new Map() };
  const found = metrics.find(scope, metric).map(({ id }) => id);
  const values = metrics.read(found, { ...span, periodS }).flatMap((bucket): [number, number][] => {
    const value = statistic(bucket.values, metric.statistic);
    return value === undefined ? [] : [[bucket.at, value]];
  });
  return { label: labelOf(query), periodS, values: new Map(values), about: { account: scope.account, region: scope.region, ...metric } };
}

/** Of series of several units that are one metric, one. Throws InvalidParameter, LimitExceeded. */
function found(metrics: Metrics, scope: Scope, text: string, name: string, span: Span): TimeSeries[] {
  if (!isStatistic(name)) throw new Fault('InvalidParameter', `SEARCH has a statistic that isn't one: '${name.slice(0, 50)}'.`);
  if (!Number.isInteger(span.periodS) || span.periodS < 60 || span.periodS % 60 !== 0)
    throw new Fault('InvalidParameter', `The period of a SEARCH must be a multiple of 60; it is ${span.periodS}.`);
  const test = parseSearch(text);
  const { account, region } = scope;
  const all = metrics.list({ account, region }).filter((series) => series.lastAt >= span.start && test(series));
  const byMetric = [...Map.groupBy(all, ({ namespace, name: of, dimensions }) => JSON.stringify([namespace, of, dimensions])).values()];
  if (byMetric.length > limits.searchSeries)
    throw new Fault('LimitExceeded', `SEARCH found ${byMetric.length} metrics, more than ${limits.searchSeries}: look for fewer.`);
  return byMetric.flatMap((series) => {
    const [first] = series;
    if (first === undefined) return [];
    const values = metrics
      .read(
        series.map(({ id }) => id),
        span,
      )
      .flatMap((bucket): [number, number][] => {
        const value = statistic(bucket.values, name);
        return value === undefined ? [] : [[bucket.at, value]];
      });
    const { namespace, name: of, dimensions } = first;
    const about = { account, region, namespace, name: of, dimensions, statistic: name };
    return [{ label: foundLabel(first, all), periodS: span.periodS, values: new Map(values), about }];
  });
}

/** By what tells it from the others that were found. */
function foundLabel({ name, dimensions }: Series, all: readonly Series[]): string {
  const differing = Object.entries(dimensions).filter(([key, value]) => all.some((other) => other.dimensions[key] !== value));
  const named = differing.length === 0 || all.some((other) => other.name !== name) ? [name] : [];
  return [...differing.map(([, value]) => value), ...named].join(' ');
}

const labelOf = ({ label, metric, id }: MetricQuery) => label ?? metric?.name ?? id;

/** A number is a series that holds at all times; of a list each one is told, by its own name. */
function told(query: MetricQuery, value: Exclude<Value, string>, times: readonly number[]): QueryResult[] {
  const { id } = query;
  const finite = (all: Iterable<[number, number]>) => new Map([...all].filter(([, one]) => Number.isFinite(one)));
  if (typeof value === 'number') return [{ id, label: labelOf(query), values: finite(times.map((at) => [at, value])) }];
  const dynamic = query.label?.includes('${') === true ? query.label : undefined;
  if (!Array.isArray(value)) {
    const own = query.metric?.name ?? query.id;
    return [{ id, label: dynamic === undefined ? labelOf(query) : labelText(dynamic, own, value), values: finite(value.values) }];
  }
  const before = query.label === undefined ? '' : `${query.label} `;
  return value.map((one) => ({
    id,
    label: dynamic === undefined ? `${before}${one.label}` : labelText(dynamic, one.label, one),
    values: finite(one.values),
  }));
}
