import type { DescribeTasksRequest, DescribeTasksResponse, Failure } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { clusterName, taskArn, taskId } from '#domain/arn.ts';
import type { TaskRecord } from '#domain/task.ts';
import type { Handler } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';
import { describeTask, drainingOf, zonesOf } from './task/describe-task.ts';

/** What isn't there is a failure MISSING (the SDKs' waiters look for that word); a missing cluster is an error. */
export function describeTasksOperation(deps: IntentDeps): Handler<DescribeTasksRequest, DescribeTasksResponse> {
  return {
    name: 'DescribeTasks',
    async handle(input, context) {
      const { account, region } = context;
      const cluster = clusterName(context, input.cluster);
      const refs = [...new Set(input.tasks ?? [])];
      if (refs.length === 0) throw new Fault('InvalidParameter', 'Tasks cannot be empty.');
      if (refs.length > limits.describeItems) {
        throw new Fault('InvalidParameter', `Tasks can have at most ${limits.describeItems} items; there are ${refs.length}.`);
      }
      return await deps.store.read(async (tx) => {
        await activeCluster(tx, context, cluster);
        const found: TaskRecord[] = [];
        const failures: Failure[] = [];
        for (const ref of refs) {
          const key = { account, region, cluster, id: taskId(context, cluster, ref) };
          const task = await tx.tasks.get(key);
          if (task === undefined) failures.push({ arn: taskArn(key), reason: 'MISSING' });
          else found.push(task);
        }
        const zones = await zonesOf(tx, found);
        const draining = await drainingOf(tx, found);
        return { tasks: found.map((task) => describeTask(task, zones, input.include ?? [], draining)), failures };
      });
    },
  };
}
