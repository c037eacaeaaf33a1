import type { RunTaskRequest, RunTaskResponse } from '@aws-sdk/client-ecs';
import { Fault, isFault } from '#base/fault.ts';
import { clusterName, taskArn } from '#domain/arn.ts';
import type { Scope } from '#domain/scope.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { activeCluster, runTask, type IntentDeps, type RunTaskResult, type RunTaskWish } from '#intent/index.ts';
import { describeTask, zonesOf } from './task/describe-task.ts';
import { paramsHash } from './params-hash.ts';
import { assertPassRoles, assertPassToEcs } from './pass-role.ts';
import { launchDefaults, launchableDefinition } from './task/launch.ts';
import { assertRunTaskInput } from './task/run-task-input.ts';
import { wishOf } from './task/run-task-wish.ts';

/** Commits the wish and answers at once: 200 with the tasks that were accepted and the failures of the others. */
export function runTaskOperation(deps: IntentDeps): Handler<RunTaskRequest, RunTaskResponse> {
  return {
    name: 'RunTask',
    async handle(input, context) {
      assertRunTaskInput(input);
      const wish = await prepare(deps, input, context);
      const result = await runOnce(deps, context, wish);
      const zones = await deps.store.read((tx) => zonesOf(tx, result.tasks));
      return {
        tasks: result.tasks.map((task) => describeTask(task, zones, ['TAGS'])),
        failures: result.failures,
      };
    },
  };
}

async function prepare(deps: IntentDeps, input: RunTaskRequest, context: CallContext): Promise<RunTaskWish> {
  const cluster = clusterName(context, input.cluster);
  const { clusterRecord, definition, launch } = await deps.store.read(async (tx) => {
    const clusterRecord = await activeCluster(tx, context, cluster);
    return {
      clusterRecord,
      definition: await launchableDefinition(tx, context, clusterRecord, input),
      launch: await launchDefaults(tx, context),
    };
  });
  await assertPassRoles(context, input.overrides ?? {}, definition.definition);
  await assertPassToEcs(context, input);
  const token = input.clientToken === undefined ? null : { token: input.clientToken, paramsHash: paramsHash(input) };
  return wishOf({ input, cluster: clusterRecord, definition, token, region: context.region, ...launch });
}

/** A conflict names the tasks of the first call by their ARNs. */
async function runOnce(deps: IntentDeps, scope: Scope, wish: RunTaskWish): Promise<RunTaskResult> {
  try {
    return await runTask(deps, scope, wish);
  } catch (error) {
    const ids = isFault(error, 'Conflict') ? error.details['taskIds'] : undefined;
    if (!isFault(error) || !Array.isArray(ids)) throw error;
    const { account, region } = scope;
    const resourceIds = ids.map((id) => taskArn({ account, region, cluster: wish.cluster, id: String(id) }));
    throw new Fault('Conflict', error.message, {
      details: { errorName: 'ConflictException', errorMembers: { resourceIds } },
      cause: error,
    });
  }
}
