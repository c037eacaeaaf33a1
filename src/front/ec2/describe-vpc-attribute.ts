import type { DescribeVpcAttributeRequest, DescribeVpcAttributeResult } from '@aws-sdk/client-ec2';
import { Fault } from '#base/fault.ts';
import { vpcAttributes } from '#domain/network.ts';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { assertNotDryRun } from './errors.ts';

export function describeVpcAttributeOperation(
  store: IntentDeps['store'],
): Handler<DescribeVpcAttributeRequest, DescribeVpcAttributeResult> {
  return {
    name: 'DescribeVpcAttribute',
    async handle(input, { account, region }) {
      assertNotDryRun(input);
      const { VpcId = '', Attribute } = input;
      const vpc = await store.read((tx) => tx.vpcs.get({ account, region, id: VpcId }));
      if (vpc === undefined) {
        const text = `The vpc ID '${VpcId.slice(0, 100)}' does not exist`;
        throw new Fault('ResourceNotFound', text, { details: { errorName: 'InvalidVpcID.NotFound' } });
      }
      const { enableDnsSupport, enableDnsHostnames, enableNetworkAddressUsageMetrics } = vpcAttributes(vpc);
      switch (Attribute) {
        case 'enableDnsSupport':
          return { VpcId, EnableDnsSupport: { Value: enableDnsSupport } };
        case 'enableDnsHostnames':
          return { VpcId, EnableDnsHostnames: { Value: enableDnsHostnames } };
        case 'enableNetworkAddressUsageMetrics':
          return { VpcId, EnableNetworkAddressUsageMetrics: { Value: enableNetworkAddressUsageMetrics } };
        default:
          throw new Fault('InvalidParameter', `Value (${String(Attribute).slice(0, 100)}) for parameter attribute is invalid. Unknown attribute.`); // prettier-ignore
      }
    },
  };
}
