import type { DescribeAvailabilityZonesRequest, DescribeAvailabilityZonesResult, AvailabilityZone } from '@aws-sdk/client-ec2';
import { Fault } from '#base/fault.ts';
import type { SubnetRecord } from '#domain/records.ts';
import type { Operation } from '#gateway/types.ts';
import type { Store } from '#store/types.ts';
import { assertNotDryRun } from './errors.ts';
import { select, type ResourceKind } from './selection.ts';

const kind: ResourceKind<SubnetRecord> = {
  noun: 'zone',
  code: 'InvalidParameterValue',
  malformedCode: 'InvalidParameterValue',
  prefix: '',
  id: (zone) => zone.zone,
  tags: () => [],
  filters: {
    'zone-name': (zone) => [zone.zone],
    'zone-id': (zone) => [zone.zoneId],
    'zone-type': () => ['availability-zone'],
    'region-name': (zone) => [zone.key.region],
    'group-name': (zone) => [zone.key.region],
    'opt-in-status': () => ['opt-in-not-required'],
    state: () => ['available'],
  },
};

function view(zone: SubnetRecord): AvailabilityZone {
  return {
    ZoneName: zone.zone,
    ZoneId: zone.zoneId,
    ZoneType: 'availability-zone',
    State: 'available',
    RegionName: zone.key.region,
    GroupName: zone.key.region,
    NetworkBorderGroup: zone.key.region,
    OptInStatus: 'opt-in-not-required',
    Messages: [],
  };
}

export function describeAvailabilityZonesOperation(
  store: Store,
): Operation<DescribeAvailabilityZonesRequest, DescribeAvailabilityZonesResult> {
  return {
    name: 'DescribeAvailabilityZones',
    action: 'ec2:DescribeAvailabilityZones',
    resources: () => ['*'],
    async handle(input, { account, region }) {
      assertNotDryRun(input);
      // The zones are where the default subnets are.
      const subnets = await store.read((tx) => tx.subnets.list({ account, region }));
      const zones = [...new Map(subnets.map((subnet) => [subnet.zone, subnet])).values()];
      const wanted = (zone: SubnetRecord) =>
        (input.ZoneNames === undefined || input.ZoneNames.includes(zone.zone)) && (input.ZoneIds === undefined || input.ZoneIds.includes(zone.zoneId)); // prettier-ignore
      const unknown = input.ZoneNames?.find((name) => !zones.some((zone) => zone.zone === name)) ?? input.ZoneIds?.find((id) => !zones.some((zone) => zone.zoneId === id)); // prettier-ignore
      if (unknown !== undefined) throw new Fault('InvalidParameter', `Invalid availability zone: [${unknown.slice(0, 100)}]`);
      const { page } = select(kind, zones.filter(wanted), { filters: input.Filters });
      return { AvailabilityZones: page.map(view) };
    },
  };
}
