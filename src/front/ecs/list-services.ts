import type { ListServicesRequest, ListServicesResponse } from '@aws-sdk/client-ecs';
import { clusterName, serviceArn } from '#domain/arn.ts';
import type { ServiceRecord } from '#domain/service.ts';
import type { Handler } from '#gateway/types.ts';
import { activeCluster, serviceStatus, type IntentDeps } from '#intent/index.ts';
import { cutPage } from './page.ts';
import type { ServiceFront } from './service/service-members.ts';

/** Items of a page that doesn't say how many (API reference). */
const PAGE = 10;

/** Those that are ACTIVE, by name. */
export function listServicesOperation(deps: IntentDeps): Handler<ListServicesRequest, ListServicesResponse> {
  return {
    name: 'ListServices',
    async handle(input, context) {
      const { account, region } = context;
      const cluster = clusterName(context, input.cluster);
      const records = await deps.store.read(async (tx) => {
        await activeCluster(tx, context, cluster);
        return await tx.services.list({ account, region, cluster });
      });
      const active = records.filter((service) => serviceStatus(service) === 'ACTIVE' && matches(service, input));
      const { page, nextToken } = cutPage(active, { ...input, maxResults: input.maxResults ?? PAGE }, (service) => service.key.name);
      return { serviceArns: page.map((service) => serviceArn(service.key, cluster, service.key.name)), nextToken };
    },
  };
}

/** Services run on Fargate here; ECS manages those that an Express gateway service made. */
function matches(service: ServiceRecord, input: ListServicesRequest): boolean {
  if (input.schedulingStrategy !== undefined && service.desired.scheduling !== input.schedulingStrategy) return false;
  const managed = (service.desired.front as ServiceFront).express === undefined ? 'CUSTOMER' : 'ECS';
  if (input.resourceManagementType !== undefined && input.resourceManagementType !== managed) return false;
  return input.launchType === undefined || input.launchType === 'FARGATE';
}
