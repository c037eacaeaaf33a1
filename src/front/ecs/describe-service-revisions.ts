import type { DescribeServiceRevisionsRequest, DescribeServiceRevisionsResponse, Failure, ServiceRevision } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { managedResources } from './express/managed-resources.ts';
import { describeServiceRevision } from './service/describe-service-revision.ts';
import { assertArns, partKey } from './service/parts-input.ts';

/** What isn't there is a failure MISSING. */
export function describeServiceRevisionsOperation(
  deps: IntentDeps,
): Handler<DescribeServiceRevisionsRequest, DescribeServiceRevisionsResponse> {
  return {
    name: 'DescribeServiceRevisions',
    async handle(input, context) {
      const arns = assertArns(input.serviceRevisionArns, 'serviceRevisionArns');
      const keys = arns.map((arn) => ({ arn, key: partKey(context, 'service-revision', arn) }));
      return await deps.store.read(async (tx) => {
        const serviceRevisions: ServiceRevision[] = [];
        const failures: Failure[] = [];
        for (const { arn, key } of keys) {
          const record = await tx.serviceRevisions.get(key);
          if (record === undefined) failures.push({ arn, reason: 'MISSING' });
          else {
            const { id: _id, ...serviceKey } = record.key;
            const managed = await managedResources(tx, await tx.services.get(serviceKey), record);
            serviceRevisions.push({
              ...describeServiceRevision(record),
              ...(managed === undefined ? {} : { ecsManagedResources: managed }),
            });
          }
        }
        return { serviceRevisions, failures };
      });
    },
  };
}
