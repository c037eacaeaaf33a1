/** Network interfaces are not kept: they follow from where tasks are placed. */
import type { NetworkInterface } from '@aws-sdk/client-ec2';
import { ecsArn } from '#domain/arn.ts';
import type { SecurityGroupRecord, SubnetRecord } from '#domain/records.ts';
import { privateDnsName, type TaskPlacement, type TaskRecord } from '#domain/task.ts';
import { derivedId } from '#domain/network.ts';
import { tagViews } from './selection.ts';

export type PlacedTask = TaskRecord & { placement: TaskPlacement };

/** Whether a task has an interface now: from its placement until it is STOPPED. */
export function holdsInterface(task: TaskRecord): task is PlacedTask {
  return task.placement !== null && task.observed.status !== 'STOPPED';
}

export type InterfaceItem = { task: PlacedTask; subnet: SubnetRecord | undefined; groups: { id: string; name: string }[] };

export function interfaceItems(tasks: TaskRecord[], subnets: SubnetRecord[], groups: SecurityGroupRecord[]): InterfaceItem[] {
  const subnetOf = new Map(subnets.map((subnet) => [subnet.key.id, subnet]));
  const nameOf = new Map(groups.map((group) => [group.key.id, group.name]));
  return tasks.filter(holdsInterface).map((task) => ({
    task,
    subnet: subnetOf.get(task.desired.network.subnetId),
    groups: task.desired.network.securityGroupIds.map((id) => ({ id, name: nameOf.get(id) ?? '' })),
  }));
}

/** As ECS writes it: the attachment, whose id stands in DescribeTasks. */
export function interfaceDescription({ task }: InterfaceItem): string {
  return ecsArn(task.key, `attachment/${task.placement.attachmentId}`);
}

export const attachmentId = ({ task }: InterfaceItem): string => derivedId('eni-attach', task.placement.eniId);

export function interfaceView(item: InterfaceItem): NetworkInterface {
  const { key, desired, placement } = item.task;
  const dns = privateDnsName(key.region, placement.ip);
  return {
    NetworkInterfaceId: placement.eniId,
    Status: 'in-use',
    InterfaceType: 'interface',
    Description: interfaceDescription(item),
    SubnetId: desired.network.subnetId,
    VpcId: desired.network.vpcId,
    ...(item.subnet === undefined ? {} : { AvailabilityZone: item.subnet.zone, AvailabilityZoneId: item.subnet.zoneId }),
    MacAddress: placement.mac,
    PrivateIpAddress: placement.ip,
    PrivateDnsName: dns,
    PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: placement.ip, PrivateDnsName: dns }],
    Ipv6Addresses: [],
    Groups: item.groups.map(({ id, name }) => ({ GroupId: id, GroupName: name })),
    Attachment: {
      AttachmentId: attachmentId(item),
      AttachTime: new Date(placement.at),
      DeleteOnTermination: true,
      DeviceIndex: 1,
      NetworkCardIndex: 0,
      InstanceOwnerId: 'amazon-aws',
      Status: 'attached',
    },
    OwnerId: key.account,
    RequesterId: 'amazon-ecs',
    RequesterManaged: true,
    SourceDestCheck: true,
    TagSet: tagViews(desired.tags.filter((tag) => tag.key.startsWith('aws:ecs:'))),
  };
}
