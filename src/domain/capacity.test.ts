import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createCapacity, pickHost, servedZones, startingBytes, withHosts } from './capacity.ts';
import { isolationOn } from './isolation.ts';
import type { HostInfo, HostRecord } from './records.ts';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const now = 1_700_000_000_000;

function host(hostId: string, freeBytes: number, info: Partial<HostInfo> = {}): HostRecord {
  return {
    key: { hostId },
    revision: 1,
    status: 'CONNECTED',
    seenAt: now,
    usage: { freeMemoryBytes: freeBytes, freeDiskBytes: GIB, loadPercent: 0, tasks: 0, sandboxes: [] },
    info: {
      hostname: hostId,
      arch: 'amd64',
      cpuMillis: 2000,
      memoryBytes: 8 * GIB,
      reserveBytes: GIB,
      isolation: [{ kind: 'container', works: true, reason: '', accelerator: null, auto: true }],
      strictCapacity: false,
      occupiedCidrs: [],
      cidrSeed: 0,
      ...info,
    },
  };
}
const size = { cpuMillis: 256, memoryBytes: 512 * MIB };

test('a task goes where most memory is free', () => {
  assert.deepEqual(pickHost([host('a', 3 * GIB), host('b', 5 * GIB)], [], size, 'auto', now), { hostId: 'b', isolation: 'container' });
});

test('the reserve is never given out', () => {
  assert.deepEqual(pickHost([host('a', GIB + 511 * MIB)], [], size, 'auto', now), { unavailable: 'memory' });
  assert.ok('hostId' in pickHost([host('a', GIB + 512 * MIB)], [], size, 'auto', now));
});

test('only connected hosts that run the wished kind are asked', () => {
  assert.deepEqual(pickHost([], [], size, 'auto', now), { unavailable: 'no-host' });
  assert.deepEqual(pickHost([{ ...host('a', 5 * GIB), status: 'DISCONNECTED' }], [], size, 'auto', now), { unavailable: 'no-host' });
  assert.deepEqual(pickHost([host('a', 5 * GIB)], [], size, 'gvisor', now), { unavailable: 'isolation' });
});

test('a task for another architecture fits nowhere', () => {
  const arm = { ...size, platform: { arch: 'arm64' as const } };
  assert.deepEqual(pickHost([host('a', 5 * GIB)], [], arm, 'auto', now), { unavailable: 'isolation' });
  assert.ok('hostId' in pickHost([host('a', 5 * GIB, { arch: 'arm64' })], [], arm, 'auto', now));
});

test('auto takes the strongest kind that works', () => {
  const both = host('a', GIB, {
    isolation: [
      { kind: 'container', works: true, reason: '', accelerator: null, auto: true },
      { kind: 'microvm', works: false, reason: 'no KVM', accelerator: null, auto: false },
      { kind: 'gvisor', works: true, reason: '', accelerator: null, auto: true },
    ],
  });
  assert.equal(isolationOn(both, 'auto'), 'gvisor');
  assert.equal(isolationOn(both, 'container'), 'container');
  assert.equal(isolationOn(both, 'microvm'), undefined);
});

test('auto never becomes a kind that its host keeps for those who ask by name', () => {
  const isolation: HostRecord['info']['isolation'] = [
    { kind: 'microvm', works: true, reason: 'TCG', accelerator: 'tcg', auto: false },
    { kind: 'container', works: true, reason: '', accelerator: null, auto: true },
  ];
  const slow = host('slow', 9 * GIB, { isolation });
  assert.deepEqual(pickHost([slow], [], size, 'auto', now), { hostId: 'slow', isolation: 'container' });
  assert.deepEqual(pickHost([slow], [], size, 'microvm', now), { hostId: 'slow', isolation: 'microvm' });
  const only = host('only', 9 * GIB, { isolation: isolation.slice(0, 1) });
  assert.deepEqual(pickHost([only], [], size, 'auto', now), { unavailable: 'isolation' });
  assert.deepEqual(pickHost([only, host('small', 2 * GIB)], [], size, 'auto', now), { hostId: 'small', isolation: 'container' });
});

test('CPU is shared, unless capacity is strict', () => {
  const big = { cpuMillis: 4000, memoryBytes: GIB };
  assert.ok('hostId' in pickHost([host('a', 5 * GIB)], [], big, 'auto', now));
  assert.deepEqual(pickHost([host('a', 5 * GIB, { strictCapacity: true })], [], big, 'auto', now), { unavailable: 'cpu' });
});

test('strict capacity counts what was asked for, not what is free', () => {
  const strict = host('a', 100 * MIB, { strictCapacity: true });
  const taken = (count: number) => Array.from({ length: count }, () => ({ hostId: 'a', cpuMillis: 0, memoryBytes: GIB, placedAt: 0 }));
  assert.ok('hostId' in pickHost([strict], taken(6), { cpuMillis: 0, memoryBytes: GIB }, 'auto', now));
  assert.deepEqual(pickHost([strict], taken(7), { cpuMillis: 0, memoryBytes: GIB }, 'auto', now), { unavailable: 'memory' });
});

test('tasks placed a moment ago count until a heartbeat can show them', () => {
  const one = host('a', GIB + 520 * MIB);
  const task = (placedAt: number | null) => ({ ...size, hostId: 'a', placedAt });
  assert.deepEqual(pickHost([one], [task(now - 1000)], size, 'auto', now), { unavailable: 'memory' });
  assert.ok('hostId' in pickHost([one], [task(now - 20_000)], size, 'auto', now));
  assert.deepEqual(pickHost([one], [{ ...size, hostId: null }], size, 'auto', now), { unavailable: 'memory' });
});

test('a burst of small tasks fits a machine that each of them alone could nearly fill by what it asks', () => {
  const capacity = createCapacity([host('a', 20 * GIB)], [], now);
  for (let i = 0; i < 200; i++) {
    const picked = capacity.pick(size, 'auto');
    assert.ok('hostId' in picked, `task ${i}`);
    capacity.take(picked.hostId, size);
  }
});

test('property: strict hosts are never promised more than they have', () => {
  const sizes = fc.array(fc.record({ cpuMillis: fc.nat(4000), memoryBytes: fc.nat(4 * GIB) }), { maxLength: 60 });
  fc.assert(
    fc.property(sizes, (wanted) => {
      const hosts = ['a', 'b'].map((id) => host(id, 0, { strictCapacity: true }));
      const capacity = createCapacity(hosts, [], now);
      const given = new Map(hosts.map((h) => [h.key.hostId, { cpu: 0, memory: 0 }]));
      for (const one of wanted) {
        const picked = capacity.pick(one, 'auto');
        if (!('hostId' in picked)) continue;
        capacity.take(picked.hostId, one);
        const sum = given.get(picked.hostId);
        assert.ok(sum);
        sum.cpu += one.cpuMillis;
        sum.memory += one.memoryBytes;
      }
      return [...given.values()].every((sum) => sum.cpu <= 2000 && sum.memory <= 7 * GIB);
    }),
  );
  assert.equal(startingBytes({ cpuMillis: 0, memoryBytes: MIB }), MIB);
});

test('a host that names its zone takes tasks of that zone’s subnets alone, in its region', () => {
  const one = host('one', 8 * GIB, { zone: 'us-east-1a' });
  const pick = (hosts: HostRecord[], zone: string) => createCapacity(hosts, [], now).pick(size, 'auto', null, zone);
  assert.ok('hostId' in pick([one], 'us-east-1a'));
  assert.deepEqual(pick([one], 'us-east-1b'), { unavailable: 'zone' });
  assert.ok('hostId' in pick([one], 'eu-west-1b'));
  assert.deepEqual(pick([one, host('any', 2 * GIB)], 'us-east-1b'), { hostId: 'any', isolation: 'container' });
  assert.deepEqual([servedZones([one]), servedZones([one, host('any', GIB)])], ['us-east-1a', '']);
});

test('of subnets those count in whose zone a host stands', () => {
  const subnets = [{ zone: 'us-east-1a' }, { zone: 'us-east-1b' }];
  const at = (hosts: HostRecord[]) => withHosts(subnets, hosts).map(({ zone }) => zone.at(-1));
  const b = host('b', 8 * GIB, { zone: 'us-east-1b' });
  assert.deepEqual(at([b]), ['b']);
  assert.deepEqual(at([b, host('any', GIB)]), ['a', 'b']);
  assert.deepEqual(at([{ ...b, status: 'DISCONNECTED' }]), ['a', 'b']);
  assert.deepEqual(at([host('c', GIB, { zone: 'us-east-1c' })]), ['a', 'b']);
});
