import type {
  CreateSubnetRequest,
  CreateSubnetResult,
  DeleteSubnetRequest,
  HostnameType,
  ModifySubnetAttributeRequest,
} from '@aws-sdk/client-ec2';
import { Fault } from '#base/fault.ts';
import { parseCidr, usableCount } from '#domain/cidr.ts';
import type { SubnetAttributes } from '#domain/network.ts';
import { createSubnet, deleteSubnet, ec2Fault, modifySubnetAttributes } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { subnetView } from './describe-subnets.ts';
import { ec2Operation, scopeOf } from './operation.ts';
import { tagsFor } from './tag-specifications.ts';
import { refuseMembers } from './unserved.ts';

export const createSubnetOperation = (deps: IntentDeps) =>
  ec2Operation<CreateSubnetRequest, CreateSubnetResult>('CreateSubnet', async (input, context) => {
    refuseMembers(input, [
      'Ipv6CidrBlock',
      'OutpostArn',
      'Ipv6Native',
      'Ipv4IpamPoolId',
      'Ipv4NetmaskLength',
      'Ipv6IpamPoolId',
      'Ipv6NetmaskLength',
    ]);
    if (input.CidrBlock === undefined) {
      throw ec2Fault('MissingParameter', 'Either the parameter CidrBlock or Ipv4IpamPoolId must be provided.');
    }
    const record = await createSubnet(deps, scopeOf(context), {
      vpcId: input.VpcId ?? '',
      cidr: input.CidrBlock,
      zone: input.AvailabilityZone,
      zoneId: input.AvailabilityZoneId,
      tags: tagsFor('subnet', input.TagSpecifications),
    });
    return { Subnet: subnetView({ record, free: usableCount(parseCidr(record.cidr)) }) };
  });

export const deleteSubnetOperation = (deps: IntentDeps) =>
  ec2Operation<DeleteSubnetRequest, object>('DeleteSubnet', async (input, context) => {
    await deleteSubnet(deps, scopeOf(context), input.SubnetId ?? '');
    return {};
  });

export const modifySubnetAttributeOperation = (deps: IntentDeps) =>
  ec2Operation<ModifySubnetAttributeRequest & { DryRun?: boolean }, object>('ModifySubnetAttribute', async (input, context) => {
    const { SubnetId = '', ...rest } = input;
    const { MapPublicIpOnLaunch, PrivateDnsHostnameTypeOnLaunch, EnableResourceNameDnsARecordOnLaunch, ...others } = rest;
    // What is switched off is as it was.
    const off = (value: unknown) => value === undefined || (value as { Value?: boolean }).Value === false;
    const unserved = Object.entries(others).find(([, value]) => !off(value));
    if (unserved !== undefined) throw new Fault('Unsupported', `berth does not serve ${unserved[0]}: leave it out.`);
    const change: Partial<SubnetAttributes> = {
      ...(MapPublicIpOnLaunch?.Value === undefined ? {} : { mapPublicIpOnLaunch: MapPublicIpOnLaunch.Value }),
      ...(EnableResourceNameDnsARecordOnLaunch?.Value === undefined
        ? {}
        : { enableResourceNameDnsARecord: EnableResourceNameDnsARecordOnLaunch.Value }),
      ...(PrivateDnsHostnameTypeOnLaunch === undefined ? {} : { hostnameType: hostnameType(PrivateDnsHostnameTypeOnLaunch) }),
    };
    if (Object.values(rest).filter((value) => value !== undefined).length !== 1) {
      throw ec2Fault('InvalidParameterCombination', 'One attribute of a subnet can be modified at a time.');
    }
    await modifySubnetAttributes(deps, scopeOf(context), SubnetId, change);
    return {};
  });

function hostnameType(value: HostnameType): SubnetAttributes['hostnameType'] {
  if (value === 'ip-name' || value === 'resource-name') return value;
  throw new Fault('InvalidParameter', `Value (${String(value).slice(0, 40)}) for parameter privateDnsHostnameTypeOnLaunch is invalid. Use ip-name or resource-name.`); // prettier-ignore
}
