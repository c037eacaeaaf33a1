import type { DescribeNetworkInterfacesRequest, DescribeNetworkInterfacesResult } from '@aws-sdk/client-ec2';
import { privateDnsName } from '#domain/task.ts';
import type { Operation } from '#gateway/types.ts';
import type { Store } from '#store/types.ts';
import { assertNotDryRun } from './errors.ts';
import { attachmentId, interfaceDescription, interfaceItems, interfaceView, type InterfaceItem } from './interfaces.ts';
import { select, type ResourceKind } from './selection.ts';

const ip = ({ task }: InterfaceItem) => [task.placement.ip];
const dns = ({ task }: InterfaceItem) => [privateDnsName(task.key.region, task.placement.ip)];

const kind: ResourceKind<InterfaceItem> = {
  noun: 'networkInterface ID',
  code: 'InvalidNetworkInterfaceID',
  malformedCode: 'InvalidNetworkInterfaceId.Malformed',
  prefix: 'eni-',
  id: ({ task }) => task.placement.eniId,
  tags: ({ task }) => task.desired.tags.filter((tag) => tag.key.startsWith('aws:ecs:')),
  filters: {
    'network-interface-id': ({ task }) => [task.placement.eniId],
    'addresses.private-ip-address': ip,
    'private-ip-address': ip,
    'private-dns-name': dns,
    'attachment.attachment-id': (item) => [attachmentId(item)],
    'attachment.status': () => ['attached'],
    'attachment.device-index': () => ['1'],
    'availability-zone': ({ subnet }) => [subnet?.zone],
    'availability-zone-id': ({ subnet }) => [subnet?.zoneId],
    description: (item) => [interfaceDescription(item)],
    'group-id': ({ groups }) => groups.map((group) => group.id),
    'group-name': ({ groups }) => groups.map((group) => group.name),
    'interface-type': () => ['interface'],
    'mac-address': ({ task }) => [task.placement.mac],
    'owner-id': ({ task }) => [task.key.account],
    'requester-id': () => ['amazon-ecs'],
    'requester-managed': () => ['true'],
    status: () => ['in-use'],
    'subnet-id': ({ task }) => [task.desired.network.subnetId],
    'vpc-id': ({ task }) => [task.desired.network.vpcId],
  },
};

export function describeNetworkInterfacesOperation(
  store: Store,
): Operation<DescribeNetworkInterfacesRequest, DescribeNetworkInterfacesResult> {
  return {
    name: 'DescribeNetworkInterfaces',
    action: 'ec2:DescribeNetworkInterfaces',
    resources: () => ['*'],
    async handle(input, { account, region }) {
      assertNotDryRun(input);
      const items = await store.read(async (tx) =>
        interfaceItems(
          await tx.tasks.list({ account, region, live: true }),
          await tx.subnets.list({ account, region }),
          await tx.securityGroups.list({ account, region }),
        ),
      );
      const { page, nextToken } = select(kind, items, {
        ids: input.NetworkInterfaceIds,
        filters: input.Filters,
        maxResults: input.MaxResults,
        nextToken: input.NextToken,
      });
      return { NetworkInterfaces: page.map(interfaceView), NextToken: nextToken };
    },
  };
}
