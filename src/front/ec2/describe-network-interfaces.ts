import type { DescribeNetworkInterfacesRequest, DescribeNetworkInterfacesResult, NetworkInterface } from '@aws-sdk/client-ec2';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { assertNotDryRun } from './errors.ts';
import { interfaceItems, interfaceView } from './interfaces.ts';
import { loadBalancerInterfaces } from './load-balancer-interfaces.ts';
import { select, type ResourceKind } from './selection.ts';

const ip = (one: NetworkInterface) => [one.PrivateIpAddress];

const kind: ResourceKind<NetworkInterface> = {
  noun: 'networkInterface ID',
  code: 'InvalidNetworkInterfaceID',
  malformedCode: 'InvalidNetworkInterfaceId.Malformed',
  prefix: 'eni-',
  id: (one) => one.NetworkInterfaceId ?? '',
  tags: (one) => (one.TagSet ?? []).map(({ Key = '', Value = '' }) => ({ key: Key, value: Value })),
  filters: {
    'network-interface-id': (one) => [one.NetworkInterfaceId],
    'addresses.private-ip-address': ip,
    'private-ip-address': ip,
    'private-dns-name': (one) => [one.PrivateDnsName],
    'attachment.attachment-id': (one) => [one.Attachment?.AttachmentId],
    'attachment.instance-owner-id': (one) => [one.Attachment?.InstanceOwnerId],
    'attachment.status': (one) => [one.Attachment?.Status],
    'attachment.device-index': (one) => [String(one.Attachment?.DeviceIndex)],
    'availability-zone': (one) => [one.AvailabilityZone],
    'availability-zone-id': (one) => [one.AvailabilityZoneId],
    description: (one) => [one.Description],
    'group-id': (one) => (one.Groups ?? []).map((group) => group.GroupId),
    'group-name': (one) => (one.Groups ?? []).map((group) => group.GroupName),
    'interface-type': (one) => [one.InterfaceType],
    'mac-address': (one) => [one.MacAddress],
    'owner-id': (one) => [one.OwnerId],
    'requester-id': (one) => [one.RequesterId],
    'requester-managed': (one) => [String(one.RequesterManaged)],
    status: (one) => [one.Status],
    'subnet-id': (one) => [one.SubnetId],
    'vpc-id': (one) => [one.VpcId],
  },
};

export function describeNetworkInterfacesOperation(
  store: IntentDeps['store'],
): Handler<DescribeNetworkInterfacesRequest, DescribeNetworkInterfacesResult> {
  return {
    name: 'DescribeNetworkInterfaces',
    async handle(input, { account, region }) {
      assertNotDryRun(input);
      const scope = { account, region };
      const all = await store.read(async (tx) => {
        const subnets = await tx.subnets.list(scope);
        const groups = await tx.securityGroups.list(scope);
        const ofTasks = interfaceItems(await tx.tasks.list({ ...scope, live: true }), subnets, groups).map(interfaceView);
        return [...ofTasks, ...loadBalancerInterfaces(await tx.loadBalancers.list(scope), subnets, groups)];
      });
      const { page, nextToken } = select(kind, all, {
        ids: input.NetworkInterfaceIds,
        filters: input.Filters,
        maxResults: input.MaxResults,
        nextToken: input.NextToken,
      });
      return { NetworkInterfaces: page, NextToken: nextToken };
    },
  };
}
