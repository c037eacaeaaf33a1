/**
 * A batch of output as a binary frame: a quarter of a million lines a second pass here, and JSON would cost more than all else on their way.
 * u32 length of a head in JSON (what the batch has beside its events, and the containers' names), the head, then the events one behind the
 * other: u8 index of the container, u8 1 = stdout 2 = stderr, u48 milliseconds, u32 `end` beyond the batch's `from`, u32 length, text in UTF-8.
 * Or, in a frame of another kind, the same head and then runs of records as they came from the supervisor (base/output-run.ts).
 */
import { Fault } from '#base/fault.ts';
import { timeAt, writeTime } from '#base/packed-events.ts';
import type { OutputBatch, OutputEvent } from './protocol.ts';

export const OUTPUT_BATCH_FRAME = 2;
export const OUTPUT_RUNS_FRAME = 3;
/** Bytes of an event beside its text. */
export const OUTPUT_EVENT_HEAD = 16;

type Head = Omit<OutputBatch, 'events' | 'runs'> & { containers: string[] };

export function encodeOutputBatch({ events, runs: _runs, ...batch }: OutputBatch): Buffer {
  const containers = [...new Set(events.map((event) => event.container))];
  const head = Buffer.from(JSON.stringify({ ...batch, containers } satisfies Head));
  const most = events.reduce((sum, event) => sum + OUTPUT_EVENT_HEAD + Buffer.byteLength(event.text), 4 + head.length);
  const out = Buffer.allocUnsafe(most);
  out.writeUInt32BE(head.length, 0);
  let at = 4 + head.copy(out, 4);
  for (const event of events) {
    const length = out.write(event.text, at + OUTPUT_EVENT_HEAD, 'utf8');
    out[at] = containers.indexOf(event.container);
    out[at + 1] = event.source === 'stdout' ? 1 : 2;
    writeTime(out, at + 2, event.time);
    out.writeUInt32BE(event.end - batch.from, at + 8);
    out.writeUInt32BE(length, at + 12);
    at += OUTPUT_EVENT_HEAD + length;
  }
  return out;
}

/** In parts, so that the records are copied once. */
export function encodeOutputRuns({ events: _events, runs, ...batch }: OutputBatch): Buffer[] {
  const head = Buffer.from(JSON.stringify({ ...batch, containers: runs?.names ?? [] } satisfies Head));
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(head.length, 0);
  return [length, head, ...(runs?.bytes ?? [])];
}

/** Who walks over the records finds what is broken in them. Throws ProtocolError. */
export function decodeOutputRuns(payload: Buffer): OutputBatch {
  const begin = payload.length < 4 ? Infinity : 4 + payload.readUInt32BE(0);
  if (begin > payload.length) throw broken(0);
  const { containers, ...batch } = JSON.parse(payload.toString('utf8', 4, begin)) as Head;
  return { ...batch, events: [], runs: { names: containers, bytes: [payload.subarray(begin)] } };
}

/** Throws ProtocolError for what is no such frame. */
export function decodeOutputBatch(payload: Buffer): OutputBatch {
  const begin = payload.length < 4 ? Infinity : 4 + payload.readUInt32BE(0);
  if (begin > payload.length) throw broken(0);
  const { containers, ...batch } = JSON.parse(payload.toString('utf8', 4, begin)) as Head;
  const events: OutputEvent[] = [];
  for (let at = begin; at < payload.length;) {
    const start = at + OUTPUT_EVENT_HEAD;
    const end = start > payload.length ? Infinity : start + payload.readUInt32BE(at + 12);
    const container = containers[payload[at] ?? 0];
    if (end > payload.length || container === undefined) throw broken(at);
    events.push({
      container,
      source: payload[at + 1] === 1 ? 'stdout' : 'stderr',
      time: timeAt(payload, at + 2),
      text: payload.toString('utf8', start, end),
      end: batch.from + payload.readUInt32BE(at + 8),
    });
    at = end;
  }
  return { ...batch, events };
}

function broken(at: number): Fault {
  return new Fault('ProtocolError', `a batch of output is broken at byte ${at}`);
}
