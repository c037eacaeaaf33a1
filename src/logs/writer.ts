/**
 * Group commit: all batches that wait are placed in their segments and in the redo log, which is synced once for all of them; then they
 * are acknowledged and readers may see them.
 */
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { packedOf, walkPacked, PACKED_HEAD, type PackedEvents, type SourceEvents } from '#base/packed-events.ts';
import type { Catalog } from './catalog.ts';
import type { Redo, RedoLog } from './redo-log.ts';
import type { SegmentFiles } from './segments.ts';
import type { StreamStates } from './stream-states.ts';
import type { Taps } from './taps.ts';

export type Append = { stream: number } & ({ events: PackedEvents } | { events: SourceEvents; source: string; to: number });

type Waiting = Append & { bytes: number; resolve(): void; reject(error: unknown): void };

export type Writer = {
  /** Durable when it resolves. Throws Fault('Unavailable') when too much waits already, or the disk refuses. */
  append(batch: Append): Promise<void>;
  /** Runs `fn` between two commits, with nothing half written. */
  exclusive<T>(fn: () => Promise<T> | T): Promise<T>;
  /** Readers see a stream up to here: its segment and size as of the last commit; undefined when nothing of it waits. */
  published(stream: number): { no: number; size: number } | undefined;
  /** Syncs the segments and empties the redo log. */
  checkpoint(): Promise<void>;
};

export function createWriter(parts: {
  catalog: Catalog;
  files: SegmentFiles;
  states: StreamStates;
  redo: RedoLog;
  taps: Taps;
  clock: Clock;
  log: Log;
}): Writer {
  const { catalog, files, states, redo, taps, clock, log } = parts;
  const queue: Waiting[] = [];
  let queuedBytes = 0;
  /** The end of the work that was asked for so far: commits and exclusive work follow each other. */
  let tail: Promise<unknown> = Promise.resolve();
  let committing = false;
  /** Streams that the redo log names although their events went past it. */
  const told = new Set<number>();
  /** Where each stream of the commit under way stood before it. */
  const before = new Map<number, { no: number; size: number }>();

  function exclusive<T>(fn: () => Promise<T> | T): Promise<T> {
    const result = tail.then(fn);
    tail = result.catch(() => {});
    return result;
  }

  function take(): Waiting[] {
    let bytes = 0;
    const cut = queue.findIndex((waiting) => (bytes += waiting.bytes) > limits.logCommitBytes);
    return queue.splice(0, cut < 0 ? queue.length : Math.max(1, cut));
  }

  async function commitAll(): Promise<void> {
    committing = true;
    try {
      while (queue.length > 0) {
        await settle(take());
        if (redo.size() >= limits.logRedoBytes) await checkpointNow();
        await states.trim();
      }
    } finally {
      committing = false;
    }
  }

  async function settle(batch: Waiting[]): Promise<void> {
    for (const waiting of batch) queuedBytes -= waiting.bytes;
    try {
      await commit(batch);
      for (const waiting of batch) waiting.resolve();
    } catch (error) {
      log.error('log-commit-failed', { batches: batch.length }, error);
      // Memory may be ahead of the disk now: what was read from it is read again.
      for (const waiting of batch) states.drop(waiting.stream);
      const fault = new Fault('Unavailable', `log events can't be stored: ${asFault(error).message}`, { cause: error });
      for (const waiting of batch) waiting.reject(fault);
      // On a full disk the redo log's own space may be what is needed to delete something.
      if (redo.size() > 0) await emptyRedo();
    } finally {
      before.clear();
    }
  }

  async function commit(batch: Waiting[]): Promise<void> {
    const now = clock.now();
    const placed = batch.flatMap((waiting) => place(waiting, now) ?? []);
    const records = placed.flatMap((one) => one.records);
    if (records.length === 0) return;
    files.write(records);
    await catalog.settled(); // A stream's row must not come later than its events.
    await makeDurable(records);
    for (const { stream, events } of placed) taps.publish(stream, events.bytes, now);
  }

  /** Much for few streams goes to its own place at once: the redo log would write it a second time. */
  async function makeDurable(records: Redo[]): Promise<void> {
    const bytes = records.reduce((sum, record) => sum + record.bytes.length, 0);
    const segments = new Set(records.map((record) => `${record.stream}/${record.segment}`)).size;
    if (bytes / segments < limits.logDirectBytes) return redo.append(records);
    // An empty record says whose segments a recovery has to look at.
    const untold = records.filter(({ stream }) => !told.has(stream)).map((record) => ({ ...record, bytes: Buffer.alloc(0) }));
    for (const { stream } of untold) told.add(stream);
    await Promise.all([files.syncOf(records), untold.length > 0 ? redo.append(untold) : undefined]);
  }

  /** Undefined where all of it was taken before. */
  function place(waiting: Waiting, now: number): { stream: number; events: PackedEvents; records: Redo[] } | undefined {
    const { stream } = waiting;
    const state = states.get(stream);
    if (!before.has(stream)) before.set(stream, { no: state.no, size: state.size });
    if (!('source' in waiting)) return { stream, events: waiting.events, records: states.append(state, waiting.events, now, undefined) };
    const { source, to } = waiting;
    const taken = state.sources.get(source) ?? -1;
    if (to <= taken) return undefined;
    const events = freshOf(waiting.events, taken);
    return { stream, events, records: states.append(state, events, now, [source, to]) };
  }

  async function checkpointNow(): Promise<void> {
    await states.saveStats().catch((error: unknown) => log.error('log-statistics-failed', {}, error));
    await emptyRedo();
  }

  async function emptyRedo(): Promise<void> {
    try {
      await files.sync();
      redo.clear();
      told.clear();
    } catch (error) {
      log.error('log-checkpoint-failed', {}, error); // The redo log is kept, and grows until it works.
    }
  }

  return {
    exclusive,
    append(batch) {
      const bytes = batch.events.bytes.length + 100;
      if (queuedBytes + bytes > limits.logQueueBytes) {
        return Promise.reject(new Fault('Unavailable', `${queuedBytes} bytes of log events wait to be stored; try again`));
      }
      queuedBytes += bytes;
      return new Promise((resolve, reject) => {
        queue.push({ ...batch, bytes, resolve, reject });
        if (!committing && queue.length === 1) void exclusive(commitAll);
      });
    },
    published: (stream) => before.get(stream),
    checkpoint: () => exclusive(checkpointNow),
  };
}

/** Without what ends at or below the offset that was taken. */
function freshOf(events: SourceEvents, taken: number): PackedEvents {
  const first = events.ends.findIndex((end) => end > taken);
  if (first === 0) return events;
  let begin = events.bytes.length;
  walkPacked(events.bytes, (index, _at, start) => {
    if (index === first) begin = start - PACKED_HEAD;
  });
  return packedOf(events.bytes.subarray(begin));
}
