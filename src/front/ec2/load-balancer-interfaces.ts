/** The interfaces of load balancers follow from where they stand: one, once it has an address. */
import type { NetworkInterface } from '@aws-sdk/client-ec2';
import { parseIp } from '#domain/cidr.ts';
import type { LoadBalancerRecord } from '#domain/load-balancer.ts';
import type { SecurityGroupRecord, SubnetRecord } from '#domain/records.ts';
import { privateDnsName } from '#domain/task.ts';

export function loadBalancerInterfaces(
  balancers: readonly LoadBalancerRecord[],
  subnets: readonly SubnetRecord[],
  groups: readonly SecurityGroupRecord[],
): NetworkInterface[] {
  const subnetOf = new Map(subnets.map((subnet) => [subnet.key.id, subnet]));
  const nameOf = new Map(groups.map((group) => [group.key.id, group.name]));
  return balancers.flatMap((lb) => {
    const { ip, subnetId } = lb.observed;
    return ip === null || subnetId === null ? [] : [view(lb, ip, subnetId, subnetOf.get(subnetId), nameOf)];
  });
}

function view(
  { key, desired }: LoadBalancerRecord,
  ip: string,
  subnetId: string,
  subnet: SubnetRecord | undefined,
  nameOf: ReadonlyMap<string, string>,
): NetworkInterface {
  const dns = privateDnsName(key.region, ip);
  const network = desired.type === 'network';
  return {
    NetworkInterfaceId: `eni-0${desired.id}`,
    Status: 'in-use',
    InterfaceType: network ? 'network_load_balancer' : 'interface',
    // As ELB writes it: with the end of the load balancer's ARN.
    Description: `ELB ${network ? 'net' : 'app'}/${key.name}/${desired.id}`,
    SubnetId: subnetId,
    VpcId: desired.vpcId,
    ...(subnet === undefined ? {} : { AvailabilityZone: subnet.zone, AvailabilityZoneId: subnet.zoneId }),
    MacAddress: macOf(ip),
    PrivateIpAddress: ip,
    PrivateDnsName: dns,
    PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: ip, PrivateDnsName: dns }],
    Ipv6Addresses: [],
    Groups: desired.securityGroupIds.map((id) => ({ GroupId: id, GroupName: nameOf.get(id) ?? '' })),
    Attachment: {
      AttachmentId: `ela-attach-0${desired.id}`,
      AttachTime: new Date(desired.createdAt),
      DeleteOnTermination: false,
      DeviceIndex: 1,
      NetworkCardIndex: 0,
      InstanceOwnerId: 'amazon-elb',
      Status: 'attached',
    },
    OwnerId: key.account,
    RequesterId: 'amazon-elb',
    RequesterManaged: true,
    SourceDestCheck: true,
    TagSet: [],
  };
}

/** Its address stands on the VPC's router, which routes: no frame ever carries this one. */
function macOf(ip: string): string {
  const bytes = parseIp(ip).toString(16).padStart(8, '0').match(/../g) ?? [];
  return `02:00:${bytes.join(':')}`;
}
