import type {
  AssociateRouteTableRequest,
  AssociateRouteTableResult,
  CreateRouteRequest,
  CreateRouteResult,
  CreateRouteTableRequest,
  CreateRouteTableResult,
  DeleteRouteRequest,
  DeleteRouteTableRequest,
  DisassociateRouteTableRequest,
  ReplaceRouteRequest,
  ReplaceRouteTableAssociationRequest,
  ReplaceRouteTableAssociationResult,
} from '@aws-sdk/client-ec2';
import {
  associateRouteTable,
  createRoute,
  createRouteTable,
  deleteRoute,
  deleteRouteTable,
  disassociateRouteTable,
  ec2Fault,
  ec2Vpc,
  replaceAssociation,
  replaceRoute,
} from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { attachedGateways, routeTableView } from './describe-route-tables.ts';
import { ec2Operation, scopeOf } from './operation.ts';
import { tagsFor } from './tag-specifications.ts';
import { refuseMembers } from './unserved.ts';

export const createRouteTableOperation = (deps: IntentDeps) =>
  ec2Operation<CreateRouteTableRequest, CreateRouteTableResult>('CreateRouteTable', async (input, context) => {
    const scope = scopeOf(context);
    const { VpcId: vpcId = '', ClientToken } = input;
    const table = await createRouteTable(deps, scope, { vpcId, token: ClientToken, tags: tagsFor('route-table', input.TagSpecifications) });
    return await deps.store.read(async (tx) => {
      const vpc = await ec2Vpc(tx, scope, vpcId);
      const attached = attachedGateways(await tx.internetGateways.list(scope), vpcId);
      return { RouteTable: routeTableView({ table, cidr: vpc.cidr, attached }), ClientToken };
    });
  });

export const deleteRouteTableOperation = (deps: IntentDeps) =>
  ec2Operation<DeleteRouteTableRequest, object>('DeleteRouteTable', async (input, context) => {
    await deleteRouteTable(deps, scopeOf(context), input.RouteTableId ?? '');
    return {};
  });

export const associateRouteTableOperation = (deps: IntentDeps) =>
  ec2Operation<AssociateRouteTableRequest, AssociateRouteTableResult>('AssociateRouteTable', async (input, context) => {
    refuseMembers(input, ['GatewayId', 'PublicIpv4Pool']);
    if (input.SubnetId === undefined) throw ec2Fault('MissingParameter', 'The request must contain the parameter subnetId');
    const id = await associateRouteTable(deps, scopeOf(context), input.RouteTableId ?? '', input.SubnetId);
    return { AssociationId: id, AssociationState: { State: 'associated' } };
  });

export const disassociateRouteTableOperation = (deps: IntentDeps) =>
  ec2Operation<DisassociateRouteTableRequest, object>('DisassociateRouteTable', async (input, context) => {
    await disassociateRouteTable(deps, scopeOf(context), input.AssociationId ?? '');
    return {};
  });

export const replaceRouteTableAssociationOperation = (deps: IntentDeps) =>
  ec2Operation<ReplaceRouteTableAssociationRequest, ReplaceRouteTableAssociationResult>(
    'ReplaceRouteTableAssociation',
    async (input, context) => {
      const { id } = await replaceAssociation(deps, scopeOf(context), input.AssociationId ?? '', input.RouteTableId ?? '');
      return { NewAssociationId: id, AssociationState: { State: 'associated' } };
    },
  );

export const createRouteOperation = (deps: IntentDeps) =>
  ec2Operation<CreateRouteRequest, CreateRouteResult>('CreateRoute', async (input, context) => {
    await createRoute(deps, scopeOf(context), routeWish(input));
    return { Return: true };
  });

export const replaceRouteOperation = (deps: IntentDeps) =>
  ec2Operation<ReplaceRouteRequest, object>('ReplaceRoute', async (input, context) => {
    refuseMembers(input, ['LocalTarget']);
    await replaceRoute(deps, scopeOf(context), routeWish(input));
    return {};
  });

export const deleteRouteOperation = (deps: IntentDeps) =>
  ec2Operation<DeleteRouteRequest, object>('DeleteRoute', async (input, context) => {
    await deleteRoute(deps, scopeOf(context), { tableId: input.RouteTableId ?? '', destination: destinationOf(input) });
    return {};
  });

function routeWish(input: CreateRouteRequest & ReplaceRouteRequest): { tableId: string; destination: string; gatewayId: string } {
  refuseMembers(input, [
    'VpcEndpointId',
    'TransitGatewayId',
    'LocalGatewayId',
    'CarrierGatewayId',
    'CoreNetworkArn',
    'OdbNetworkArn',
    'EgressOnlyInternetGatewayId',
    'InstanceId',
    'NetworkInterfaceId',
    'VpcPeeringConnectionId',
    'NatGatewayId',
  ]);
  if (input.GatewayId === undefined) throw ec2Fault('MissingParameter', 'The request must contain a target: the parameter gatewayId');
  return { tableId: input.RouteTableId ?? '', destination: destinationOf(input), gatewayId: input.GatewayId };
}

function destinationOf(input: DeleteRouteRequest): string {
  refuseMembers(input, ['DestinationIpv6CidrBlock', 'DestinationPrefixListId']);
  if (input.DestinationCidrBlock !== undefined) return input.DestinationCidrBlock;
  throw ec2Fault('MissingParameter', 'The request must contain the parameter destinationCidrBlock');
}
