/** Units of CloudWatch (API reference, MetricDatum). */
const sizes = ['Bytes', 'Kilobytes', 'Megabytes', 'Gigabytes', 'Terabytes', 'Bits', 'Kilobits', 'Megabits', 'Gigabits', 'Terabits'];

export const units: ReadonlySet<string> = new Set([
  'Seconds',
  'Microseconds',
  'Milliseconds',
  ...sizes,
  ...sizes.map((size) => `${size}/Second`),
  'Percent',
  'Count',
  'Count/Second',
  'None',
]);
