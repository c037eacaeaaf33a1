import type { ListTasksRequest, ListTasksResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { clusterName, serviceName, taskArn } from '#domain/arn.ts';
import { clip } from '#domain/names.ts';
import { serviceGroup } from '#domain/service.ts';
import type { ServiceKey } from '#domain/service.ts';
import type { Handler } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';
import type { ReadTx, TaskFilter } from '#store/types.ts';
import { encodeToken, pageStart } from './page.ts';

/** Those that are to run, unless `desiredStatus` says STOPPED. `startedBy` must be the only filter beside the cluster. */
export function listTasksOperation(deps: IntentDeps): Handler<ListTasksRequest, ListTasksResponse> {
  return {
    name: 'ListTasks',
    async handle(input, context) {
      const cluster = clusterName(context, input.cluster);
      assertFilters(input);
      const { after, size } = pageStart(input);
      return await deps.store.read(async (tx) => {
        await activeCluster(tx, context, cluster);
        const service = input.serviceName === undefined ? undefined : serviceName(context, cluster, input.serviceName);
        if (service !== undefined) await assertService(tx, { account: context.account, region: context.region, cluster, name: service });
        if (matchesNothing(input)) return { taskArns: [] };
        const filter: TaskFilter = {
          account: context.account,
          region: context.region,
          cluster,
          desired: input.desiredStatus === 'STOPPED' ? 'STOPPED' : 'RUNNING',
          limit: size + 1,
          ...(input.family === undefined ? {} : { family: input.family }),
          ...(service === undefined ? {} : { group: serviceGroup(service) }),
          ...(input.startedBy === undefined ? {} : { startedBy: input.startedBy }),
          ...(after === undefined ? {} : { afterId: after }),
        };
        const records = await tx.tasks.list(filter);
        const page = records.slice(0, size);
        const last = page.at(-1);
        const nextToken = records.length > size && last !== undefined ? encodeToken(last.key.id) : undefined;
        return { taskArns: page.map((task) => taskArn(task.key)), nextToken };
      });
    },
  };
}

async function assertService(tx: ReadTx, key: ServiceKey): Promise<void> {
  if ((await tx.services.get(key)) === undefined) throw new Fault('ServiceNotFound', 'Service not found.');
}

function assertFilters(input: ListTasksRequest): void {
  const others = [input.family, input.serviceName, input.containerInstance].filter((filter) => filter !== undefined);
  if (input.startedBy !== undefined && others.length > 0) {
    throw new Fault('InvalidParameter', 'startedBy must be the only filter that you use.');
  }
  if (input.family !== undefined && input.serviceName !== undefined) {
    throw new Fault('InvalidParameter', 'Specify either family or serviceName, but not both.');
  }
  const { desiredStatus: status } = input;
  if (status !== undefined && !['RUNNING', 'PENDING', 'STOPPED'].includes(status)) {
    throw new Fault('InvalidParameter', `desiredStatus '${clip(status)}' is not one of RUNNING, PENDING, STOPPED.`);
  }
}

/** No task is ever wished PENDING, and none runs on a container instance. */
function matchesNothing(input: ListTasksRequest): boolean {
  const elsewhere = input.launchType !== undefined && input.launchType !== 'FARGATE';
  return input.desiredStatus === 'PENDING' || input.containerInstance !== undefined || elsewhere;
}
