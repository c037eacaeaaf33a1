import type { DescribeClustersRequest, DescribeClustersResponse, Failure } from '@aws-sdk/client-ecs';
import { Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { clusterArn, clusterName } from '#domain/arn.ts';
import type { Scope } from '#domain/scope.ts';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { describeCluster } from './describe-cluster.ts';

/** Without names, the default cluster. What isn't there is a failure MISSING, never an error. */
export function describeClustersOperation(deps: IntentDeps): Handler<DescribeClustersRequest, DescribeClustersResponse> {
  return {
    name: 'DescribeClusters',
    async handle(input, context) {
      const wanted = refs(input);
      if (wanted.length > limits.describeItems) {
        throw new Fault('InvalidParameter', `Clusters can have at most ${limits.describeItems} items; there are ${wanted.length}.`);
      }
      return await deps.store.read(async (tx) => {
        const clusters: DescribeClustersResponse['clusters'] = [];
        const failures: Failure[] = [];
        for (const ref of wanted) {
          const name = nameOrMissing(context, ref);
          const record = name === undefined ? undefined : await tx.clusters.get({ account: context.account, region: context.region, name });
          if (record === undefined) failures.push({ arn: ref.startsWith('arn:') ? ref : clusterArn(context, ref), reason: 'MISSING' });
          else clusters.push(await describeCluster(tx, record, input.include ?? []));
        }
        return { clusters, failures };
      });
    },
  };
}

function refs(input: DescribeClustersRequest): string[] {
  return input.clusters === undefined || input.clusters.length === 0 ? ['default'] : [...new Set(input.clusters)];
}

/** An ARN from elsewhere names nothing here. */
function nameOrMissing(scope: Scope, ref: string): string | undefined {
  try {
    return clusterName(scope, ref);
  } catch (error) {
    if (isFault(error, 'ClusterNotFound')) return undefined;
    throw error;
  }
}
