/**
 * One lane of a task's output (domain/output-lanes.ts) on its way: records of the spool -> lines -> one batch at a time over the link -> acknowledged -> the spool is freed.
 * While the link is down nothing is acknowledged, so the spool keeps it, and the sandbox stops to deliver at its window.
 */
import type { Clock, Timer } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import { OUTPUT_EVENT_HEAD } from '#link/output-frame.ts';
import type { OutputBatch, OutputEvent } from '#link/protocol.ts';
import type { OutputRecord } from '#sandbox/driver.ts';
import type { TaskKey } from '#domain/task.ts';
import { createMultilineJoiner } from './multiline.ts';
import { createLineJoiner } from './output-lines.ts';
import type { Tails } from './tails.ts';

const RESEND_MS = 5_000;
/** With a link, how long unacknowledged output holds up the end of a task. */
const DRAIN_MS = 30_000;

export type OutputPort = {
  /** Sends a batch; false while there is no link. */
  send(batch: OutputBatch): boolean;
  /** Everything below `to` is safe. */
  ack(to: number): void;
};

export type TaskOutput = {
  records(records: OutputRecord[], from: number, to: number): void;
  /** The spool has nothing below `base` any more: a former agent acknowledged it and ended before it wrote that down. */
  freed(base: number): void;
  /** The control plane has everything below `to`. */
  acknowledged(to: number): void;
  /** The link is back: what was under way may be lost. */
  linkUp(): void;
  /** Resolves once everything below `spoolEnd` is acknowledged, or when the control plane takes nothing for too long; true when all is safe. */
  drained(spoolEnd: number): Promise<boolean>;
  /** From where a new agent has to read. */
  ackedOffset(): number;
  close(): void;
};

export type TaskOutputOptions = {
  key: TaskKey;
  /** Names of the containers that have a log; the others' output is only remembered by `tails`. */
  logged: ReadonlySet<string>;
  from: number;
  /** Default: 0. */
  lane?: number;
  /** Whether a line is the first of an event; absent: each line is an event. */
  begins?: ((line: string) => boolean) | undefined;
  /** How long the task's end waits for a destination that takes nothing. */
  drainMs?: number | undefined;
};

export function createTaskOutput(deps: { clock: Clock; tails: Tails; port: OutputPort }, options: TaskOutputOptions): TaskOutput {
  const { clock, tails, port } = deps;
  const { begins, lane = 0 } = options;
  const lines = begins === undefined ? createLineJoiner() : createMultilineJoiner(createLineJoiner(), begins);
  let queue: OutputEvent[] = [];
  let read = options.from;
  let acked = options.from;
  let restart = options.from;
  let flight: { batch: OutputBatch; sent: boolean } | undefined;
  let resend: Timer | undefined;
  let flush: Timer | undefined;
  let closed = false;
  const waiting: (() => void)[] = [];

  const take = (events: OutputEvent[]) => {
    for (const event of events) {
      tails.add(options.key.id, { container: event.container, source: event.source, time: event.time, text: event.text });
      // CloudWatch Logs takes no empty events, so the awslogs driver drops them.
      if (!options.logged.has(event.container) || event.text === '') continue;
      const late = (queue[queue.length - 1]?.end ?? 0) > event.end;
      queue.push(event);
      if (late) queue.sort((a, b) => a.end - b.end);
    }
  };

  const moved = (withinMs: number) =>
    new Promise<boolean>((resolve) => {
      const timer = clock.after(withinMs, () => resolve(false));
      waiting.push(() => {
        timer.cancel();
        resolve(true);
      });
    });
  const tellMoved = () => waiting.splice(0).forEach((one) => one());

  const moveTo = (to: number) => {
    if (to <= acked) return;
    acked = to;
    restart = lines.restartAt(to);
    port.ack(restart);
    tellMoved();
  };

  const post = () => {
    if (flight === undefined || closed) return;
    flight.sent = port.send(flight.batch);
    resend?.cancel();
    resend = clock.after(RESEND_MS, post);
  };

  const pump = () => {
    if (flight !== undefined || closed) return;
    const safe = lines.pendingFrom() ?? read;
    const events = nextBatch(queue, safe);
    if (events.length === 0) return moveTo(safe);
    queue = queue.slice(events.length);
    const next = queue[0];
    const last = events[events.length - 1]?.end ?? safe;
    flight = { batch: { key: options.key, from: acked, to: next === undefined ? Math.max(safe, last) : last, events }, sent: false };
    if (lane !== 0) flight.batch.lane = lane;
    post();
  };

  const flushNow = () => {
    flush = undefined;
    take(lines.flush());
    pump();
  };

  return {
    records(records, from, to) {
      if (closed || from < read) return;
      let at = from;
      for (const [index, record] of records.entries()) {
        const end = index === records.length - 1 ? to : at;
        take(lines.push(record, at, end));
        at = end;
      }
      read = to;
      tellMoved();
      if (lines.pendingFrom() !== undefined) flush ??= clock.after(lines.flushMs, flushNow);
      pump();
    },
    freed(base) {
      if (closed || base <= acked || flight !== undefined) return;
      read = Math.max(read, base);
      acked = restart = base;
      tellMoved();
    },
    acknowledged(to) {
      if (flight === undefined || to < flight.batch.to) return;
      const { batch } = flight;
      flight = undefined;
      resend?.cancel();
      moveTo(batch.to);
      pump();
    },
    linkUp: post,
    async drained(spoolEnd) {
      // Whoever invents an end and lets its output trickle must not hold its task for ever. Time without a link doesn't count.
      let until = clock.now() + limits.outputDrainMs;
      while (acked < spoolEnd && !closed && clock.now() < until) {
        const linkWasDown = flight !== undefined && !flight.sent;
        if (read >= spoolEnd && lines.pendingFrom() !== undefined) flushNow();
        const hasMoved = acked >= spoolEnd || (await moved(options.drainMs ?? DRAIN_MS));
        if (linkWasDown) until = clock.now() + limits.outputDrainMs;
        if (hasMoved) continue;
        const linkIsDown = flight !== undefined && !flight.sent;
        if (!linkIsDown) return false;
      }
      return acked >= spoolEnd;
    },
    ackedOffset: () => restart,
    close() {
      closed = true;
      resend?.cancel();
      flush?.cancel();
      tellMoved();
    },
  };
}

/** As many events, all within [..., safe), as fit into a batch. */
function nextBatch(queue: OutputEvent[], safe: number): OutputEvent[] {
  let bytes = 0;
  let count = 0;
  for (const event of queue) {
    if (event.end > safe || count >= limits.outputBatchEvents) break;
    bytes += OUTPUT_EVENT_HEAD + Buffer.byteLength(event.text);
    if (count > 0 && bytes > limits.outputBatchBytes) break;
    count++;
  }
  return queue.slice(0, count);
}
