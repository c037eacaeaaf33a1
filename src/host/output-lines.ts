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
  /** Events that this record finishes. `from`, `to`: its place in the spool. */
  push(record: OutputRecord, from: number, to: number): OutputEvent[];
  /** What is unfinished, as events of its own. */
  flush(): OutputEvent[];
  /** First spool offset that isn't in an event yet, or undefined when all is. */
  pendingFrom(): number | undefined;
};

/** An event's JSON may be six times its text: this bounds it well below a frame. */
const ENCODED_BYTES = limits.frameBytes / 2;

export function createLineJoiner(): LineJoiner {
  const pieces = new Map<string, Piece>();
  return {
    push(record, from, to) {
      const key = `${record.source}/${record.container}`;
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
        return [];
      }
      pieces.delete(key);
      return eventsOf(piece);
    },
    flush() {
      const all = [...pieces.values()].sort((a, b) => a.end - b.end);
      pieces.clear();
      return all.flatMap(eventsOf);
    },
    pendingFrom() {
      let first: number | undefined;
      for (const piece of pieces.values()) if (first === undefined || piece.startOffset < first) first = piece.startOffset;
      return first;
    },
  };
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
