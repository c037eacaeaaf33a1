/**
 * Pure: several lines as one event, as Docker's awslogs driver makes them (daemon/logger/awslogs): an event begins with a line that the
 * pattern matches, and ends where the next begins, where it would grow too large, or after 5 s. Each line keeps its newline.
 */
import { limits } from '#base/limits.ts';
import type { OutputEvent } from '#link/protocol.ts';
import { ENCODED_BYTES } from './output-lines.ts';
import type { LineJoiner } from './output-lines.ts';

/** Docker's `awslogs-force-flush-interval-seconds`, which ECS doesn't offer. */
const FLUSH_MS = 5_000;
/** What is begun must leave room in the window of what is not acknowledged. */
const SPAN_BYTES = limits.outputWindowBytes / 2;

type Begun = { event: OutputEvent; from: number; lines: string[]; bytes: number; encoded: number };

/** `begins`: whether a line is an event's first. */
export function createMultilineJoiner(lines: LineJoiner, begins: (line: string) => boolean): LineJoiner {
  let begun: Begun | undefined;
  const finish = (): OutputEvent[] => {
    const done = begun;
    begun = undefined;
    return done === undefined ? [] : [{ ...done.event, text: done.lines.join('') }];
  };
  const add = (event: OutputEvent, from: number): OutputEvent[] => {
    const bytes = Buffer.byteLength(event.text) + 1;
    const encoded = Buffer.byteLength(JSON.stringify(event.text)) + 2;
    const isFull =
      begun !== undefined &&
      (begun.bytes + bytes > limits.logEventBytes || begun.encoded + encoded > ENCODED_BYTES || event.end - begun.from > SPAN_BYTES);
    const done = isFull || begins(event.text) ? finish() : [];
    begun ??= { event, from, lines: [], bytes: 0, encoded: 0 };
    begun.event = { ...begun.event, end: Math.max(begun.event.end, event.end) };
    begun.lines.push(bytes > limits.logEventBytes ? event.text : `${event.text}\n`);
    begun.bytes += bytes;
    begun.encoded += encoded;
    return done;
  };
  return {
    flushMs: FLUSH_MS,
    push(record, from, to) {
      // A line that ends here began no earlier than what was unfinished.
      const began = lines.pendingFrom() ?? from;
      return lines.push(record, from, to).flatMap((event) => add(event, began));
    },
    flush() {
      const rest = lines.flush().flatMap((event) => add(event, begun?.from ?? 0));
      return [...rest, ...finish()];
    },
    pendingFrom() {
      const pending = lines.pendingFrom();
      if (begun === undefined || pending === undefined) return begun?.from ?? pending;
      return Math.min(begun.from, pending);
    },
    restartAt: (to) => lines.restartAt(to),
  };
}
