/** PROMISES.md holds the numbers; benchmarks read them from there and report against them. */
import { readFileSync } from 'node:fs';
import { seededRandom } from '#base/random.ts';

export type Promised = { name: string; what: string; holds: (value: number) => boolean; bar: string };

export function promised(name: string): Promised {
  const text = readFileSync(new URL('../PROMISES.md', import.meta.url), 'utf8');
  const row = text.split('\n').find((line) => line.startsWith(`| ${name} |`));
  if (row === undefined) throw new Error(`PROMISES.md has no row '${name}'`);
  const [, , what = '', bar = ''] = row.split('|').map((cell) => cell.trim());
  const parsed = /^(>=|<=) ([\d.]+)$/.exec(bar);
  if (parsed === null) throw new Error(`PROMISES.md, row '${name}': '${bar}' is not '>= N' or '<= N'`);
  const number = Number(parsed[2]);
  return { name, what, bar, holds: (value) => (parsed[1] === '>=' ? value >= number : value <= number) };
}

/** Prints one measured promise; true when it holds. */
export function report(name: string, value: number, detail: string): boolean {
  const promise = promised(name);
  const holds = promise.holds(value);
  console.log(`${holds ? 'holds ' : 'MISSED'}  ${name.padEnd(18)} ${value.toFixed(2).padStart(9)}  (promise ${promise.bar})  ${detail}`);
  return holds;
}

export function quantile(values: number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;
}
export const median = (values: number[]): number => quantile(values, 0.5);

const RESAMPLES = 4000;
/** The q-quantile of the medians of samples drawn from these values with replacement: 0.05 is the lower 95 % bound of their median, 0.95 the upper. */
export function medianBound(values: number[], q: number): number {
  const random = seededRandom(1);
  const draw = () => values[Math.floor(random.fraction() * values.length)] ?? NaN;
  const medians = Array.from({ length: RESAMPLES }, () => middle(values.map(draw)));
  return quantile(medians, q);
}

/** The median, of an even number the mean of the two in the middle. */
export function middle(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] ?? NaN) + (sorted[Math.floor(half)] ?? NaN)) / 2;
}
