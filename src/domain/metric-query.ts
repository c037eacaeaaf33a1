/** What a GetMetricData call or an alarm asks for: a metric with a statistic, or metric math over others of the same. */
export type MetricQuery = {
  id: string;
  label: string | undefined;
  /** Whether it is told, or only read by others. */
  returned: boolean;
  /** Seconds; an expression without one has the longest of those it stands beside. */
  periodS: number | undefined;
  metric?: { namespace: string; name: string; dimensions: Readonly<Record<string, string>>; statistic: string; unit?: string };
  expression?: string;
};
