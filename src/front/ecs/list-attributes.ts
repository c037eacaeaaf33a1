import type { ListAttributesRequest, ListAttributesResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { clusterName } from '#domain/arn.ts';
import { clip } from '#domain/names.ts';
import type { Handler } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';
import { cutPage } from './page.ts';

export function listAttributesOperation(deps: IntentDeps): Handler<ListAttributesRequest, ListAttributesResponse> {
  return {
    name: 'ListAttributes',
    async handle(input, context) {
      const { account, region } = context;
      if (input.targetType !== 'container-instance') {
        throw new Fault('InvalidParameter', `targetType '${clip(input.targetType ?? '')}' is not container-instance.`);
      }
      const cluster = clusterName(context, input.cluster);
      const records = await deps.store.read(async (tx) => {
        await activeCluster(tx, context, cluster);
        return await tx.attributes.list({ account, region, cluster });
      });
      const wanted = records.filter(
        (record) =>
          (input.attributeName === undefined || record.key.name === input.attributeName) &&
          (input.attributeValue === undefined || record.value === input.attributeValue),
      );
      const { page, nextToken } = cutPage(wanted, input, (record) => `${record.key.name} ${record.key.targetId}`);
      return {
        attributes: page.map((record) => ({
          name: record.key.name,
          ...(record.value === null ? {} : { value: record.value }),
          targetType: 'container-instance' as const,
          targetId: record.key.targetId,
        })),
        nextToken,
      };
    },
  };
}
