/** Kinds of resources that a berth has none of and can't make: their lists are empty, and what is asked for by id does not exist. */
import type {
  DescribeAddressesRequest,
  DescribeAddressesResult,
  DescribeNatGatewaysRequest,
  DescribeNatGatewaysResult,
  DescribePrefixListsRequest,
  DescribePrefixListsResult,
  DescribeVpcEndpointsRequest,
  DescribeVpcEndpointsResult,
} from '@aws-sdk/client-ec2';
import { Fault } from '#base/fault.ts';
import type { IntentDeps } from '#intent/index.ts';
import { ec2Operation } from './operation.ts';

function assertNone(ids: string[] | undefined, noun: string, code: string): void {
  const id = ids?.[0];
  if (id === undefined) return;
  throw new Fault('ResourceNotFound', `The ${noun} '${id.slice(0, 100)}' does not exist`, { details: { errorName: code } });
}

export const describeVpcEndpointsOperation = (_deps: IntentDeps) =>
  ec2Operation<DescribeVpcEndpointsRequest, DescribeVpcEndpointsResult>('DescribeVpcEndpoints', async (input) => {
    assertNone(input.VpcEndpointIds, 'Vpc Endpoint Id', 'InvalidVpcEndpointId.NotFound');
    return { VpcEndpoints: [] };
  });

export const describePrefixListsOperation = (_deps: IntentDeps) =>
  ec2Operation<DescribePrefixListsRequest, DescribePrefixListsResult>('DescribePrefixLists', async (input) => {
    assertNone(input.PrefixListIds, 'prefix list ID', 'InvalidPrefixListID.NotFound');
    return { PrefixLists: [] };
  });

export const describeNatGatewaysOperation = (_deps: IntentDeps) =>
  ec2Operation<DescribeNatGatewaysRequest, DescribeNatGatewaysResult>('DescribeNatGateways', async (input) => {
    assertNone(input.NatGatewayIds, 'NatGateway', 'NatGatewayNotFound');
    return { NatGateways: [] };
  });

export const describeAddressesOperation = (_deps: IntentDeps) =>
  ec2Operation<DescribeAddressesRequest, DescribeAddressesResult>('DescribeAddresses', async (input) => {
    assertNone(input.AllocationIds, 'allocation ID', 'InvalidAllocationID.NotFound');
    return { Addresses: [] };
  });
