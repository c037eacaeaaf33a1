/** Labels with something of their series in them. Source: CloudWatch user guide, "Using dynamic labels". */
import type { TimeSeries } from './expression.ts';

const statistics: Record<string, (values: number[]) => number | undefined> = {
  AVG: (values) => (values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length),
  SUM: (values) => values.reduce((sum, value) => sum + value, 0),
  MIN: (values) => (values.length === 0 ? undefined : Math.min(...values)),
  MAX: (values) => (values.length === 0 ? undefined : Math.max(...values)),
  FIRST: (values) => values[0],
  LAST: (values) => values.at(-1),
  DATAPOINT_COUNT: (values) => values.length,
};

/** `own`: what `${LABEL}` is. A word that isn't known stays as it is written. */
export function labelText(template: string, own: string, { about, periodS, values }: TimeSeries): string {
  return template.replaceAll(/\$\{(?:PROP\('([^']*)'\)|([A-Z_]+))\}/g, (whole, property: string | undefined, word: string | undefined) => {
    if (property !== undefined) return about === undefined ? '' : propertyOf(property, about, periodS);
    if (word === 'LABEL') return own;
    const statistic = statistics[word ?? ''];
    if (statistic === undefined) return whole;
    const value = statistic([...values.values()]);
    return value === undefined ? '--' : String(Number(value.toPrecision(6)));
  });
}

function propertyOf(name: string, about: NonNullable<TimeSeries['about']>, periodS: number): string {
  if (name.startsWith('Dim.')) return about.dimensions[name.slice('Dim.'.length)] ?? '';
  const known: Record<string, string> = {
    AccountId: about.account,
    Region: about.region,
    Namespace: about.namespace,
    MetricName: about.name,
    Stat: about.statistic,
    Period: String(periodS),
  };
  return known[name] ?? '';
}
