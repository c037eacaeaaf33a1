/** What is known of the streams in use, held in memory for some of them, read back from their last segment otherwise. */
import { limits } from '#base/limits.ts';
import type { PackedEvents } from '#base/packed-events.ts';
import type { Catalog, SegmentRow, StreamStats } from './catalog.ts';
import { decodeEvents, encodeEvents, textBytesIn, type EventsBody } from './event-records.ts';
import { encodeJsonRecord, readRecords, type RecordHead } from './records.ts';
import type { Redo } from './redo-log.ts';
import type { SegmentFiles, StateBody } from './segments.ts';

export type StreamState = {
  id: number;
  /** The segment that is written to, how far, and the times of its events. */
  no: number;
  size: number;
  earliest: number;
  latest: number;
  /** The segment in parts: where each begins, and the times of its events. A reader that follows reads the last one only. */
  parts: { start: number; earliest: number; latest: number }[];
  /** Number of the next event. */
  seq: number;
  /** Offset that was taken of each source, the latest one last. */
  sources: Map<string, number>;
  stats: StreamStats;
  /** Whether the catalogue's statistics are behind. */
  dirty: boolean;
};

export type StreamStates = ReturnType<typeof createStreamStates>;

export function createStreamStates(catalog: Catalog, files: SegmentFiles) {
  const open = new Map<number, StreamState>();

  /** Also for a stream without files. Reads, and mends a torn end. */
  function get(id: number): StreamState {
    const known = open.get(id);
    if (known !== undefined) {
      open.delete(id);
      open.set(id, known); // The most recently used is last.
      return known;
    }
    const state = load(id);
    open.set(id, state);
    return state;
  }

  function load(id: number): StreamState {
    const numbers = files.numbers(id);
    for (let no = numbers.pop(); no !== undefined; no = numbers.pop()) {
      const state = scan(id, no);
      if (state === undefined) {
        files.remove(id, no); // Torn before its first record was whole: nothing in it was acknowledged.
        continue;
      }
      indexClosed(id, numbers);
      state.dirty = differs(state.stats, catalog.streamById(id));
      return state;
    }
    const stats = { firstEventAt: null, lastEventAt: null, lastIngestionAt: null, storedBytes: 0 };
    return { id, no: 0, size: 0, earliest: Infinity, latest: -Infinity, parts: [], seq: 1, sources: new Map(), stats, dirty: false };
  }

  function scan(id: number, no: number): StreamState | undefined {
    const data = files.readSync(id, no);
    let state: StreamState | undefined;
    for (const record of readRecords(data)) {
      if (state === undefined) {
        const body = record.json() as StateBody;
        state = { id, no, size: record.end, earliest: Infinity, latest: -Infinity, parts: [], seq: body.seq, sources: new Map(body.sources), stats: body.stats, dirty: true }; // prettier-ignore
      } else {
        applyEvents(state, record, decodeEvents(record), record.start);
        state.size = record.end;
      }
    }
    if (state !== undefined && state.size < data.length) files.truncate(id, no, state.size);
    return state;
  }

  /** Closed segments that the catalogue has not heard of: a crash came between. */
  function indexClosed(id: number, numbers: number[]): void {
    const known = new Set(catalog.segments(id).map((row) => row.no));
    for (const no of numbers) {
      if (known.has(no)) continue;
      const scanned = scan(id, no);
      index(id, { no, earliest: scanned?.earliest ?? Infinity, latest: scanned?.latest ?? -Infinity });
    }
  }

  function index(id: number, row: SegmentRow): void {
    catalog.addSegment(id, row).catch(() => open.delete(id)); // The next use finds the file and tries again.
  }

  function closeSegment(state: StreamState): void {
    index(state.id, { no: state.no, earliest: state.earliest, latest: state.latest });
    Object.assign(state, { no: state.no + 1, size: 0, earliest: Infinity, latest: -Infinity, parts: [] });
  }

  /** Brings the catalogue's statistics up to date; those of one stream only when it is given. */
  function saveStats(): Promise<void> {
    const behind = [...open.values()].filter((state) => state.dirty);
    if (behind.length === 0) return catalog.settled();
    for (const state of behind) state.dirty = false;
    return catalog.saveStats(behind.map((state) => [state.id, { ...state.stats }])).catch((error: unknown) => {
      for (const state of behind) state.dirty = true;
      throw error;
    });
  }

  return {
    get,
    saveStats,
    /** Appends a batch to the state, and returns what has to be written for it. */
    append(state: StreamState, events: PackedEvents, now: number, source: [string, number] | undefined): Redo[] {
      const out: Redo[] = [];
      const place = (bytes: Buffer) => {
        out.push({ stream: state.id, segment: state.no, position: state.size, bytes });
        state.size += bytes.length;
      };
      const body: EventsBody = { ingestedAt: now, firstSeq: state.seq, source, events: events.bytes };
      const bytes = encodeEvents(events, body);
      if (state.size > 0 && state.size + bytes.length > limits.logSegmentBytes) closeSegment(state);
      if (state.size === 0) place(encodeState(state));
      applyEvents(state, events, body, state.size);
      place(bytes);
      return out;
    },
    /** Goes on in a new segment; returns what has to be written. The old one then only holds what is closed. */
    roll(state: StreamState): Redo[] {
      closeSegment(state);
      const bytes = encodeState(state);
      state.size = bytes.length;
      return [{ stream: state.id, segment: state.no, position: 0, bytes }];
    },
    /** Forgets a stream; the next use reads it from disk. */
    drop: (id: number): void => void open.delete(id),
    /** Makes room; between commits only. */
    async trim(): Promise<void> {
      if (open.size <= limits.logOpenStreams) return;
      await saveStats().catch(() => {}); // Those that stay dirty stay open.
      for (const [id, state] of open) {
        if (open.size <= limits.logOpenStreams / 2) break;
        if (!state.dirty) open.delete(id);
      }
    },
  };
}

function differs(a: StreamStats, b: StreamStats | undefined): boolean {
  if (b === undefined) return false;
  return a.firstEventAt !== b.firstEventAt || a.lastEventAt !== b.lastEventAt || a.lastIngestionAt !== b.lastIngestionAt || a.storedBytes !== b.storedBytes; // prettier-ignore
}

function encodeState(state: StreamState): Buffer {
  const body: StateBody = { v: 1, seq: state.seq, sources: [...state.sources], stats: state.stats };
  return encodeJsonRecord({ earliest: Infinity, latest: -Infinity, count: 0 }, body);
}

/** `start`: where the record begins in the segment. */
function applyEvents(state: StreamState, head: RecordHead, body: EventsBody, start: number): void {
  if (body.source !== undefined) {
    state.sources.delete(body.source[0]);
    state.sources.set(...body.source);
    const [oldest] = state.sources.keys();
    if (state.sources.size > limits.logSourcesPerStream && oldest !== undefined) state.sources.delete(oldest);
  }
  state.dirty = true;
  if (head.count === 0) return;
  state.seq = body.firstSeq + head.count;
  state.earliest = Math.min(state.earliest, head.earliest);
  state.latest = Math.max(state.latest, head.latest);
  const part = state.parts.at(-1);
  if (part === undefined || start - part.start >= limits.logPartBytes)
    state.parts.push({ start, earliest: head.earliest, latest: head.latest });
  else Object.assign(part, { earliest: Math.min(part.earliest, head.earliest), latest: Math.max(part.latest, head.latest) });
  const { stats } = state;
  stats.firstEventAt = Math.min(stats.firstEventAt ?? Infinity, head.earliest);
  stats.lastEventAt = Math.max(stats.lastEventAt ?? -Infinity, head.latest);
  stats.lastIngestionAt = body.ingestedAt;
  stats.storedBytes += textBytesIn(body, head.count) + head.count * limits.logEventOverheadBytes;
}
