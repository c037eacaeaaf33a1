import type { DescribeRouteTablesRequest, DescribeRouteTablesResult, Route, RouteTable } from '@aws-sdk/client-ec2';
import { isMain } from '#domain/network.ts';
import type { InternetGatewayRecord, RouteTableRecord } from '#domain/network.ts';
import type { IntentDeps } from '#intent/index.ts';
import { ec2Operation, scopeOf } from './operation.ts';
import { select, tagViews, type ResourceKind } from './selection.ts';

/** A table, its VPC's range, and the gateways that are attached to the VPC. */
export type RouteTableItem = { table: RouteTableRecord; cidr: string; attached: Set<string> };

const kind: ResourceKind<RouteTableItem> = {
  noun: 'routeTable ID',
  code: 'InvalidRouteTableID',
  malformedCode: 'InvalidRouteTableId.Malformed',
  prefix: 'rtb-',
  id: ({ table }) => table.key.id,
  tags: ({ table }) => table.tags,
  filters: {
    'route-table-id': ({ table }) => [table.key.id],
    'vpc-id': ({ table }) => [table.vpcId],
    // Of a table without any association neither holds.
    'association.main': ({ table }) => (table.associations.length === 0 ? [] : [String(isMain(table))]),
    'association.route-table-association-id': ({ table }) => table.associations.map(({ id }) => id),
    'association.route-table-id': ({ table }) => (table.associations.length === 0 ? [] : [table.key.id]),
    'association.subnet-id': ({ table }) => table.associations.map(({ subnetId }) => subnetId ?? undefined),
    'association.gateway-id': () => [],
    'owner-id': ({ table }) => [table.key.account],
    'route.destination-cidr-block': (item) => routes(item).map((route) => route.DestinationCidrBlock),
    'route.gateway-id': (item) => routes(item).map((route) => route.GatewayId),
    'route.origin': (item) => routes(item).map((route) => route.Origin),
    'route.state': (item) => routes(item).map((route) => route.State),
  },
};

function routes({ table, cidr, attached }: RouteTableItem): Route[] {
  return [
    { DestinationCidrBlock: cidr, GatewayId: 'local', Origin: 'CreateRouteTable', State: 'active' },
    ...table.routes.map(({ destination, gatewayId }) => ({
      DestinationCidrBlock: destination,
      GatewayId: gatewayId,
      Origin: 'CreateRoute' as const,
      State: attached.has(gatewayId) ? ('active' as const) : ('blackhole' as const),
    })),
  ];
}

export function routeTableView(item: RouteTableItem): RouteTable {
  const { table } = item;
  return {
    RouteTableId: table.key.id,
    VpcId: table.vpcId,
    OwnerId: table.key.account,
    Associations: table.associations.map(({ id, subnetId }) => ({
      Main: subnetId === null,
      RouteTableAssociationId: id,
      RouteTableId: table.key.id,
      ...(subnetId === null ? {} : { SubnetId: subnetId }),
      AssociationState: { State: 'associated' },
    })),
    Routes: routes(item),
    PropagatingVgws: [],
    Tags: tagViews(table.tags),
  };
}

export function attachedGateways(gateways: InternetGatewayRecord[], vpcId: string): Set<string> {
  return new Set(gateways.filter((gateway) => gateway.vpcId === vpcId).map((gateway) => gateway.key.id));
}

export const describeRouteTablesOperation = ({ store }: IntentDeps) =>
  ec2Operation<DescribeRouteTablesRequest, DescribeRouteTablesResult>('DescribeRouteTables', async (input, context) => {
    const scope = scopeOf(context);
    const items = await store.read(async (tx) => {
      const ranges = new Map((await tx.vpcs.list(scope)).map((vpc) => [vpc.key.id, vpc.cidr]));
      const gateways = await tx.internetGateways.list(scope);
      const tables = await tx.routeTables.list(scope);
      return tables.map((table) => ({
        table,
        cidr: ranges.get(table.vpcId) ?? '',
        attached: attachedGateways(gateways, table.vpcId),
      }));
    });
    const { page, nextToken } = select(kind, items, {
      ids: input.RouteTableIds,
      filters: input.Filters,
      maxResults: input.MaxResults,
      nextToken: input.NextToken,
    });
    return { RouteTables: page.map(routeTableView), NextToken: nextToken };
  });
