/** The output of tasks into log events: what the control loops hand over, in the words of `logs`. */
import { isFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import { packRun } from '#base/output-run.ts';
import { packSource } from '#base/packed-events.ts';
import type { SourceEvents } from '#base/packed-events.ts';
import type { ControlDeps } from '#control/index.ts';
import type { LogTarget } from '#domain/task-spec.ts';
import type { OutputBatch } from '#link/protocol.ts';
import type { Logs } from '#logs/types.ts';
import { unlessThere } from './access-logs.ts';

export function createTaskOutput(logs: Logs, log: Log): Pick<ControlDeps, 'onOutput' | 'openLogStream'> {
  return {
    async openLogStream({ key, target }) {
      const scope = { account: key.account, region: target.region };
      if (target.createGroup) await unlessThere(logs.createGroup(scope, target.group, { tags: {} }));
      await unlessThere(logs.createStream(scope, target.group, target.stream));
    },
    async onOutput(batch, targets) {
      for (const [container, events] of Map.groupBy(batch.events, (event) => event.container)) {
        const lines = packSource(events.map((event) => ({ timestamp: event.time, message: event.text, end: event.end })));
        await store(logs, log, batch, container, lines, targets[container]);
      }
      // All of a batch at once: what of a container's is put once is marked as taken up to the batch's end.
      const {
        names,
        bytes: [first, ...more],
      } = batch.runs ?? { names: [], bytes: [] };
      if (first === undefined) return;
      for (const [index, lines] of packRun(more.length === 0 ? first : Buffer.concat([first, ...more]))) {
        const container = names[index] ?? '';
        await store(logs, log, batch, container, lines, targets[container]);
      }
    },
  };
}

async function store(
  logs: Logs,
  log: Log,
  batch: OutputBatch,
  container: string,
  lines: SourceEvents,
  target: LogTarget | null | undefined,
): Promise<void> {
  if (target?.driver !== 'awslogs') return;
  const { key, from, to } = batch;
  const scope = { account: key.account, region: target.region };
  try {
    await logs.putOnce(scope, target.group, target.stream, `${key.id}/${container}`, from, to, lines);
  } catch (error) {
    // The user deleted the group under a running task: its output has nowhere to go, and must not pile up on the host.
    if (!isFault(error, 'ResourceNotFound')) throw error;
    log.warn('output-dropped', { taskId: key.id, group: target.group, events: lines.count });
  }
}
