/** What is known of the streams in use, held in memory for some of them, read back from their last segment otherwise. */
import { limits } from '#base/limits.ts';
import type { Catalog, SegmentRow, StreamStats } from './catalog.ts';
import { encodeRecord, readRecords, type RecordHead } from './records.ts';
import type { Redo } from './redo-log.ts';
import type { EventsBody, SegmentFiles, StateBody } from './segments.ts';
import type { LogEvent } from './types.ts';

export type StreamState = {
  id: number;
  /** The segment that is written to, how far, and the times of its events. */
  no: number;
  size: number;
  earliest: number;
  latest: number;
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
    return { id, no: 0, size: 0, earliest: Infinity, latest: -Infinity, seq: 1, sources: new Map(), stats, dirty: false };
  }

  function scan(id: number, no: number): StreamState | undefined {
    const data = files.readSync(id, no);
    let state: StreamState | undefined;
    for (const record of readRecords(data)) {
      if (state === undefined) {
        const body = record.body() as StateBody;
        state = { id, no, size: record.end, earliest: Infinity, latest: -Infinity, seq: body.seq, sources: new Map(body.sources), stats: body.stats, dirty: true }; // prettier-ignore
      } else {
        applyEvents(state, record, record.body() as EventsBody);
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
    Object.assign(state, { no: state.no + 1, size: 0, earliest: Infinity, latest: -Infinity });
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
    append(state: StreamState, events: LogEvent[], now: number, source: [string, number] | undefined): Redo[] {
      const out: Redo[] = [];
      const place = (bytes: Buffer) => {
        out.push({ stream: state.id, segment: state.no, position: state.size, bytes });
        state.size += bytes.length;
      };
      const body: EventsBody = { i: now, q: state.seq, ...(source === undefined ? {} : { s: source }), e: events.map((e) => [e.timestamp, e.message]) }; // prettier-ignore
      const head = headOf(events);
      const bytes = encodeRecord(head, body);
      if (state.size > 0 && state.size + bytes.length > limits.logSegmentBytes) closeSegment(state);
      if (state.size === 0) place(encodeState(state));
      place(bytes);
      applyEvents(state, head, body);
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
  return encodeRecord({ earliest: Infinity, latest: -Infinity, count: 0 }, body);
}

function headOf(events: LogEvent[]): RecordHead {
  let earliest = Infinity;
  let latest = -Infinity;
  for (const { timestamp } of events) {
    if (timestamp < earliest) earliest = timestamp;
    if (timestamp > latest) latest = timestamp;
  }
  return { earliest, latest, count: events.length };
}

function applyEvents(state: StreamState, head: RecordHead, body: EventsBody): void {
  if (body.s !== undefined) {
    state.sources.delete(body.s[0]);
    state.sources.set(body.s[0], body.s[1]);
    const [oldest] = state.sources.keys();
    if (state.sources.size > limits.logSourcesPerStream && oldest !== undefined) state.sources.delete(oldest);
  }
  state.dirty = true;
  if (head.count === 0) return;
  state.seq = body.q + head.count;
  state.earliest = Math.min(state.earliest, head.earliest);
  state.latest = Math.max(state.latest, head.latest);
  const { stats } = state;
  stats.firstEventAt = Math.min(stats.firstEventAt ?? Infinity, head.earliest);
  stats.lastEventAt = Math.max(stats.lastEventAt ?? -Infinity, head.latest);
  stats.lastIngestionAt = body.i;
  for (const [, message] of body.e) stats.storedBytes += Buffer.byteLength(message) + limits.logEventOverheadBytes;
}
