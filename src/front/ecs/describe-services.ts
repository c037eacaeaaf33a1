import type { DescribeServicesRequest, DescribeServicesResponse, Failure, Service } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { clusterName, serviceArn, serviceName } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';
import { describeService } from './service/describe-service.ts';

/** What isn't there is a failure MISSING (the SDKs' waiters look for that word); a missing cluster is an error. */
export function describeServicesOperation(deps: IntentDeps): Handler<DescribeServicesRequest, DescribeServicesResponse> {
  return {
    name: 'DescribeServices',
    async handle(input, context) {
      const { account, region } = context;
      const cluster = clusterName(context, input.cluster);
      const refs = [...new Set(input.services ?? [])];
      const most = limits.describeServices;
      if (refs.length === 0) throw new Fault('InvalidParameter', 'Services cannot be empty.');
      if (refs.length > most) throw new Fault('InvalidParameter', `Services can have at most ${most} items; there are ${refs.length}.`);
      return await deps.store.read(async (tx) => {
        await activeCluster(tx, context, cluster);
        const services: Service[] = [];
        const failures: Failure[] = [];
        for (const ref of refs) {
          const key = { account, region, cluster, name: serviceName(context, cluster, ref) };
          const service = await tx.services.get(key);
          if (service === undefined) failures.push({ arn: serviceArn(key, cluster, key.name), reason: 'MISSING' });
          else services.push(await describeService(tx, service, input.include ?? []));
        }
        return { services, failures };
      });
    },
  };
}
