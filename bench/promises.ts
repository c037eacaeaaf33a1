/** PROMISES.md holds the numbers; benchmarks read them from there and report against them. */
import { readFileSync } from 'node:fs';

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
