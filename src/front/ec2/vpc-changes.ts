import type {
  AttributeBooleanValue,
  CreateVpcRequest,
  CreateVpcResult,
  DeleteVpcRequest,
  ModifyVpcAttributeRequest,
} from '@aws-sdk/client-ec2';
import { Fault } from '#base/fault.ts';
import { createVpc, deleteVpc, modifyVpcAttributes } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { ec2Fault } from '#intent/index.ts';
import { vpcView } from './describe-vpcs.ts';
import { ec2Operation, scopeOf } from './operation.ts';
import { tagsFor } from './tag-specifications.ts';
import { refuseMembers } from './unserved.ts';

export const createVpcOperation = (deps: IntentDeps) =>
  ec2Operation<CreateVpcRequest, CreateVpcResult>('CreateVpc', async (input, context) => {
    refuseMembers(input, [
      'AmazonProvidedIpv6CidrBlock',
      'Ipv6Pool',
      'Ipv6CidrBlock',
      'Ipv4IpamPoolId',
      'Ipv4NetmaskLength',
      'Ipv6IpamPoolId',
      'Ipv6NetmaskLength',
      'Ipv6CidrBlockNetworkBorderGroup',
      'VpcEncryptionControl',
    ]);
    if (input.InstanceTenancy !== undefined && input.InstanceTenancy !== 'default') {
      throw new Fault('Unsupported', `berth has no instance tenancy but 'default'; '${input.InstanceTenancy.slice(0, 40)}' was asked for.`);
    }
    if (input.CidrBlock === undefined) {
      throw ec2Fault('MissingParameter', 'Either the parameter CidrBlock or Ipv4IpamPoolId must be provided.');
    }
    const tags = tagsFor('vpc', input.TagSpecifications);
    return { Vpc: vpcView(await createVpc(deps, scopeOf(context), { cidr: input.CidrBlock, tags })) };
  });

export const deleteVpcOperation = (deps: IntentDeps) =>
  ec2Operation<DeleteVpcRequest, object>('DeleteVpc', async (input, context) => {
    await deleteVpc(deps, scopeOf(context), input.VpcId ?? '');
    return {};
  });

export const modifyVpcAttributeOperation = (deps: IntentDeps) =>
  ec2Operation<ModifyVpcAttributeRequest & { DryRun?: boolean }, object>('ModifyVpcAttribute', async (input, context) => {
    const given: [keyof ModifyVpcAttributeRequest, string, AttributeBooleanValue | undefined][] = [
      ['EnableDnsSupport', 'enableDnsSupport', input.EnableDnsSupport],
      ['EnableDnsHostnames', 'enableDnsHostnames', input.EnableDnsHostnames],
      ['EnableNetworkAddressUsageMetrics', 'enableNetworkAddressUsageMetrics', input.EnableNetworkAddressUsageMetrics],
    ];
    const set = given.filter(([, , value]) => value?.Value !== undefined);
    if (set.length !== 1) {
      throw ec2Fault('InvalidParameterCombination', `One attribute can be modified at a time; the call has ${set.length}.`);
    }
    const change = Object.fromEntries(set.map(([, name, value]) => [name, value?.Value]));
    await modifyVpcAttributes(deps, scopeOf(context), input.VpcId ?? '', change);
    return {};
  });
