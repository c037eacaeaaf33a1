import type { DescribeInternetGatewaysRequest, DescribeInternetGatewaysResult, AttachmentStatus } from '@aws-sdk/client-ec2';
import type { VpcRecord } from '#domain/records.ts';
import type { Operation } from '#gateway/types.ts';
import type { Store } from '#store/types.ts';
import { assertNotDryRun } from './errors.ts';
import { derivedId } from './derived.ts';
import { select, type ResourceKind } from './selection.ts';

/** What EC2 really answers here; the SDK's type only has the states of other attachments. */
const AVAILABLE = 'available' as string as AttachmentStatus;

const gatewayId = (vpc: VpcRecord) => derivedId('igw', vpc.key.id);

/** Each VPC has the machine's own way out. */
const kind: ResourceKind<VpcRecord> = {
  noun: 'internetGateway ID',
  code: 'InvalidInternetGatewayID',
  malformedCode: 'InvalidInternetGatewayId.Malformed',
  prefix: 'igw-',
  id: gatewayId,
  tags: () => [],
  filters: {
    'internet-gateway-id': (vpc) => [gatewayId(vpc)],
    'attachment.vpc-id': (vpc) => [vpc.key.id],
    'attachment.state': () => ['available'],
    'owner-id': (vpc) => [vpc.key.account],
  },
};

export function describeInternetGatewaysOperation(
  store: Store,
): Operation<DescribeInternetGatewaysRequest, DescribeInternetGatewaysResult> {
  return {
    name: 'DescribeInternetGateways',
    action: 'ec2:DescribeInternetGateways',
    resources: () => ['*'],
    async handle(input, { account, region }) {
      assertNotDryRun(input);
      const vpcs = await store.read((tx) => tx.vpcs.list({ account, region }));
      const { page, nextToken } = select(kind, vpcs, {
        ids: input.InternetGatewayIds,
        filters: input.Filters,
        maxResults: input.MaxResults,
        nextToken: input.NextToken,
      });
      return {
        InternetGateways: page.map((vpc) => ({
          InternetGatewayId: gatewayId(vpc),
          OwnerId: vpc.key.account,
          Attachments: [{ State: AVAILABLE, VpcId: vpc.key.id }],
          Tags: [],
        })),
        NextToken: nextToken,
      };
    },
  };
}
