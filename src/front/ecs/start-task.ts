import type { StartTaskRequest, StartTaskResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { clusterName, ecsArn } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';
import { assertPassRoles, assertPassToEcs } from './pass-role.ts';
import { activeDefinition } from './task/launch.ts';

/** Puts a task on a container instance that the caller names. Fargate has none, so every one is MISSING; RunTask finds a place itself. */
export function startTaskOperation(deps: IntentDeps): Handler<StartTaskRequest, StartTaskResponse> {
  return {
    name: 'StartTask',
    async handle(input, context) {
      const cluster = clusterName(context, input.cluster);
      const instances = input.containerInstances ?? [];
      if (instances.length === 0) throw new Fault('InvalidParameter', 'Container instances cannot be empty.');
      const definition = await deps.store.read(async (tx) => {
        await activeCluster(tx, context, cluster);
        return await activeDefinition(tx, context, input);
      });
      await assertPassRoles(context, input.overrides ?? {}, definition.definition);
      await assertPassToEcs(context, input);
      const arn = (ref: string) => (ref.startsWith('arn:') ? ref : ecsArn(context, `container-instance/${cluster}/${ref}`));
      return { tasks: [], failures: instances.map((ref) => ({ arn: arn(ref), reason: 'MISSING' })) };
    },
  };
}
