import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { isFault } from '#base/fault.ts';
import { beyondFargate, beyondKind, withExtensions } from './extensions.ts';
import { isolationInfo, isolationWish, kindFor, reasonsAgainst } from './isolation.ts';
import type { ClusterRecord, HostRecord, IsolationInfo } from './records.ts';
import { containerSpec, taskSpec } from './samples.ts';
import { assertTags } from './tags.ts';
import type { ContainerSpec, IsolationWish } from './task-spec.ts';

const tag = (value: string) => [{ key: 'berth:isolation', value }];

test('the wish is the call’s, else the definition’s, else the cluster’s, else auto', () => {
  assert.equal(isolationWish(tag('gvisor'), tag('microvm'), tag('container')), 'gvisor');
  assert.equal(isolationWish([], tag('microvm'), tag('container')), 'microvm');
  assert.equal(isolationWish([], [], tag('container')), 'container');
  assert.equal(isolationWish(tag('auto'), tag('microvm'), tag('container')), 'auto');
  assert.equal(isolationWish([], [], []), 'auto');
});

test('tags that berth reads are refused when they mean nothing', () => {
  const refusedBy = (key: string, value: string, text: RegExp) =>
    assert.throws(
      () => assertTags([{ key, value }]),
      (error) => isFault(error, 'InvalidParameter') && text.test(error.message),
    );
  refusedBy('berth:isolation', 'vm', /'vm' is not a value of the tag berth:isolation: use one of auto, container, gvisor, microvm\./);
  refusedBy('berth:isolation', '', /'' is not a value/);
  refusedBy('berth:extensions', 'privileged gpu', /'gpu' is not an extension .* use privileged/);
  for (const value of ['auto', 'container', 'gvisor', 'microvm']) assertTags(tag(value));
  assertTags([{ key: 'berth:extensions', value: 'privileged' }]);
  assertTags([{ key: 'berth:extensions', value: '' }]);
});

const entry = (kind: IsolationInfo['kind'], works: boolean, accelerator?: 'kvm' | 'tcg', auto: IsolationWish = 'auto') =>
  isolationInfo(kind, { works, reason: `${kind} tried`, ...(accelerator === undefined ? {} : { accelerator }) }, auto);

describe('auto', () => {
  it('is the strongest kind that works', () => {
    assert.equal(kindFor([entry('container', true), entry('gvisor', true), entry('microvm', true, 'kvm')], 'auto'), 'microvm');
    assert.equal(kindFor([entry('container', true), entry('gvisor', true), entry('microvm', false)], 'auto'), 'gvisor');
    assert.equal(kindFor([entry('container', true), entry('gvisor', false), entry('microvm', false)], 'auto'), 'container');
    assert.equal(kindFor([], 'auto'), undefined);
  });
  it('is never a microVM under software emulation, which runs only by name', () => {
    const host = [entry('container', true), entry('microvm', true, 'tcg')];
    assert.equal(kindFor(host, 'auto'), 'container');
    assert.equal(kindFor(host, 'microvm'), 'microvm');
    assert.equal(kindFor([entry('microvm', true, 'tcg')], 'auto'), undefined);
  });
  it('is what up named, and nothing less where that does not work', () => {
    const host = (auto: IsolationWish, virtual = true) => [
      entry('container', true, undefined, auto),
      entry('microvm', virtual, 'tcg', auto),
    ];
    assert.equal(kindFor(host('microvm'), 'auto'), 'microvm');
    assert.equal(kindFor(host('container'), 'auto'), 'container');
    assert.equal(kindFor(host('microvm', false), 'auto'), undefined);
    assert.equal(kindFor(host('microvm', false), 'container'), 'container');
  });
});

const host = (isolation: IsolationInfo[]): HostRecord => ({
  key: { hostId: 'a' },
  revision: 1,
  status: 'CONNECTED',
  seenAt: 0,
  usage: { freeMemoryBytes: 0, freeDiskBytes: 0, loadPercent: 0, tasks: 0, sandboxes: [] },
  info: {
    hostname: 'a',
    arch: 'amd64',
    cpuMillis: 1000,
    memoryBytes: 0,
    reserveBytes: 0,
    isolation,
    strictCapacity: false,
    occupiedCidrs: [],
    cidrSeed: 0,
  },
});

test('why a kind is not to be had', () => {
  const hosts = [host([entry('container', true), entry('microvm', false)])];
  assert.equal(reasonsAgainst(hosts, 'microvm'), 'microvm: microvm tried');
  assert.equal(reasonsAgainst([host([entry('microvm', true, 'tcg')])], 'auto'), 'microvm: only when asked for by name');
  assert.equal(reasonsAgainst([], 'gvisor'), '');
});

describe('the extension privileged', () => {
  const cluster = (extensions?: string): Pick<ClusterRecord, 'key' | 'tags'> => ({
    key: { account: '1', region: 'r', name: 'builds' },
    tags: extensions === undefined ? [] : [{ key: 'berth:extensions', value: extensions }],
  });
  const task = (change: Partial<ContainerSpec>, isolation: IsolationWish = 'auto') =>
    taskSpec({ isolation, containers: [containerSpec(change)] });
  const kvm = [host([entry('container', true), entry('microvm', true, 'kvm')])];
  const tcg = [host([entry('container', true), entry('microvm', true, 'tcg')])];
  const refusedBecause = (text: RegExp, ...args: Parameters<typeof withExtensions>) =>
    assert.throws(
      () => withExtensions(...args),
      (error) => isFault(error, 'InvalidParameter') && text.test(error.message),
    );

  it('knows what goes beyond Fargate', () => {
    const beyond = (change: Partial<ContainerSpec>) => beyondFargate(task(change)).map(({ what }) => what);
    assert.deepEqual(beyond({}), []);
    assert.deepEqual(beyond({ capabilities: { add: ['SYS_PTRACE'], drop: ['ALL'] } }), []);
    assert.deepEqual(beyond({ privileged: true }), ["privileged (container 'app')"]);
    assert.deepEqual(beyond({ capabilities: { add: ['NET_ADMIN'], drop: [] } }), ["the capability NET_ADMIN (container 'app')"]);
    const devices = [{ hostPath: '/dev/fuse', containerPath: '/dev/fuse', permissions: 'rwm' }];
    assert.deepEqual(beyond({ devices }), ["devices (container 'app')"]);
    assert.deepEqual(beyond({ stopTimeoutMs: 600_000 }), ["a stop timeout of 600 s (container 'app')"]);
    assert.deepEqual(
      beyondFargate({ ...task({}), cpuMillis: 300 }).map(({ allowedBy }) => allowedBy),
      [['sizes']],
    );
  });
  it('leaves other tasks as they are', () => {
    const plain = task({});
    assert.equal(withExtensions(plain, cluster(), []), plain);
  });
  it('is off unless the cluster switches it on', () => {
    refusedBecause(
      /the cluster 'builds' doesn't allow: its tag berth:extensions must name 'privileged'\./,
      task({ privileged: true }, 'microvm'),
      cluster(),
      kvm,
    );
  });
  it('binds the task to a microVM', () => {
    assert.equal(withExtensions(task({ privileged: true }), cluster('privileged'), kvm).isolation, 'microvm');
    assert.equal(withExtensions(task({ privileged: true }, 'microvm'), cluster('privileged'), tcg).isolation, 'microvm');
  });
  it('is refused in anything less', () => {
    refusedBecause(
      /isolation is 'gvisor': ask for microvm by the tag berth:isolation/,
      task({ privileged: true }, 'gvisor'),
      cluster('privileged'),
      kvm,
    );
    refusedBecause(/isolation is 'auto', which is container here/, task({ privileged: true }), cluster('privileged'), tcg);
    refusedBecause(/isolation is 'auto', which is nothing here/, task({ privileged: true }), cluster('privileged'), []);
  });
});

describe('the other extensions', () => {
  const cluster = (extensions: string): Pick<ClusterRecord, 'key' | 'tags'> => ({
    key: { account: '1', region: 'r', name: 'builds' },
    tags: [{ key: 'berth:extensions', value: extensions }],
  });
  const adding = (name: string, isolation: IsolationWish = 'auto') =>
    taskSpec({ isolation, containers: [containerSpec({ capabilities: { add: [name], drop: [] } })] });
  const plain = [host([entry('container', true)])];
  const gvisor = [host([entry('container', true), entry('gvisor', true)])];

  it('capabilities: what stays in its namespaces runs anywhere, the rest never in a container of the machine', () => {
    assert.equal(withExtensions(adding('NET_ADMIN'), cluster('capabilities'), plain).isolation, 'auto');
    assert.equal(withExtensions(adding('SYS_ADMIN'), cluster('capabilities'), gvisor).isolation, 'gvisor');
    assert.throws(() => withExtensions(adding('SYS_ADMIN'), cluster('capabilities'), plain), /ask for microvm or gvisor by the tag/);
    assert.throws(() => withExtensions(adding('ALL', 'container'), cluster('capabilities'), gvisor), /isolation is 'container'/);
    assert.throws(() => withExtensions(adding('NET_ADMIN'), cluster('sizes'), plain), /must name 'privileged' or 'capabilities'\./);
    assert.equal(beyondKind(adding('SYS_ADMIN').containers, 'container'), "the capability SYS_ADMIN (container 'app')");
    assert.equal(beyondKind(adding('NET_ADMIN').containers, 'container'), undefined);
  });
  it('sizes and timeouts are named when the cluster lacks them', () => {
    const odd = { ...taskSpec({}), cpuMillis: 300 };
    assert.throws(() => withExtensions(odd, cluster('timeouts'), plain), /asks for 307 CPU and .* MiB of memory, .*must name 'sizes'\./);
    assert.equal(withExtensions(odd, cluster('sizes'), plain), odd);
    const slow = taskSpec({ containers: [containerSpec({ stopTimeoutMs: 600_000 })] });
    assert.throws(() => withExtensions(slow, cluster('sizes'), plain), /a stop timeout of 600 s .*must name 'timeouts'\./);
  });
});
