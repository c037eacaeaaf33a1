/**
 * One lane of a task's output (domain/output-lanes.ts) on its way: records of the spool -> lines -> one batch at a time over the link -> acknowledged -> the spool is freed.
 * While the link is down nothing is acknowledged, so the spool keeps it, and the sandbox stops to deliver at its window.
 */
import type { Clock, Timer } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { OutputRun } from '#base/output-run.ts';
import { OUTPUT_EVENT_HEAD } from '#link/output-frame.ts';
import type { OutputBatch, OutputEvent } from '#link/protocol.ts';
import type { OutputRecord } from '#sandbox/driver.ts';
import { eachRecord } from '#sandbox/run-records.ts';
import type { TaskKey } from '#domain/task.ts';
import { createMultilineJoiner } from './multiline.ts';
import { createLineJoiner } from './output-lines.ts';
import type { Tails } from './tails.ts';

const RESEND_MS = 5_000;
/** Batches under way to the control plane: while one is synced to disk the next is on its way. */
const FLIGHTS = 2;
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
  /** The same of a run; `names`: the containers' by index. Its bytes are kept until they are acknowledged. */
  run(run: OutputRun, names: string[]): void;
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
  /** Those of which `tails` keeps more than the last lines, since no log group has them. */
  kept?: ReadonlySet<string>;
  from: number;
  /** Default: 0. */
  lane?: number;
  /** Whether a line is the first of an event; absent: each line is an event. */
  begins?: ((line: string) => boolean) | undefined;
  /** How long the task's end waits for a destination that takes nothing. */
  drainMs?: number | undefined;
  /** The destination takes runs of records as they are, and several batches before it acknowledges the first. */
  takesRuns?: boolean;
};

/** What waits to be sent: an event, or a run of records each of which is one. Both say where they end in the spool. */
type Run = { bytes: Buffer; end: number };
type Item = OutputEvent | Run;

export function createTaskOutput(deps: { clock: Clock; tails: Tails; port: OutputPort }, options: TaskOutputOptions): TaskOutput {
  const { clock, tails, port } = deps;
  const { begins, lane = 0, takesRuns = false } = options;
  const lines = begins === undefined ? createLineJoiner() : createMultilineJoiner(createLineJoiner(), begins);
  let queue: Item[] = [];
  let names: string[] = [];
  let read = options.from;
  let acked = options.from;
  let restart = options.from;
  /** Batches under way, in their order; the destination takes them one after the other. */
  const flights: OutputBatch[] = [];
  let isSent = false;
  let resend: Timer | undefined;
  let flush: Timer | undefined;
  let closed = false;
  const waiting: (() => void)[] = [];

  const take = (events: OutputEvent[]) => {
    for (const event of events) {
      const { container, source, time, text } = event;
      tails.add(options.key.id, { container, source, time, text }, options.kept?.has(container));
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

  const post = (batches: OutputBatch[]) => {
    if (batches.length === 0 || closed) return;
    for (const batch of batches) isSent = port.send(takesRuns ? { ...batch, acked } : batch);
    resend?.cancel();
    resend = clock.after(RESEND_MS, postAgain);
  };
  const postAgain = () => post(flights);

  const pump = () => {
    while (flights.length < (takesRuns ? FLIGHTS : 1) && !closed) {
      const safe = lines.pendingFrom() ?? read;
      const items = nextItems(queue, safe);
      if (items.length === 0) {
        if (flights.length === 0) moveTo(safe);
        return;
      }
      queue = queue.slice(items.length);
      const next = queue[0];
      const last = items[items.length - 1]?.end ?? safe;
      const from = flights[flights.length - 1]?.to ?? acked;
      const batch: OutputBatch = { key: options.key, from, to: next === undefined ? Math.max(safe, last) : last, events: [] };
      if (lane !== 0) batch.lane = lane;
      const runs = items.filter((item) => 'bytes' in item);
      if (runs.length > 0) batch.runs = { names, bytes: runs.map((run) => run.bytes) };
      else batch.events = items.filter((item) => 'text' in item);
      flights.push(batch);
      post([batch]);
    }
  };

  const flushNow = () => {
    flush = undefined;
    take(lines.flush());
    pump();
  };

  const push = (record: OutputRecord, from: number, to: number) => take(lines.push(record, from, to));
  const taken = (to: number) => {
    read = to;
    tellMoved();
    if (lines.pendingFrom() !== undefined) flush ??= clock.after(lines.flushMs, flushNow);
    pump();
  };

  return {
    records(records, from, to) {
      if (closed || from < read) return;
      let at = from;
      for (const [index, record] of records.entries()) {
        const end = index === records.length - 1 ? to : at;
        push(record, at, end);
        at = end;
      }
      taken(to);
    },
    run(run, of) {
      if (closed || run.from < read) return;
      names = of;
      const isPlain = takesRuns && begins === undefined && run.isPlain && lines.pendingFrom() === undefined;
      if (isPlain && run.containers.every((index) => options.logged.has(of[index] ?? ''))) {
        tails.addRun(options.key.id, run, of);
        queue.push({ bytes: run.bytes, end: run.to });
      } else eachRecord(run, of, push);
      taken(run.to);
    },
    freed(base) {
      if (closed || base <= acked || flights.length > 0) return;
      read = Math.max(read, base);
      acked = restart = base;
      tellMoved();
    },
    acknowledged(to) {
      const safe = flights.findLast((batch) => batch.to <= to)?.to;
      if (safe === undefined) return;
      while ((flights[0]?.to ?? Infinity) <= safe) flights.shift();
      resend?.cancel();
      if (flights.length > 0) resend = clock.after(RESEND_MS, postAgain);
      moveTo(safe);
      pump();
    },
    linkUp: postAgain,
    async drained(spoolEnd) {
      // Whoever invents an end and lets its output trickle must not hold its task for ever. Time without a link doesn't count.
      let until = clock.now() + limits.outputDrainMs;
      while (acked < spoolEnd && !closed && clock.now() < until) {
        const linkWasDown = flights.length > 0 && !isSent;
        if (read >= spoolEnd && lines.pendingFrom() !== undefined) flushNow();
        const hasMoved = acked >= spoolEnd || (await moved(options.drainMs ?? DRAIN_MS));
        if (linkWasDown) until = clock.now() + limits.outputDrainMs;
        if (hasMoved) continue;
        const linkIsDown = flights.length > 0 && !isSent;
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

/** As many events, or as many runs, all within [..., safe), as fit into a batch. */
function nextItems(queue: Item[], safe: number): Item[] {
  let bytes = 0;
  let count = 0;
  const areRuns = queue[0] !== undefined && 'bytes' in queue[0];
  for (const item of queue) {
    if (item.end > safe || 'bytes' in item !== areRuns || count >= limits.outputBatchEvents) break;
    bytes += 'bytes' in item ? item.bytes.length : OUTPUT_EVENT_HEAD + Buffer.byteLength(item.text);
    if (count > 0 && bytes > limits.outputBatchBytes) break;
    count++;
  }
  return queue.slice(0, count);
}
