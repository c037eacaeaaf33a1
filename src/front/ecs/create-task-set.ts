import type { CreateTaskSetRequest, CreateTaskSetResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { clusterName, serviceName } from '#domain/arn.ts';
import { assertText } from '#domain/names.ts';
import { assertTags } from '#domain/tags.ts';
import type { Handler } from '#gateway/types.ts';
import { createTaskSet, type IntentDeps } from '#intent/index.ts';
import { assertPassDefinition, assertPassToEcs } from './pass-role.ts';
import { paramsHash } from './params-hash.ts';
import { describeTaskSet } from './service/describe-task-set.ts';
import { membersOf, revisionWishOf } from './service/revision-wish.ts';
import { assertServed } from './service/service-input.ts';
import { scaleOf } from './service/task-set-input.ts';
import { assertFargateWish, launchDefaults, launchableDefinition } from './task/launch.ts';

/** Only in a service whose deployment controller is EXTERNAL. */
export function createTaskSetOperation(deps: IntentDeps): Handler<CreateTaskSetRequest, CreateTaskSetResponse> {
  return {
    name: 'CreateTaskSet',
    async handle(input, context) {
      assertText(input.clientToken, { what: 'clientToken', max: 36, pattern: /^[\x21-\x7e]*$/ });
      assertText(input.externalId, { what: 'externalId', max: 255 });
      if (input.taskDefinition === undefined) throw new Fault('InvalidParameter', 'TaskDefinition can not be blank.');
      assertFargateWish(input);
      assertServed(input);
      await assertPassDefinition(deps, context, input.taskDefinition);
      await assertPassToEcs(context, input);
      const cluster = clusterName(context, input.cluster);
      const tags = assertTags(input.tags ?? []);
      const record = await createTaskSet(deps, context, {
        cluster,
        service: serviceName(context, cluster, input.service ?? ''),
        externalId: input.externalId ?? null,
        scale: scaleOf(input.scale),
        tags,
        front: {},
        token: input.clientToken === undefined ? null : { token: input.clientToken, paramsHash: paramsHash(input) },
        plan: async (tx, clusterRecord) =>
          revisionWishOf({
            cluster: clusterRecord,
            definition: await launchableDefinition(tx, context, clusterRecord, input),
            members: membersOf(input),
            strategy: 'ROLLING',
            tags,
            region: context.region,
            ...(await launchDefaults(tx, context)),
          }),
      });
      return { taskSet: await deps.store.read((tx) => describeTaskSet(tx, record, ['TAGS'])) };
    },
  };
}
