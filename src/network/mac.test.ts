import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '#domain/cidr.ts';
import { macOf } from './mac.ts';

test('a MAC of an address is locally administered and tells it', () => {
  assert.equal(macOf(parseIp('172.31.16.1'), 0x67), '02:67:ac:1f:10:01');
});
