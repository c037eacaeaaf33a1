import type { ListServiceDeploymentsRequest, ListServiceDeploymentsResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { clusterName, serviceName } from '#domain/arn.ts';
import { clip } from '#domain/names.ts';
import { serviceDeploymentStatuses } from '#domain/service.ts';
import type { ServiceDeploymentRecord } from '#domain/service.ts';
import type { Handler } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';
import { cutPage } from './page.ts';
import { deploymentStatus, describeBrief } from './service/describe-service-deployment.ts';

/** Items of a page that doesn't say how many (API reference). */
const PAGE = 20;

/** The newest first. Throws ServiceNotFound. */
export function listServiceDeploymentsOperation(deps: IntentDeps): Handler<ListServiceDeploymentsRequest, ListServiceDeploymentsResponse> {
  return {
    name: 'ListServiceDeployments',
    async handle(input, context) {
      assertStatuses(input);
      const { account, region } = context;
      const cluster = clusterName(context, input.cluster);
      const key = { account, region, cluster, name: serviceName(context, cluster, input.service ?? '') };
      const records = await deps.store.read(async (tx) => {
        await activeCluster(tx, context, cluster);
        if ((await tx.services.get(key)) === undefined) throw new Fault('ServiceNotFound', 'Service not found.');
        return await tx.serviceDeployments.list(key);
      });
      const found = records
        .filter((record) => matches(record, input))
        .toSorted((a, b) => b.desired.createdAt - a.desired.createdAt || (a.key.id < b.key.id ? -1 : 1));
      const { page, nextToken } = cutPage(found, { ...input, maxResults: input.maxResults ?? PAGE }, (record) => record.key.id);
      return { serviceDeployments: page.map(describeBrief), nextToken };
    },
  };
}

function matches(record: ServiceDeploymentRecord, input: ListServiceDeploymentsRequest): boolean {
  const { createdAt } = record.desired;
  const { before, after } = input.createdAt ?? {};
  if (before !== undefined && createdAt > before.getTime()) return false;
  if (after !== undefined && createdAt < after.getTime()) return false;
  const statuses = input.status ?? [];
  return statuses.length === 0 || statuses.includes(deploymentStatus(record));
}

function assertStatuses(input: ListServiceDeploymentsRequest): void {
  const odd = (input.status ?? []).find((status) => !serviceDeploymentStatuses.includes(status));
  if (odd === undefined) return;
  throw new Fault('InvalidParameter', `status '${clip(odd)}' is not one of ${serviceDeploymentStatuses.join(', ')}.`);
}
