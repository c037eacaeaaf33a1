import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '#base/fault.ts';
import {
  chooseVpcCidr,
  containsCidr,
  containsIp,
  cutInto,
  formatCidr,
  formatIp,
  gatewayOf,
  nextFreeIp,
  overlaps,
  parseCidr,
  parseCidrLoosely,
  parseIp,
  usableCount,
  usableIn,
  vpcCandidates,
} from './cidr.ts';

const address = fc.nat(2 ** 32 - 1);
const range = fc.tuple(address, fc.integer({ min: 8, max: 32 })).map(([ip, prefix]) => parseCidrLoosely(`${formatIp(ip)}/${prefix}`));

test('addresses and ranges survive a round trip', () => {
  fc.assert(fc.property(address, (ip) => parseIp(formatIp(ip)) === ip));
  fc.assert(
    fc.property(range, (r) => {
      assert.deepEqual(parseCidr(formatCidr(r)), r);
    }),
  );
});

test('malformed addresses and ranges are refused', () => {
  for (const text of ['', '1.2.3', '1.2.3.4.5', '01.2.3.4', '1.2.3.256', 'a.b.c.d', '1.2.3.4 ']) {
    assert.throws(
      () => parseIp(text),
      (error) => isFault(error, 'InvalidParameter'),
    );
  }
  for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.1/8', '10.0.0.0/x', '/8']) {
    assert.throws(
      () => parseCidr(text),
      (error) => isFault(error, 'InvalidParameter'),
    );
  }
});

test('overlap is symmetric, and what is contained overlaps', () => {
  fc.assert(
    fc.property(range, range, (a, b) => {
      assert.equal(overlaps(a, b), overlaps(b, a));
      if (containsCidr(a, b)) assert.ok(overlaps(a, b));
    }),
  );
});

test('a /16 is cut into /20s; a subnet has its size less five addresses', () => {
  const subnets = cutInto(parseCidr('10.7.0.0/16'), 20, 3);
  assert.deepEqual(subnets.map(formatCidr), ['10.7.0.0/20', '10.7.16.0/20', '10.7.32.0/20']);
  const [first] = subnets;
  assert.ok(first);
  assert.equal(usableCount(first), 4091);
  assert.equal(formatIp(gatewayOf(first)), '10.7.0.1');
  assert.deepEqual(Object.values(usableIn(first)).map(formatIp), ['10.7.0.4', '10.7.15.254']);
});

test('a free address is found as long as there is one, and never a reserved one', () => {
  const subnet = parseCidr('10.0.0.0/28');
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 4, max: 14 })), fc.option(fc.integer({ min: 0, max: 15 })), (hosts, last) => {
      const taken = new Set(hosts.map((h) => subnet.base + h));
      const found = nextFreeIp(subnet, taken, last === null ? null : subnet.base + last);
      if (hosts.length === 11) assert.equal(found, null);
      else {
        assert.ok(found !== null && !taken.has(found) && containsIp(subnet, found));
        assert.ok(found >= usableIn(subnet).first && found <= usableIn(subnet).last);
      }
    }),
  );
});

test('addresses go round before one is used again', () => {
  const subnet = parseCidr('10.0.0.0/28');
  assert.equal(nextFreeIp(subnet, new Set(), null), subnet.base + 4);
  assert.equal(nextFreeIp(subnet, new Set(), subnet.base + 4), subnet.base + 5);
  assert.equal(nextFreeIp(subnet, new Set(), subnet.base + 14), subnet.base + 4);
});

test('a VPC range overlaps nothing that is occupied, and is the same for the same seed', () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(range, { maxLength: 20 }), (seed, occupied) => {
      const texts = occupied.map(formatCidr);
      let chosen: string;
      try {
        chosen = chooseVpcCidr(texts, seed);
      } catch (error) {
        return isFault(error, 'LimitExceeded') && vpcCandidates.every((c) => occupied.some((o) => overlaps(o, c)));
      }
      assert.equal(chooseVpcCidr(texts, seed), chosen);
      return occupied.every((o) => !overlaps(o, parseCidr(chosen)));
    }),
  );
});

test('every range is found before a berth gives up', () => {
  const occupied: string[] = [];
  for (let i = 0; i < vpcCandidates.length; i++) occupied.push(chooseVpcCidr(occupied, 42));
  assert.equal(new Set(occupied).size, vpcCandidates.length);
  assert.throws(
    () => chooseVpcCidr(occupied, 42),
    (error) => isFault(error, 'LimitExceeded'),
  );
});
