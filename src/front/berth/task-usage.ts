/** TaskUsage: what tasks use right now, container by container, straight from their hosts. A task that can't tell (it doesn't run) is left out. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Operation } from '#gateway/types.ts';
import { hostOps } from '#link/operations.ts';
import type { BerthApiDeps } from './types.ts';

type Input = { tasks: string[] };

export function taskUsage(deps: BerthApiDeps): Operation<Input> {
  return {
    name: 'TaskUsage',
    action: 'berth:TaskUsage',
    resources: () => ['*'],
    async handle({ tasks }, { account, region }) {
      if (tasks.length > limits.describeItems)
        throw new Fault('InvalidParameter', `tasks can have at most ${limits.describeItems} items; there are ${tasks.length}.`);
      const ids = [...new Set(tasks.map((wanted) => wanted.split('/').at(-1) ?? ''))];
      const asked = ids.map(async (id) => {
        const task = await deps.store.read((tx) => tx.tasks.byId(id));
        if (task === undefined || task.key.account !== account || task.key.region !== region || task.placement === null) return [];
        const stats = await deps.hosts.request(task.placement.hostId, hostOps.taskStats, { taskId: id }, { timeoutMs: limits.taskUsageMs });
        return [{ taskId: id, stats }];
      });
      // One that is just ending, or whose host is away, says nothing; the others do.
      const answers = await Promise.allSettled(asked);
      return { usages: answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : [])) };
    },
  };
}
