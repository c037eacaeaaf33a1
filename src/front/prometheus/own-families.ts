/** The control plane itself: what it counted, and its process. */
import { readdirSync } from 'node:fs';
import type { MeterFamily } from '#base/meters.ts';
import type { Book, Family, Sample } from './exposition.ts';

export function meterFamilies(book: Book, families: readonly MeterFamily[]): void {
  for (const family of families) book.family(family.bounds === undefined ? counterOf(family) : histogramOf(family, family.bounds));
}

const named = (names: readonly string[], values: readonly string[]) =>
  Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));

function counterOf({ name, help, labels, series }: MeterFamily): Family {
  const samples = series.map((one) => ({ suffix: '', labels: named(labels, one.labels), value: one.values[0] ?? 0 }));
  return { name, type: 'counter', help, samples };
}

function histogramOf({ name, help, labels, series }: MeterFamily, bounds: readonly number[]): Family {
  const samples = series.flatMap((one): Sample[] => {
    const of = named(labels, one.labels);
    let count = 0;
    const buckets = [...bounds, Infinity].map((bound, index) => {
      count += one.values[index] ?? 0;
      return { suffix: '_bucket', labels: { ...of, le: bound === Infinity ? '+Inf' : String(bound) }, value: count };
    });
    const sum = one.values[bounds.length + 1] ?? 0;
    return [...buckets, { suffix: '_sum', labels: of, value: sum }, { suffix: '_count', labels: of, value: count }];
  });
  return { name, type: 'histogram', help, samples };
}

/** In the names that all of Prometheus' client libraries have for them. */
export function processFamilies(book: Book): void {
  const { user, system } = process.cpuUsage();
  book.add('counter', 'process_cpu_seconds', 'Processor time of the control plane.', {}, (user + system) / 1e6);
  book.add('gauge', 'process_resident_memory_bytes', 'Resident memory of the control plane.', {}, process.memoryUsage.rss());
  book.add('gauge', 'process_start_time_seconds', 'When the control plane began, since the epoch.', {}, performance.timeOrigin / 1000);
  book.add('gauge', 'process_open_fds', 'Files and sockets that the control plane has open.', {}, openFiles());
}

function openFiles(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return undefined; // Where /proc isn't to be seen the family is left out.
  }
}
