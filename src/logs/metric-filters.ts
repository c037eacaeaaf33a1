/**
 * Metric filters at work: what matches of the events that are committed becomes values of metrics, handed on once a second. A point has its event's time. In a minute that
 * brought events of which none matched, the default value stands. Source: CloudWatch Logs user guide, "Creating metrics from log events using filters".
 *
 * An event counts once it is stored, and never twice; a control plane that is killed loses what of the last second it had not handed on.
 */
import type { Clock, Timer } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { FilterRow } from './catalog-filters.ts';
import { compilePattern, type Matcher } from './pattern.ts';
import { eachMatch } from './sieve.ts';
import type { Committed, Taps } from './taps.ts';
import type { FilterValues, MetricTransformation } from './types.ts';

const MINUTE_MS = 60_000;

/** Takes what filters found; durable when it resolves. */
export type FilterSink = (values: FilterValues[]) => Promise<void>;

type Active = {
  row: FilterRow;
  match: Matcher;
  transformations: MetricTransformation[];
  /** The minute that events came in last, and whether one of them matched. */
  minute: number;
  matched: boolean;
};

export type MetricFilters = ReturnType<typeof createMetricFilters>;

export function createMetricFilters(deps: { clock: Clock; log: Log; taps: Taps; sink: FilterSink }) {
  const { clock, log, taps, sink } = deps;
  const groups = new Map<number, { active: Active[]; stop: () => void }>();
  let waiting = new Map<string, FilterValues>();
  let timer: Timer | undefined;
  let handing: Promise<void> = Promise.resolve();

  function take({ events }: Committed, active: Active[]): void {
    const minute = Math.floor(clock.now() / MINUTE_MS);
    for (const one of active) {
      if (one.minute !== minute) {
        defaultOf(one);
        Object.assign(one, { minute, matched: false });
      }
      eachMatch(events, one.match, (at, message) => {
        one.matched = true;
        for (const transformation of one.transformations) add(one.row, transformation, at, valuesOf(one.match, transformation, message));
      });
    }
    timer ??= clock.after(limits.logFilterEveryMs, tick);
  }

  function defaultOf({ row, transformations, minute, matched }: Active): void {
    if (minute === 0 || matched) return;
    for (const transformation of transformations) {
      if (transformation.defaultValue === null) continue;
      add(row, transformation, minute * MINUTE_MS, { value: transformation.defaultValue, dimensions: {} });
    }
  }

  function add(row: FilterRow, transformation: MetricTransformation, at: number, found: Found | undefined): void {
    if (found === undefined) return;
    const { account, region } = row;
    const { namespace, name, unit } = transformation;
    const minute = at - (at % MINUTE_MS);
    const key = JSON.stringify([account, region, namespace, name, unit, minute, found.dimensions]);
    const known = waiting.get(key);
    if (known === undefined && waiting.size >= limits.logFilterSeries) return;
    const entry = known ?? {
      account,
      region,
      namespace,
      name,
      unit,
      at: minute,
      dimensions: found.dimensions,
      values: new Map<number, number>(),
    };
    // Of more values than that in a second the mean is near enough, and the sum is right.
    if (entry.values.size >= limits.logFilterValues && !entry.values.has(found.value)) entry.values = meanOf(entry.values);
    entry.values.set(found.value, (entry.values.get(found.value) ?? 0) + 1);
    waiting.set(key, entry);
  }

  function tick(): void {
    timer = undefined;
    const minute = Math.floor(clock.now() / MINUTE_MS);
    let open = false;
    for (const { active } of groups.values()) {
      for (const one of active) {
        if (one.minute === 0) continue;
        if (one.minute === minute) open ||= !one.matched && one.transformations.some((each) => each.defaultValue !== null);
        else {
          defaultOf(one);
          one.minute = 0;
        }
      }
    }
    handing = hand();
    if (open) timer = clock.after(limits.logFilterEveryMs, tick);
  }

  async function hand(): Promise<void> {
    if (waiting.size === 0) return;
    const values = [...waiting.values()];
    waiting = new Map();
    await sink(values).catch((error: unknown) =>
      log.warn('metric-filter-values-lost', { series: values.length, reason: asFault(error).message }),
    );
  }

  return {
    /** The filters of one group from now on. A pattern that can't be read (an older berth took it) is passed over. */
    set(groupId: number, rows: FilterRow[]): void {
      const before = groups.get(groupId);
      before?.stop();
      groups.delete(groupId);
      const active = rows.flatMap((row) => activeOf(row, before?.active) ?? []);
      if (active.length > 0) groups.set(groupId, { active, stop: taps.add([groupId], (committed) => take(committed, active)) });
    },
    /** Hands on what waits. */
    async close(): Promise<void> {
      timer?.cancel();
      await handing;
      await hand();
    },
  };
}

function activeOf(row: FilterRow, before: Active[] | undefined): Active | undefined {
  const same = before?.find((one) => one.row.filter.name === row.filter.name);
  try {
    const match = compilePattern(row.filter.pattern);
    return { row, match, transformations: row.filter.transformations, minute: same?.minute ?? 0, matched: same?.matched ?? false };
  } catch {
    return undefined;
  }
}

type Found = { value: number; dimensions: Record<string, string> };

/** Undefined where the event lacks what the value or a dimension is taken from: then there is no point. */
function valuesOf(match: Matcher, { value, dimensions }: MetricTransformation, message: string): Found | undefined {
  const read = (selector: string) => match.read?.(selector)(message);
  const number = value.startsWith('$') ? toNumber(read(value)) : Number(value);
  if (number === undefined || !Number.isFinite(number)) return undefined;
  const out: Record<string, string> = {};
  for (const [name, selector] of Object.entries(dimensions)) {
    const text = read(selector);
    if (text === undefined || text === '' || text.length > 255) return undefined;
    out[name] = text;
  }
  return { value: number, dimensions: out };
}

const toNumber = (text: string | undefined): number | undefined => (text === undefined || text.trim() === '' ? undefined : Number(text));

function meanOf(values: Map<number, number>): Map<number, number> {
  let [sum, count] = [0, 0];
  for (const [value, times] of values) [sum, count] = [sum + value * times, count + times];
  return new Map([[sum / count, count]]);
}
