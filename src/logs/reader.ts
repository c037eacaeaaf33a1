/** Reads events back in order of (timestamp, stream, number), page by page, with memory bounded by the page and one segment. */
import { limits } from '#base/limits.ts';
import type { Catalog } from './catalog.ts';
import { readRecords } from './records.ts';
import type { EventsBody, SegmentFiles } from './segments.ts';
import type { StreamStates } from './stream-states.ts';
import type { Writer } from './writer.ts';

/** A place in the order of events; also what tokens are made of. */
export type Cursor = { at: number; stream: number; seq: number };
export type FoundEvent = Cursor & { ingestedAt: number; message: string };

export type Range = {
  /** Milliseconds, both inclusive. */
  from: number;
  to: number;
  /** Exclusive bounds. */
  after?: Cursor | undefined;
  before?: Cursor | undefined;
  /** The page's events are the first ones of the range, or the last ones; either way they come in ascending order. */
  newest: boolean;
  limit: number;
  match(message: string): boolean;
};

export type Page = { events: FoundEvent[]; more: boolean };

export function compareCursors(a: Cursor, b: Cursor): number {
  return a.at - b.at || a.stream - b.stream || a.seq - b.seq;
}

export type Reader = { page(streams: Iterable<number> | AsyncIterable<number>, range: Range): Promise<Page> };

export function createReader(parts: { catalog: Catalog; files: SegmentFiles; states: StreamStates; writer: Writer }): Reader {
  const { catalog, files, states, writer } = parts;

  /** Segments that may hold events of the range, in the order in which they fill the page soonest. */
  function segmentsOf(stream: number, range: Range) {
    const state = states.get(stream);
    const end = writer.published(stream) ?? state;
    const rows = catalog.segments(stream).filter((row) => row.no < end.no);
    const last = { no: end.no, size: end.size, earliest: end.no === state.no ? state.earliest : -Infinity, latest: end.no === state.no ? state.latest : Infinity }; // prettier-ignore
    const all = [...rows.map((row) => ({ ...row, size: Infinity })), last];
    const within = all.filter(({ earliest, latest, size }) => size > 0 && latest >= range.from && earliest <= range.to);
    return within.sort((a, b) => (range.newest ? b.latest - a.latest : a.earliest - b.earliest));
  }

  return {
    async page(streams, range) {
      const found = createCollector(range);
      for await (const stream of streams) {
        for (const { no, size, earliest, latest } of segmentsOf(stream, range)) {
          if (found.excludes(earliest, latest)) continue;
          const data = await files.read(stream, no);
          collectSegment(data.subarray(0, Math.min(size, data.length)), stream, range, found);
        }
      }
      return found.page();
    },
  };
}

function collectSegment(data: Buffer, stream: number, range: Range, found: Collector): void {
  for (const record of readRecords(data)) {
    if (record.count === 0 || record.latest < range.from || record.earliest > range.to) continue;
    if (found.excludes(record.earliest, record.latest)) continue;
    const body = record.body() as EventsBody;
    body.e.forEach(([at, message], index) => {
      if (at < range.from || at > range.to) return;
      const event: FoundEvent = { at, stream, seq: body.q + index, ingestedAt: body.i, message };
      if (range.after !== undefined && compareCursors(event, range.after) <= 0) return;
      if (range.before !== undefined && compareCursors(event, range.before) >= 0) return;
      if (range.match(message)) found.add(event);
    });
  }
}

type Collector = ReturnType<typeof createCollector>;

/** Keeps the best events of all it is shown: as many as a page has, by number and by bytes. */
function createCollector(range: Range) {
  const order = range.newest ? (a: FoundEvent, b: FoundEvent) => compareCursors(b, a) : compareCursors;
  let kept: FoundEvent[] = [];
  let bytes = 0;
  let more = false;
  /** No event past this one can get onto the page. */
  let bound: FoundEvent | undefined;
  const sizeOf = (event: FoundEvent) => event.message.length + limits.logEventOverheadBytes;

  function prune(): void {
    kept.sort(order);
    let size = 0;
    let count = 0;
    for (const event of kept) {
      size += sizeOf(event);
      if (count > 0 && (count >= range.limit || size > limits.logPageBytes)) break;
      count++;
    }
    if (count >= kept.length) return;
    more = true;
    kept = kept.slice(0, count);
    bound = kept.at(-1);
    bytes = kept.reduce((sum, event) => sum + sizeOf(event), 0);
  }

  return {
    add(event: FoundEvent): void {
      if (bound !== undefined && order(event, bound) > 0) {
        more = true;
        return;
      }
      kept.push(event);
      bytes += sizeOf(event);
      if (kept.length > 2 * range.limit + 100 || bytes > 4 * limits.logPageBytes) prune();
    },
    /** Whether nothing with these times can get onto the page. */
    excludes(earliest: number, latest: number): boolean {
      if (bound === undefined) return false;
      const out = range.newest ? latest < bound.at : earliest > bound.at;
      if (out) more = true;
      return out;
    },
    page(): Page {
      prune();
      return { events: range.newest ? kept.toReversed() : kept, more };
    },
  };
}
