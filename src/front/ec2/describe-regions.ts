import type { DescribeRegionsRequest, DescribeRegionsResult } from '@aws-sdk/client-ec2';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { assertNotDryRun } from './errors.ts';
import { select, type ResourceKind } from './selection.ts';

const endpoint = (region: string) => `ec2.${region}.amazonaws.com`;

const kind: ResourceKind<string> = {
  noun: 'region',
  code: 'InvalidParameterValue',
  malformedCode: 'InvalidParameterValue',
  prefix: '',
  id: (region) => region,
  tags: () => [],
  filters: {
    'region-name': (region) => [region],
    endpoint: (region) => [endpoint(region)],
    'opt-in-status': () => ['opt-in-not-required'],
  },
};

export function describeRegionsOperation(store: IntentDeps['store']): Handler<DescribeRegionsRequest, DescribeRegionsResult> {
  return {
    name: 'DescribeRegions',
    async handle(input, { account, region }) {
      assertNotDryRun(input);
      // Any name is a region here: those in use are listed, and those that are asked for by name.
      const vpcs = await store.read((tx) => tx.vpcs.list({ account }));
      const inUse = new Set([region, ...vpcs.map((vpc) => vpc.key.region)]);
      const { page } = select(kind, input.RegionNames ?? [...inUse], { filters: input.Filters });
      return {
        Regions: page.map((name) => ({ RegionName: name, Endpoint: endpoint(name), OptInStatus: 'opt-in-not-required' as const })),
      };
    },
  };
}
