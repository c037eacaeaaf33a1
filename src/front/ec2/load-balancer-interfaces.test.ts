import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { LoadBalancerRecord } from '#domain/load-balancer.ts';
import { loadBalancerInterfaces } from './load-balancer-interfaces.ts';

const scope = { account: '1', region: 'us-east-1' };
const subnet = { key: { ...scope, id: 'subnet-1' }, revision: 1, vpcId: 'vpc-1', cidr: '10.0.0.0/20', zone: 'us-east-1a', zoneId: 'use1-az1', isDefault: true, tags: [] }; // prettier-ignore
const lb: LoadBalancerRecord = {
  key: { ...scope, name: 'web' },
  revision: 1,
  desired: {
    id: '0123456789abcdef',
    type: 'application',
    scheme: 'internal',
    ipAddressType: 'ipv4',
    vpcId: 'vpc-1',
    subnetIds: ['subnet-1'],
    securityGroupIds: ['sg-1'],
    attributes: {},
    tags: [],
    createdAt: 0,
  },
  observed: { ip: '10.0.0.9', subnetId: 'subnet-1', state: 'active', reason: null },
};

it('a load balancer with an address has an interface as ELB makes it', () => {
  const [one, ...others] = loadBalancerInterfaces([lb], [subnet], []);
  assert.deepEqual(others, []);
  assert.deepEqual(
    [one?.NetworkInterfaceId, one?.Description, one?.PrivateIpAddress, one?.AvailabilityZone, one?.RequesterId, one?.InterfaceType],
    ['eni-00123456789abcdef', 'ELB app/web/0123456789abcdef', '10.0.0.9', 'us-east-1a', 'amazon-elb', 'interface'],
  );
  assert.equal(one?.MacAddress, '02:00:0a:00:00:09');
});

it('one without an address has none', () => {
  assert.deepEqual(loadBalancerInterfaces([{ ...lb, observed: { ...lb.observed, ip: null } }], [subnet], []), []);
});
