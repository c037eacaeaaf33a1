/** Amazon EC2's parts about networks and volumes, as far as it is served. Reference: EC2 API reference, version 2016-11-15. */
import { guarded } from '#gateway/access.ts';
import type { ApiSpec, Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { ec2Access } from './access.ts';
import {
  describeAddressesOperation,
  describeNatGatewaysOperation,
  describePrefixListsOperation,
  describeVpcEndpointsOperation,
} from './absent.ts';
import { describeAccountAttributesOperation } from './describe-account-attributes.ts';
import { describeAvailabilityZonesOperation } from './describe-availability-zones.ts';
import { describeInternetGatewaysOperation } from './describe-internet-gateways.ts';
import { describeNetworkAclsOperation } from './describe-network-acls.ts';
import { describeNetworkInterfacesOperation } from './describe-network-interfaces.ts';
import { describeRegionsOperation } from './describe-regions.ts';
import { describeRouteTablesOperation } from './describe-route-tables.ts';
import { describeSecurityGroupRulesOperation } from './describe-security-group-rules.ts';
import { describeSecurityGroupsOperation } from './describe-security-groups.ts';
import { describeSubnetsOperation } from './describe-subnets.ts';
import { describeTagsOperation } from './describe-tags.ts';
import { describeVpcAttributeOperation } from './describe-vpc-attribute.ts';
import { describeVpcsOperation } from './describe-vpcs.ts';
import { ec2Errors } from './errors.ts';
import * as gateways from './internet-gateway-changes.ts';
import * as tables from './route-table-changes.ts';
import * as groups from './security-group-changes.ts';
import * as rules from './security-group-rule-changes.ts';
import * as snapshots from './snapshots.ts';
import * as subnets from './subnet-changes.ts';
import * as tags from './tag-changes.ts';
import * as volumes from './volumes.ts';
import * as vpcs from './vpc-changes.ts';

/** The caller makes sure that the account and region have their defaults first (intent's `ensureRegion`). */
export function createEc2Api(deps: IntentDeps): ApiSpec {
  const read = [
    describeAccountAttributesOperation,
    describeAvailabilityZonesOperation,
    describeNetworkInterfacesOperation,
    describeRegionsOperation,
    describeSubnetsOperation,
    describeVpcAttributeOperation,
    describeVpcsOperation,
  ].map((operation) => operation(deps.store));
  return {
    service: 'ec2',
    protocol: 'ec2-query',
    target: '2016-11-15',
    schemaPackage: '@aws-sdk/client-ec2',
    errors: ec2Errors,
    operations: guarded(ec2Access(deps), [...read, ...[...networkOperations(), ...volumeOperations()].map((operation) => operation(deps))]),
  };
}

function networkOperations(): ((deps: IntentDeps) => Handler)[] {
  return [
    describeAddressesOperation,
    describeInternetGatewaysOperation,
    describeNatGatewaysOperation,
    describeNetworkAclsOperation,
    describePrefixListsOperation,
    describeRouteTablesOperation,
    describeSecurityGroupRulesOperation,
    describeSecurityGroupsOperation,
    describeTagsOperation,
    describeVpcEndpointsOperation,
    vpcs.createVpcOperation,
    vpcs.deleteVpcOperation,
    vpcs.modifyVpcAttributeOperation,
    subnets.createSubnetOperation,
    subnets.deleteSubnetOperation,
    subnets.modifySubnetAttributeOperation,
    groups.createSecurityGroupOperation,
    groups.deleteSecurityGroupOperation,
    rules.authorizeOperation('Ingress'),
    rules.authorizeOperation('Egress'),
    rules.revokeOperation('Ingress'),
    rules.revokeOperation('Egress'),
    rules.updateDescriptionsOperation('Ingress'),
    rules.updateDescriptionsOperation('Egress'),
    rules.modifySecurityGroupRulesOperation,
    tables.createRouteTableOperation,
    tables.deleteRouteTableOperation,
    tables.associateRouteTableOperation,
    tables.disassociateRouteTableOperation,
    tables.replaceRouteTableAssociationOperation,
    tables.createRouteOperation,
    tables.replaceRouteOperation,
    tables.deleteRouteOperation,
    gateways.createInternetGatewayOperation,
    gateways.attachInternetGatewayOperation,
    gateways.detachInternetGatewayOperation,
    gateways.deleteInternetGatewayOperation,
    tags.createTagsOperation,
    tags.deleteTagsOperation,
  ];
}

function volumeOperations(): ((deps: IntentDeps) => Handler)[] {
  return [
    volumes.attachVolumeOperation,
    volumes.createVolumeOperation,
    volumes.deleteVolumeOperation,
    volumes.describeVolumesOperation,
    volumes.describeVolumesModificationsOperation,
    volumes.detachVolumeOperation,
    volumes.modifyVolumeOperation,
    snapshots.createSnapshotOperation,
    snapshots.deleteSnapshotOperation,
    snapshots.describeSnapshotsOperation,
  ];
}
