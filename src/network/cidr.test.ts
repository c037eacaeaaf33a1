import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '#base/fault.ts';
import * as cidr from './cidr.ts';

const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const range = fc.tuple(address, fc.integer({ min: 0, max: 32 })).map(([base, prefix]) => cidr.networkOf(base, prefix));
const invalid = (fn: () => unknown) => assert.throws(fn, (error) => isFault(error, 'InvalidParameter'));

test('texts of addresses and ranges are read and written', () => {
  fc.assert(fc.property(address, (a) => cidr.parseAddress(cidr.formatAddress(a)) === a));
  fc.assert(fc.property(range, (r) => cidr.formatCidr(cidr.parseCidr(cidr.formatCidr(r))) === cidr.formatCidr(r)));
  assert.deepEqual(cidr.parseCidr('172.31.0.0/16'), { base: 0xac1f0000, prefix: 16 });
  for (const bad of ['', '1.2.3', '1.2.3.256', '1.2.3.4.5', 'a.b.c.d', ' 1.2.3.4']) invalid(() => cidr.parseAddress(bad));
  for (const bad of ['10.0.0.0', '10.0.0.0/33', '10.0.0.1/24', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/-1'])
    invalid(() => cidr.parseCidr(bad));
});

test('two ranges overlap when one holds the other, and only then', () => {
  fc.assert(
    fc.property(range, range, (a, b) => {
      const held = cidr.containsCidr(a, b) || cidr.containsCidr(b, a);
      return cidr.overlaps(a, b) === held && cidr.overlaps(a, b) === cidr.overlaps(b, a);
    }),
  );
});

test('the addresses of a range are those it contains', () => {
  fc.assert(
    fc.property(range, fc.nat(), (r, n) => {
      const index = n % cidr.sizeOf(r);
      return cidr.containsAddress(r, cidr.nthAddress(r, index));
    }),
  );
  invalid(() => cidr.nthAddress(cidr.parseCidr('10.0.0.0/24'), 256));
  invalid(() => cidr.nthAddress(cidr.parseCidr('10.0.0.0/24'), -1));
});

test('a subnet keeps its first four addresses and the last, as in AWS', () => {
  const subnet = cidr.parseCidr('172.31.16.0/20');
  assert.equal(cidr.formatAddress(cidr.gatewayOf(subnet)), '172.31.16.1');
  assert.equal(cidr.usableCount(subnet), 4091);
  assert.equal(cidr.formatAddress(cidr.nthUsable(subnet, 0)), '172.31.16.4');
  assert.equal(cidr.formatAddress(cidr.nthUsable(subnet, 4090)), '172.31.31.254');
  invalid(() => cidr.nthUsable(subnet, 4091));
  assert.equal(cidr.usableCount(cidr.parseCidr('10.0.0.0/30')), 0);
});

test('subnets of a range lie side by side', () => {
  const vpc = cidr.parseCidr('10.64.0.0/16');
  assert.equal(cidr.formatCidr(cidr.nthSubnet(vpc, 20, 2)), '10.64.32.0/20');
  invalid(() => cidr.nthSubnet(vpc, 20, 16));
  invalid(() => cidr.nthSubnet(vpc, 8, 0));
});

test('a MAC of an address is locally administered and tells it', () => {
  assert.equal(cidr.macOf(cidr.parseAddress('172.31.16.1'), 0x67), '02:67:ac:1f:10:01');
});
