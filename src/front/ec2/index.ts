/** Amazon EC2's part about networks, as far as it is served. Reference: EC2 API reference, version 2016-11-15. */
import type { ApiSpec } from '#gateway/types.ts';
import type { Store } from '#store/types.ts';
import { describeAccountAttributesOperation } from './describe-account-attributes.ts';
import { describeAvailabilityZonesOperation } from './describe-availability-zones.ts';
import { describeInternetGatewaysOperation } from './describe-internet-gateways.ts';
import { describeNetworkInterfacesOperation } from './describe-network-interfaces.ts';
import { describeRegionsOperation } from './describe-regions.ts';
import { describeRouteTablesOperation } from './describe-route-tables.ts';
import { describeSecurityGroupsOperation } from './describe-security-groups.ts';
import { describeSubnetsOperation } from './describe-subnets.ts';
import { describeVpcAttributeOperation } from './describe-vpc-attribute.ts';
import { describeVpcsOperation } from './describe-vpcs.ts';
import { ec2Errors } from './errors.ts';

/** The caller makes sure that the account and region have their defaults first (intent's `ensureRegion`). */
export function createEc2Api(deps: { store: Store }): ApiSpec {
  const make = [
    describeAccountAttributesOperation,
    describeAvailabilityZonesOperation,
    describeInternetGatewaysOperation,
    describeNetworkInterfacesOperation,
    describeRegionsOperation,
    describeRouteTablesOperation,
    describeSecurityGroupsOperation,
    describeSubnetsOperation,
    describeVpcAttributeOperation,
    describeVpcsOperation,
  ];
  return {
    service: 'ec2',
    protocol: 'ec2-query',
    target: '2016-11-15',
    schemaPackage: '@aws-sdk/client-ec2',
    errors: ec2Errors,
    operations: make.map((operation) => operation(deps.store)),
  };
}
