import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultInterface, occupiedRanges } from './ranges.ts';

const routes = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
brab12cd0\t0000400A\t0240FEA9\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0
`;

test('the machine occupies what it routes and has addresses in, without loopback, the default route and what is its own', () => {
  const interfaces = {
    lo: [{ family: 'IPv4', cidr: '127.0.0.1/8' }],
    eth0: [
      { family: 'IPv4', cidr: '192.0.2.2/24' },
      { family: 'IPv6', cidr: 'fd00::2/64' },
    ],
    wg0: [{ family: 'IPv4', cidr: '10.100.7.1/20' }],
    brab12cd0: [{ family: 'IPv4', cidr: '169.254.64.1/30' }],
  };
  assert.deepEqual(
    occupiedRanges(routes, interfaces, (name) => name.startsWith('brab12cd')),
    ['10.100.0.0/20', '172.17.0.0/16', '192.0.2.0/24'],
  );
});

test('the default route tells the way out', () => {
  assert.equal(defaultInterface(routes), 'eth0');
  assert.equal(defaultInterface('Iface\tDestination\n'), undefined);
});
