import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { LoadBalancerRecord } from '#domain/load-balancer.ts';
import type { SubnetRecord } from '#domain/records.ts';
import { balancerAddresses } from '#domain/taken-addresses.ts';
import { planBalancerAddresses } from './load-balancer-address.ts';

const lb = (name: string, subnetIds: string[], createdAt: number, ip: string | null = null) =>
  ({
    key: { name },
    desired: { subnetIds, createdAt },
    observed: { ip, subnetId: ip === null ? null : subnetIds[0] },
  }) as unknown as LoadBalancerRecord;
const subnet = (cidr: string, lastIp?: string) => ({ subnet: { cidr } as SubnetRecord, lastIp });
const moves = (...args: Parameters<typeof planBalancerAddresses>) =>
  planBalancerAddresses(...args).map((move) => [move.loadBalancer.key.name, move.subnetId, move.ip]);

it('gives each an address of its own, the oldest first, that neither a task nor another load balancer has', () => {
  const loadBalancers = [lb('b', ['s1'], 2), lb('a', ['s1'], 1), lb('c', ['s1'], 0, '10.0.0.5')];
  const placed = [{ subnetId: 's1', ip: '10.0.0.4' }];
  const subnets = new Map([['s1', subnet('10.0.0.0/24')]]);
  assert.deepEqual(moves({ loadBalancers, placed, subnets }), [
    ['a', 's1', '10.0.0.6'],
    ['b', 's1', '10.0.0.7'],
  ]);
  assert.deepEqual(balancerAddresses(loadBalancers), [{ subnetId: 's1', ip: '10.0.0.5' }]);
});

it('goes on to the next subnet when one is full or gone, and waits when all are', () => {
  // A /28 has eleven addresses for use.
  const placed = Array.from({ length: 11 }, (_, at) => ({ subnetId: 's1', ip: `10.0.0.${at + 4}` }));
  const subnets = new Map([
    ['s1', subnet('10.0.0.0/28')],
    ['s2', subnet('10.0.1.0/28', '10.0.1.9')],
  ]);
  const loadBalancers = [lb('a', ['gone', 's1', 's2'], 1), lb('b', ['s1'], 2)];
  assert.deepEqual(moves({ loadBalancers, placed, subnets }), [['a', 's2', '10.0.1.10']]);
});
