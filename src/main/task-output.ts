/** The output of tasks into log events: what the control loops hand over, in the words of `logs`. */
import { isFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import { packSource } from '#base/packed-events.ts';
import type { ControlDeps } from '#control/index.ts';
import type { AwslogsTarget } from '#domain/task-spec.ts';
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
        const target = targets[container];
        if (target?.driver === 'awslogs') await store(logs, log, batch, container, events, target);
      }
    },
  };
}

async function store(
  logs: Logs,
  log: Log,
  batch: OutputBatch,
  container: string,
  events: OutputBatch['events'],
  target: AwslogsTarget,
): Promise<void> {
  const { key, from, to } = batch;
  const scope = { account: key.account, region: target.region };
  const lines = packSource(events.map((event) => ({ timestamp: event.time, message: event.text, end: event.end })));
  try {
    await logs.putOnce(scope, target.group, target.stream, `${key.id}/${container}`, from, to, lines);
  } catch (error) {
    // The user deleted the group under a running task: its output has nowhere to go, and must not pile up on the host.
    if (!isFault(error, 'ResourceNotFound')) throw error;
    log.warn('output-dropped', { taskId: key.id, group: target.group, events: events.length });
  }
}
