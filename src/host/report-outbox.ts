/**
 * Reports on their way to the control plane. A report goes out when it changed; as messages may be lost, it goes out again, ever more
 * rarely, until the task is forgotten.
 */
import type { Clock } from '#base/clock.ts';
import type { TaskReport } from '#link/protocol.ts';

const FIRST_RESEND_MS = 2_000;
const LAST_RESEND_MS = 300_000;
/** A STOPPED report waits to be acknowledged, so it is never sent too rarely. */
const LAST_RESEND_STOPPED_MS = 15_000;
/** A task's start changes its report several times within a few milliseconds: they go out as one. */
const GATHER_MS = 10;
/** Reports in one message: some 10 KiB each at most, so well below a frame. */
const REPORTS_PER_MESSAGE = 50;

export type ReportOutbox = {
  changed(taskId: string): void;
  /** The link is new: everything goes out. */
  linkUp(): void;
  /** Sends again what is due. */
  tick(): void;
  forget(taskId: string): void;
};

export type ReportSource = {
  ids(): Iterable<string>;
  get(taskId: string): TaskReport | undefined;
};

export function createReportOutbox(deps: { clock: Clock; source: ReportSource; send(reports: TaskReport[]): boolean }): ReportOutbox {
  const { clock, source } = deps;
  const dirty = new Set<string>();
  const due = new Map<string, { atMs: number; waitMs: number }>();
  let scheduled = false;

  const flush = () => {
    scheduled = false;
    const ids = [...dirty];
    for (let at = 0; at < ids.length; at += REPORTS_PER_MESSAGE) {
      const some = ids.slice(at, at + REPORTS_PER_MESSAGE);
      const reports = some.map((id) => source.get(id)).filter((report) => report !== undefined);
      if (reports.length > 0 && !deps.send(reports)) return; // linkUp sends all
      for (const id of some) dirty.delete(id);
    }
  };

  /** Not yet known to have arrived: it goes out now, and again from FIRST_RESEND_MS on. */
  const send = (taskId: string) => {
    dirty.add(taskId);
    due.set(taskId, { atMs: clock.now() + FIRST_RESEND_MS, waitMs: FIRST_RESEND_MS });
  };

  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    clock.after(GATHER_MS, flush);
  };

  return {
    changed(taskId) {
      send(taskId);
      schedule();
    },
    linkUp() {
      for (const id of source.ids()) send(id);
      schedule();
    },
    tick() {
      const now = clock.now();
      for (const [id, wait] of due) {
        const report = source.get(id);
        if (report === undefined) due.delete(id);
        if (report === undefined || wait.atMs > now) continue;
        const last = report.status === 'STOPPED' ? LAST_RESEND_STOPPED_MS : LAST_RESEND_MS;
        wait.waitMs = Math.min(wait.waitMs * 2, last);
        wait.atMs = now + wait.waitMs;
        dirty.add(id);
      }
      if (dirty.size > 0) schedule();
    },
    forget(taskId) {
      dirty.delete(taskId);
      due.delete(taskId);
    },
  };
}
