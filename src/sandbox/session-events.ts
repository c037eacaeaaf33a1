/** What a supervisor's session tells, as a sandbox tells it: containers by name instead of by number. */
import type { Log } from '#base/log.ts';
import type { SpoolRecord } from '#supervisor/output-record.ts';
import type { SessionEvents } from '#supervisor/session.ts';
import type { OutputRecord, SandboxEvents } from './driver.ts';

export function sessionEvents(taskId: string, containers: string[], events: SandboxEvents, log: Log): SessionEvents {
  const recordOf = (record: SpoolRecord): OutputRecord => ({
    container: containers[record.container] ?? '',
    source: record.source,
    timeMs: record.timeMs,
    data: record.data,
    partial: record.partial,
    gap: record.gap,
  });
  return {
    state: (state) => events.state(state),
    output: (record, lane) => events.output([recordOf(record)], record.offset, record.end, lane),
    run: (run, lane) => events.run(run, containers, lane),
    error: (about, message) => log.warn('supervisor.error', { taskId, about, message }),
    lost: (reason) => events.lost(reason),
  };
}
