/** DescribePlatform: what a client needs to run something here: addresses, the default network, the machine's architecture. */
import type { Operation } from '#gateway/types.ts';
import { defaultVpcId, ensureRegion } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { listHosts } from './hosts.ts';
import type { BerthApiDeps } from './types.ts';

export function describePlatform(deps: BerthApiDeps, intent: IntentDeps): Operation {
  return {
    name: 'DescribePlatform',
    action: 'berth:DescribePlatform',
    resources: () => ['*'],
    async handle(_input, { account, region }) {
      const scope = { account, region };
      await ensureRegion(intent, scope);
      const vpcId = defaultVpcId(scope);
      const [subnets, groups] = await deps.store.read(
        async (tx) => [await tx.subnets.list(scope), await tx.securityGroups.list(scope)] as const,
      );
      const [host] = await listHosts(deps.store);
      return {
        ...deps.facts,
        account,
        region,
        arch: host?.info.arch ?? (process.arch === 'arm64' ? 'arm64' : 'amd64'),
        network: {
          vpcId,
          subnetIds: subnets.filter((subnet) => subnet.vpcId === vpcId).map((subnet) => subnet.key.id),
          securityGroupIds: groups.filter((group) => group.vpcId === vpcId && group.isDefault).map((group) => group.key.id),
        },
      };
    },
  };
}
