import type { DescribeAccountAttributesRequest, DescribeAccountAttributesResult } from '@aws-sdk/client-ec2';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { assertNotDryRun } from './errors.ts';

export function describeAccountAttributesOperation(
  store: IntentDeps['store'],
): Handler<DescribeAccountAttributesRequest, DescribeAccountAttributesResult> {
  return {
    name: 'DescribeAccountAttributes',
    async handle(input, { account, region }) {
      assertNotDryRun(input);
      const vpcs = await store.read((tx) => tx.vpcs.list({ account, region }));
      const values: Record<string, string> = {
        'supported-platforms': 'VPC',
        'default-vpc': vpcs.find((vpc) => vpc.isDefault)?.key.id ?? 'none',
        'vpc-max-security-groups-per-interface': '5',
      };
      const wanted: string[] = input.AttributeNames ?? Object.keys(values);
      return {
        AccountAttributes: wanted
          .filter((name) => Object.hasOwn(values, name))
          .map((name) => ({ AttributeName: name, AttributeValues: [{ AttributeValue: values[name] ?? '' }] })),
      };
    },
  };
}
