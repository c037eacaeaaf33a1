/** Reads events back in order of (timestamp, stream, number), page by page, with memory bounded by the page and one segment. */
import { limits } from '#base/limits.ts';
import { walkPacked } from '#base/packed-events.ts';
import type { Catalog } from './catalog.ts';
import { decodeEvents, type EventsBody } from './event-records.ts';
import type { Matcher } from './pattern.ts';
import { readRecords } from './records.ts';
import type { SegmentFiles } from './segments.ts';
import { createSieve } from './sieve.ts';
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
  match: Matcher;
};

export type Page = { events: FoundEvent[]; more: boolean };

export function compareCursors(a: Cursor, b: Cursor): number {
  return a.at - b.at || a.stream - b.stream || a.seq - b.seq;
}

export type Reader = {
  page(streams: Iterable<number> | AsyncIterable<number>, range: Range): Promise<Page>;
  /** Records of a stream that may have events in the range, in no order; their events are the caller's to look at. */
  records(stream: number, from: number, to: number): AsyncGenerator<EventsBody>;
};

/** Whole records of one segment, from one byte to another, and the times of their events. */
type Part = { no: number; start: number; end: number; earliest: number; latest: number };

export function createReader(parts: { catalog: Catalog; files: SegmentFiles; states: StreamStates; writer: Writer }): Reader {
  const { catalog, files, states, writer } = parts;

  /** What may hold events of the range, in the order in which it fills the page soonest. */
  function partsOf(stream: number, range: Pick<Range, 'from' | 'to' | 'newest'>): Part[] {
    const state = states.get(stream);
    const end = writer.published(stream) ?? state;
    const closed = catalog.segments(stream).filter((row) => row.no < end.no).map((row) => ({ ...row, start: 0, end: Infinity })); // prettier-ignore
    const last =
      end.no === state.no
        ? state.parts.map((part, i) => ({ no: end.no, ...part, end: Math.min(end.size, state.parts[i + 1]?.start ?? Infinity) }))
        : [{ no: end.no, start: 0, end: end.size, earliest: -Infinity, latest: Infinity }];
    const within = [...closed, ...last].filter((part) => part.end > part.start && part.latest >= range.from && part.earliest <= range.to);
    return within.sort((a, b) => (range.newest ? b.latest - a.latest : a.earliest - b.earliest));
  }

  return {
    async page(streams, range) {
      const found = createCollector(range);
      for await (const stream of streams) {
        for (const { no, start, end, earliest, latest } of partsOf(stream, range)) {
          if (found.excludes(earliest, latest)) continue;
          collectRecords(await files.read(stream, no, start, end), stream, range, found);
        }
      }
      return found.page();
    },
    async *records(stream, from, to) {
      for (const { no, start, end } of partsOf(stream, { from, to, newest: true })) {
        for (const record of readRecords(await files.read(stream, no, start, end))) {
          if (record.count > 0 && record.latest >= from && record.earliest <= to) yield decodeEvents(record);
        }
      }
    },
  };
}

function collectRecords(data: Buffer, stream: number, range: Range, found: Collector): void {
  for (const record of readRecords(data)) {
    if (record.count === 0 || record.latest < range.from || record.earliest > range.to) continue;
    if (found.excludes(record.earliest, record.latest)) continue;
    collectEvents(decodeEvents(record), stream, range, found);
  }
}

function collectEvents({ events, firstSeq, ingestedAt }: EventsBody, stream: number, range: Range, found: Collector): void {
  const candidate = createSieve(events, range.match.needles);
  if (!candidate(0, events.length)) return;
  walkPacked(events, (index, at, start, end) => {
    // Most events are none of the answer: what costs least is asked first, and the text is made last.
    if (at < range.from || at > range.to || !candidate(start, end) || found.excludes(at, at)) return;
    const place: Cursor = { at, stream, seq: firstSeq + index };
    if (range.after !== undefined && compareCursors(place, range.after) <= 0) return;
    if (range.before !== undefined && compareCursors(place, range.before) >= 0) return;
    const message = events.toString('utf8', start, end);
    if (range.match(message)) found.add({ ...place, ingestedAt, message });
  });
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
