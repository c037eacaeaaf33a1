/** TailTask: the last lines that a task printed, straight from its host, whatever its log driver. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Operation } from '#gateway/types.ts';
import { hostOps } from '#link/operations.ts';
import type { TaskTail } from '#link/operations.ts';
import type { BerthApiDeps } from './types.ts';

type Input = { task: string; container?: string; limit?: number; after?: string };
const DEFAULT_LINES = limits.tailLines;

export function tailTask(deps: BerthApiDeps): Operation<Input> {
  return {
    name: 'TailTask',
    action: 'berth:TailTask',
    resources: () => ['*'],
    async handle({ task: wanted, container, limit, after }, { account, region }) {
      const id = wanted.split('/').at(-1) ?? '';
      const lines = limit ?? DEFAULT_LINES;
      if (!(lines >= 1 && lines <= limits.tailAnswerLines))
        throw new Fault('InvalidParameter', `limit must be from 1 to ${limits.tailAnswerLines}, not ${lines}.`);
      const task = await deps.store.read((tx) => tx.tasks.byId(id));
      if (task === undefined || task.key.account !== account || task.key.region !== region) {
        throw new Fault('ResourceNotFound', `There is no task '${id.slice(0, 100)}' in ${region}.`);
      }
      if (task.placement === null) return { lines: [] };
      const body = { taskId: id, lines, ...(container === undefined ? {} : { container }), ...(after === undefined ? {} : { after }) };
      await deps.hosts.returned(task.placement.hostId);
      const tail = await deps.hosts.request(task.placement.hostId, hostOps.taskTail, body, { timeoutMs: limits.hostCallMs });
      return tail as unknown as TaskTail;
    },
  };
}
