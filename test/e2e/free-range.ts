/** A range for a VPC of a test's own. */
import { DescribeVpcsCommand } from '@aws-sdk/client-ec2';
import { chooseVpcCidr } from '#domain/cidr.ts';
import { readOccupiedRanges } from '#network/machine.ts';
import type { Sdk } from './aws-sdk.ts';

/** A /16 that neither the machine uses nor a VPC of the platform has. */
export async function freeRange(sdk: Sdk): Promise<string> {
  const { Vpcs = [] } = await sdk.ec2.send(new DescribeVpcsCommand({}));
  return chooseVpcCidr([...readOccupiedRanges('none'), ...Vpcs.map((vpc) => vpc.CidrBlock ?? '')], Math.floor(Math.random() * 272));
}
