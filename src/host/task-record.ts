/** A task's journal entry and the one way to change it: every change goes to the journal and to the control plane. */
import type { Clock, Timer } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import { taskStatuses } from '#domain/task.ts';
import type { TaskStatus } from '#domain/task.ts';
import type { TaskReport } from '#link/protocol.ts';
import type { Journal, TaskEntry } from './journal.ts';

/**
 * Changes are written a moment later, many at once: what a crash takes of them the supervisor and the control plane tell again. What
 * must not be lost is saved by who needs it.
 */
const SAVE_MS = 100;

export type TaskRecord = {
  entry: TaskEntry;
  /** A status that would go back is left as it is. */
  update(change: Partial<TaskReport>): void;
  updateContainer(name: string, change: Partial<TaskReport['containers'][number]>): void;
  /** Resolves once the entry is in the journal. */
  save(): Promise<void>;
  /** The same, and a failure is only logged: for what must go on without a journal too. */
  trySave(): Promise<void>;
  /** Writes what is left to write; then nothing is written or told any more: the agent ends, and the next one owns the entry. */
  close(): Promise<void>;
  /** The same without writing: the entry goes away. */
  discard(): void;
  closed(): boolean;
};

export function hasReached(report: TaskReport, status: TaskStatus): boolean {
  return taskStatuses.indexOf(report.status) >= taskStatuses.indexOf(status);
}

export function createTaskRecord(deps: { clock: Clock; log: Log; journal: Journal; changed(): void }, entry: TaskEntry): TaskRecord {
  let closed = false;
  let soon: Timer | undefined;
  const save = async () => {
    soon?.cancel();
    soon = undefined;
    if (!closed) await deps.journal.save(entry);
  };
  const trySave = () => save().catch((error: unknown) => deps.log.warn('journal.save', { reason: asFault(error).message }));
  const update = (change: Partial<TaskReport>) => {
    if (closed) return;
    const { report } = entry;
    const status = change.status === undefined || hasReached(report, change.status) ? report.status : change.status;
    // From the clock, so that it grows over a restart too, even if the last entry was never written.
    Object.assign(report, change, { status, seq: Math.max(report.seq + 1, deps.clock.now()) });
    soon ??= deps.clock.after(SAVE_MS, () => void trySave());
    deps.changed();
  };
  return {
    entry,
    update,
    updateContainer: (name, change) =>
      update({ containers: entry.report.containers.map((one) => (one.name === name ? { ...one, ...change } : one)) }),
    save,
    trySave,
    async close() {
      const saved = trySave();
      closed = true;
      await saved;
    },
    discard() {
      soon?.cancel();
      closed = true;
    },
    closed: () => closed,
  };
}
