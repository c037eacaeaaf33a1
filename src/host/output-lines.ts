/** Pure: spool records to log events. A line that came in pieces is one event; nothing is larger than CloudWatch Logs takes. */
import { limits } from '#base/limits.ts';
import type { OutputEvent } from '#link/protocol.ts';
import type { OutputRecord } from '#sandbox/driver.ts';

/** Unfinished line of one container and source. */
type Piece = {
  container: string;
  source: 'stdout' | 'stderr';
  startOffset: number;
  end: number;
  timeMs: number;
  parts: Buffer[];
  bytes: number;
};

export type LineJoiner = {
  /** What is unfinished is flushed after so long. */
  flushMs: number;
  /** Events that this record finishes. `from`, `to`: its place in the spool. */
  push(record: OutputRecord, from: number, to: number): OutputEvent[];
  /** What is unfinished, as events of its own. */
  flush(): OutputEvent[];
  /** First spool offset that isn't in an event yet, or undefined when all is. */
  pendingFrom(): number | undefined;
  /**
   * `to`, or where the line began that `to` lies in: reading again goes on only where a record begins, and an event that is part of a
   * line ends anywhere. Called with offsets that grow.
   */
  restartAt(to: number): number;
};

/** In place of what the spool had no room for, so that nobody takes the log for complete. */
export const LOST = '[berth: output is missing here, it came faster than it could be stored]';

/** What is surely no larger than an event may be, whatever its bytes become as text. */
const WHOLE_BYTES = Math.floor(limits.logEventBytes / 6);
/** An unfinished line goes out as it is after so long: it must not hold up the other containers. */
const FLUSH_MS = 1_000;

/** An event's JSON may be six times its text: this bounds it well below a frame. */
export const ENCODED_BYTES = limits.frameBytes / 2;

export function createLineJoiner(): LineJoiner {
  const pieces = new Map<string, Piece>();
  /** Places in the spool that several events came of. */
  let cut: { from: number; to: number }[] = [];

  const finish = (piece: Piece): OutputEvent[] => {
    const events = eventsOf(piece);
    if (events.length > 1) cut.push({ from: piece.startOffset, to: piece.end });
    return events;
  };

  /** What came before the loss is all there is of its line. */
  const lost = (key: string, record: OutputRecord, from: number, to: number): OutputEvent[] => {
    const before = pieces.get(key);
    pieces.delete(key);
    cut.push({ from, to });
    const notice = { container: record.container, source: record.source, time: record.timeMs, text: LOST, end: from + 1 };
    return [...(before === undefined ? [] : finish(before)), notice];
  };

  return {
    flushMs: FLUSH_MS,
    push(record, from, to) {
      if (pieces.size === 0 && !record.partial && !record.gap && record.data.length <= WHOLE_BYTES) return [wholeLine(record, to)];
      const key = `${record.source}/${record.container}`;
      const notice = record.gap ? lost(key, record, from, to) : [];
      const piece = pieces.get(key) ?? {
        container: record.container,
        source: record.source,
        startOffset: from,
        end: to,
        timeMs: record.timeMs,
        parts: [],
        bytes: 0,
      };
      piece.parts.push(record.data);
      piece.bytes += record.data.length;
      piece.end = to;
      if (record.partial && piece.bytes < limits.logEventBytes) {
        pieces.set(key, piece);
        return notice;
      }
      pieces.delete(key);
      return [...notice, ...finish(piece)];
    },
    flush() {
      const all = [...pieces.values()].sort((a, b) => a.end - b.end);
      pieces.clear();
      return all.flatMap(finish);
    },
    pendingFrom() {
      let first: number | undefined;
      for (const piece of pieces.values()) if (first === undefined || piece.startOffset < first) first = piece.startOffset;
      return first;
    },
    restartAt(to) {
      cut = cut.filter((place) => place.to > to);
      return cut.reduce((at, place) => (place.from < to ? Math.min(at, place.from) : at), to);
    },
  };
}

/** Nearly every line is one: all others take the longer way. */
function wholeLine({ container, source, timeMs, data }: OutputRecord, end: number): OutputEvent {
  return { container, source, time: timeMs, text: data.toString('utf8'), end };
}

/** Parts of one line get ends of their own within the line's place in the spool, so that a repeat can be cut between them. */
function eventsOf(piece: Piece): OutputEvent[] {
  const text = (piece.parts.length === 1 ? (piece.parts[0] ?? Buffer.alloc(0)) : Buffer.concat(piece.parts)).toString('utf8');
  const parts = splitText(text);
  const span = piece.end - piece.startOffset;
  return parts.map((part, index) => ({
    container: piece.container,
    source: piece.source,
    time: piece.timeMs,
    text: part,
    end: piece.startOffset + Math.floor((span * (index + 1)) / parts.length),
  }));
}

/** Parts of a text that are each small enough as an event and as JSON; never cut inside a character. */
export function splitText(text: string): string[] {
  if (text.length * 6 <= ENCODED_BYTES && text.length * 3 <= limits.logEventBytes) return [text];
  if (Buffer.byteLength(text) <= limits.logEventBytes && Buffer.byteLength(JSON.stringify(text)) <= ENCODED_BYTES) return [text];
  const middle = text.length >> 1;
  const code = text.charCodeAt(middle);
  const cut = code >= 0xdc00 && code <= 0xdfff ? middle + 1 : middle;
  return [...splitText(text.slice(0, cut)), ...splitText(text.slice(cut))];
}
