import type { DescribeVpcAttributeRequest, DescribeVpcAttributeResult } from '@aws-sdk/client-ec2';
import { Fault } from '#base/fault.ts';
import type { Operation } from '#gateway/types.ts';
import type { Store } from '#store/types.ts';
import { assertNotDryRun } from './errors.ts';

export function describeVpcAttributeOperation(store: Store): Operation<DescribeVpcAttributeRequest, DescribeVpcAttributeResult> {
  return {
    name: 'DescribeVpcAttribute',
    action: 'ec2:DescribeVpcAttribute',
    resources: () => ['*'],
    async handle(input, { account, region }) {
      assertNotDryRun(input);
      const { VpcId = '', Attribute } = input;
      const vpc = await store.read((tx) => tx.vpcs.get({ account, region, id: VpcId }));
      if (vpc === undefined) {
        const text = `The vpc ID '${VpcId.slice(0, 100)}' does not exist`;
        throw new Fault('ResourceNotFound', text, { details: { errorName: 'InvalidVpcID.NotFound' } });
      }
      switch (Attribute) {
        case 'enableDnsSupport':
          return { VpcId, EnableDnsSupport: { Value: true } };
        case 'enableDnsHostnames':
          return { VpcId, EnableDnsHostnames: { Value: vpc.isDefault } };
        case 'enableNetworkAddressUsageMetrics':
          return { VpcId, EnableNetworkAddressUsageMetrics: { Value: false } };
        default:
          throw new Fault('InvalidParameter', `Value (${String(Attribute).slice(0, 100)}) for parameter attribute is invalid. Unknown attribute.`); // prettier-ignore
      }
    },
  };
}
