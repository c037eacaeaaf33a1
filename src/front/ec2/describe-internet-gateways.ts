import type {
  AttachmentStatus,
  DescribeInternetGatewaysRequest,
  DescribeInternetGatewaysResult,
  InternetGateway,
} from '@aws-sdk/client-ec2';
import type { InternetGatewayRecord } from '#domain/network.ts';
import type { IntentDeps } from '#intent/index.ts';
import { ec2Operation, scopeOf } from './operation.ts';
import { select, tagViews, type ResourceKind } from './selection.ts';

/** What EC2 really answers here; the SDK's type only has the states of other attachments. */
const AVAILABLE = 'available' as string as AttachmentStatus;

const kind: ResourceKind<InternetGatewayRecord> = {
  noun: 'internetGateway ID',
  code: 'InvalidInternetGatewayID',
  malformedCode: 'InvalidInternetGatewayId.Malformed',
  prefix: 'igw-',
  id: (gateway) => gateway.key.id,
  tags: (gateway) => gateway.tags,
  filters: {
    'internet-gateway-id': (gateway) => [gateway.key.id],
    'attachment.vpc-id': (gateway) => [gateway.vpcId ?? undefined],
    'attachment.state': (gateway) => [gateway.vpcId === null ? undefined : 'available'],
    'owner-id': (gateway) => [gateway.key.account],
  },
};

export function internetGatewayView({ key, vpcId, tags }: InternetGatewayRecord): InternetGateway {
  return {
    InternetGatewayId: key.id,
    OwnerId: key.account,
    Attachments: vpcId === null ? [] : [{ State: AVAILABLE, VpcId: vpcId }],
    Tags: tagViews(tags),
  };
}

export const describeInternetGatewaysOperation = ({ store }: IntentDeps) =>
  ec2Operation<DescribeInternetGatewaysRequest, DescribeInternetGatewaysResult>('DescribeInternetGateways', async (input, context) => {
    const gateways = await store.read((tx) => tx.internetGateways.list(scopeOf(context)));
    const { page, nextToken } = select(kind, gateways, {
      ids: input.InternetGatewayIds,
      filters: input.Filters,
      maxResults: input.MaxResults,
      nextToken: input.NextToken,
    });
    return { InternetGateways: page.map(internetGatewayView), NextToken: nextToken };
  });
