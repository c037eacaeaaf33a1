import type { StopTaskRequest, StopTaskResponse } from '@aws-sdk/client-ecs';
import { clusterName, taskId } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { stopTask, type IntentDeps } from '#intent/index.ts';
import { describeTask, zonesOf } from './task/describe-task.ts';

export function stopTaskOperation(deps: IntentDeps): Handler<StopTaskRequest, StopTaskResponse> {
  return {
    name: 'StopTask',
    async handle(input, context) {
      const cluster = clusterName(context, input.cluster);
      const id = taskId(context, cluster, input.task ?? '');
      const reason = input.reason === undefined || input.reason === '' ? 'Task stopped by user' : input.reason;
      const task = await stopTask(deps, context, cluster, id, { code: 'UserInitiated', reason });
      const zones = await deps.store.read((tx) => zonesOf(tx, [task]));
      return { task: describeTask(task, zones, ['TAGS']) };
    },
  };
}
