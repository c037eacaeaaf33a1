import type { DescribeAvailabilityZonesRequest, DescribeAvailabilityZonesResult, AvailabilityZone } from '@aws-sdk/client-ec2';
import { Fault } from '#base/fault.ts';
import { zonesOf } from '#domain/network.ts';
import type { Handler } from '#gateway/types.ts';
import { assertNotDryRun } from './errors.ts';
import { select, type ResourceKind } from './selection.ts';

type Zone = { name: string; id: string; region: string };

const kind: ResourceKind<Zone> = {
  noun: 'zone',
  code: 'InvalidParameterValue',
  malformedCode: 'InvalidParameterValue',
  prefix: '',
  id: (zone) => zone.name,
  tags: () => [],
  filters: {
    'zone-name': (zone) => [zone.name],
    'zone-id': (zone) => [zone.id],
    'zone-type': () => ['availability-zone'],
    'region-name': (zone) => [zone.region],
    'group-name': (zone) => [zone.region],
    'opt-in-status': () => ['opt-in-not-required'],
    state: () => ['available'],
  },
};

function view(zone: Zone): AvailabilityZone {
  return {
    ZoneName: zone.name,
    ZoneId: zone.id,
    ZoneType: 'availability-zone',
    State: 'available',
    RegionName: zone.region,
    GroupName: zone.region,
    NetworkBorderGroup: zone.region,
    OptInStatus: 'opt-in-not-required',
    Messages: [],
  };
}

export function describeAvailabilityZonesOperation(): Handler<DescribeAvailabilityZonesRequest, DescribeAvailabilityZonesResult> {
  return {
    name: 'DescribeAvailabilityZones',
    async handle(input, { region }) {
      assertNotDryRun(input);
      const zones = zonesOf(region).map((zone) => ({ ...zone, region }));
      const wanted = (zone: Zone) =>
        (input.ZoneNames === undefined || input.ZoneNames.includes(zone.name)) && (input.ZoneIds === undefined || input.ZoneIds.includes(zone.id)); // prettier-ignore
      const unknown = input.ZoneNames?.find((name) => !zones.some((zone) => zone.name === name)) ?? input.ZoneIds?.find((id) => !zones.some((zone) => zone.id === id)); // prettier-ignore
      if (unknown !== undefined) throw new Fault('InvalidParameter', `Invalid availability zone: [${unknown.slice(0, 100)}]`);
      const { page } = select(kind, zones.filter(wanted), { filters: input.Filters });
      return { AvailabilityZones: page.map(view) };
    },
  };
}
