import type { DescribeRouteTablesRequest, DescribeRouteTablesResult, RouteTable } from '@aws-sdk/client-ec2';
import type { VpcRecord } from '#domain/records.ts';
import type { Operation } from '#gateway/types.ts';
import type { Store } from '#store/types.ts';
import { assertNotDryRun } from './errors.ts';
import { derivedId } from './derived.ts';
import { select, type ResourceKind } from './selection.ts';

const routeTableId = (vpc: VpcRecord) => derivedId('rtb', vpc.key.id);
const associationId = (vpc: VpcRecord) => derivedId('rtbassoc', vpc.key.id);

/** Each VPC has its main route table: the VPC itself, and the way out. */
const kind: ResourceKind<VpcRecord> = {
  noun: 'routeTable ID',
  code: 'InvalidRouteTableID',
  malformedCode: 'InvalidRouteTableId.Malformed',
  prefix: 'rtb-',
  id: routeTableId,
  tags: () => [],
  filters: {
    'route-table-id': (vpc) => [routeTableId(vpc)],
    'vpc-id': (vpc) => [vpc.key.id],
    'association.main': () => ['true'],
    'association.route-table-association-id': (vpc) => [associationId(vpc)],
    'association.route-table-id': (vpc) => [routeTableId(vpc)],
    'association.subnet-id': () => [],
    'association.gateway-id': () => [],
    'owner-id': (vpc) => [vpc.key.account],
    'route.destination-cidr-block': (vpc) => [vpc.cidr, '0.0.0.0/0'],
    'route.gateway-id': (vpc) => ['local', derivedId('igw', vpc.key.id)],
    'route.state': () => ['active'],
  },
};

function view(vpc: VpcRecord): RouteTable {
  return {
    RouteTableId: routeTableId(vpc),
    VpcId: vpc.key.id,
    OwnerId: vpc.key.account,
    Associations: [
      {
        Main: true,
        RouteTableAssociationId: associationId(vpc),
        RouteTableId: routeTableId(vpc),
        AssociationState: { State: 'associated' },
      },
    ],
    Routes: [
      { DestinationCidrBlock: vpc.cidr, GatewayId: 'local', Origin: 'CreateRouteTable', State: 'active' },
      { DestinationCidrBlock: '0.0.0.0/0', GatewayId: derivedId('igw', vpc.key.id), Origin: 'CreateRoute', State: 'active' },
    ],
    PropagatingVgws: [],
    Tags: [],
  };
}

export function describeRouteTablesOperation(store: Store): Operation<DescribeRouteTablesRequest, DescribeRouteTablesResult> {
  return {
    name: 'DescribeRouteTables',
    action: 'ec2:DescribeRouteTables',
    resources: () => ['*'],
    async handle(input, { account, region }) {
      assertNotDryRun(input);
      const vpcs = await store.read((tx) => tx.vpcs.list({ account, region }));
      const { page, nextToken } = select(kind, vpcs, {
        ids: input.RouteTableIds,
        filters: input.Filters,
        maxResults: input.MaxResults,
        nextToken: input.NextToken,
      });
      return { RouteTables: page.map(view), NextToken: nextToken };
    },
  };
}
