import type { DescribeServicesRequest, DescribeServicesResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { clusterName, serviceArn } from '#domain/arn.ts';
import type { Operation } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';

/** Services that one call may name (API reference). */
const MOST = 10;

/** No service can be made here yet: every one that is asked for is MISSING. */
export function describeServicesOperation(deps: IntentDeps): Operation<DescribeServicesRequest, DescribeServicesResponse> {
  return {
    name: 'DescribeServices',
    action: 'ecs:DescribeServices',
    resources: (input, scope) => {
      const cluster = clusterName(scope, input.cluster);
      return (input.services ?? []).map((ref) => (ref.startsWith('arn:') ? ref : serviceArn(scope, cluster, ref)));
    },
    async handle(input, context) {
      const cluster = clusterName(context, input.cluster);
      const refs = input.services ?? [];
      if (refs.length === 0) throw new Fault('InvalidParameter', 'Services cannot be empty.');
      if (refs.length > MOST) throw new Fault('InvalidParameter', `Services can have at most ${MOST} items; there are ${refs.length}.`);
      await deps.store.read((tx) => activeCluster(tx, context, cluster));
      const arn = (ref: string) => (ref.startsWith('arn:') ? ref : serviceArn(context, cluster, ref));
      return { services: [], failures: refs.map((ref) => ({ arn: arn(ref), reason: 'MISSING' })) };
    },
  };
}
