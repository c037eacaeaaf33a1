import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { containerSpec, taskSpec } from '#domain/samples.ts';
import type { SandboxPlan } from '../driver.ts';
import { guestStart } from './begin.ts';
import { createMarkFilter } from './control.ts';
import { describeExit } from './exit.ts';
import { renderQemu } from './render.ts';
import type { Launch } from './render.ts';
import { shapeName, shapeOf } from './shape.ts';
import { filesBundle, renderFileRules, sharedMounts } from './shared.ts';

const MIB = 1024 * 1024;
const golden = (name: string) => readFileSync(new URL(`./golden/${name}`, import.meta.url), 'utf8');

test('a machine is rendered as the golden files say', () => {
  const shape = { accelerator: 'tcg', cpus: 2, ramBytes: 1024 * MIB } as const;
  const text = (launch: Launch) => `${renderQemu({ shape, launch, tscKhz: 2_000_000 }).join('\n')}\n`;
  assert.equal(text('boot'), golden('boot.txt'));
  assert.equal(text('restore'), golden('restore.txt'));
  assert.ok(text('resume').includes('memory-backend-ram'));
  const kvm = renderQemu({ shape: { ...shape, accelerator: 'kvm' }, launch: 'restore', tscKhz: null });
  assert.equal(kvm[kvm.indexOf('-cpu') + 1], 'host');
  // 24 virtio-mmio slots are all there are (QEMU, docs/system/i386/microvm).
  assert.ok(kvm.filter((word) => /^virtio-\w+-device/.test(word)).length <= 24);
});

test('a saved state fits every launch of its shape: the devices are the same', () => {
  const shape = shapeOf({ cpuMillis: 250, memoryBytes: 512 * MIB }, 'tcg');
  const devices = (launch: Launch) => renderQemu({ shape, launch, tscKhz: 2_000_000 }).filter((word) => word.startsWith('virt'));
  assert.deepEqual(devices('boot'), devices('restore'));
  assert.deepEqual(devices('boot'), devices('resume'));
});

test('shapes: whole cores, and room for the guest itself', () => {
  assert.deepEqual(shapeOf({ cpuMillis: 250, memoryBytes: 512 * MIB }, 'kvm'), { accelerator: 'kvm', cpus: 1, ramBytes: 584 * MIB });
  assert.equal(shapeOf({ cpuMillis: 4000, memoryBytes: 512 * MIB }, 'tcg').cpus, 4);
  assert.equal(shapeName(shapeOf({ cpuMillis: 1500, memoryBytes: 1024 * MIB }, 'tcg')), 'tcg-2c-1104m');
});

test('what a guest sent before the mark is dropped, wherever the stream is cut', () => {
  const mark = Buffer.from('0123456789abcdef');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), fc.array(fc.nat(20)), (before, after, cuts) => {
      const stream = Buffer.concat([before, mark, after]);
      fc.pre(stream.indexOf(mark) === before.length);
      const filter = createMarkFilter(mark);
      const out: Buffer[] = [];
      let at = 0;
      for (const cut of [...cuts, stream.length]) {
        out.push(Buffer.from(filter(stream.subarray(at, Math.min(stream.length, at + cut)))));
        at = Math.min(stream.length, at + cut);
      }
      assert.deepEqual(Buffer.concat(out), Buffer.from(after));
    }),
  );
});

test('a guest that never sends the mark is not listened to for ever', () => {
  const filter = createMarkFilter(Buffer.alloc(16, 1));
  assert.throws(
    () => {
      for (let sent = 0; sent <= limits.guestSkipBytes + MIB; sent += MIB) filter(Buffer.alloc(MIB));
    },
    (error) => isFault(error, 'ProtocolError'),
  );
});

test('how a machine ended is told in a sentence, and the guest cannot write what it likes into it', () => {
  const exit = { code: null, signal: null, oomKilled: false, atMs: 0, console: '' };
  assert.match(describeExit({ ...exit, signal: 9 }), /killed by signal 9/);
  assert.match(describeExit({ ...exit, signal: 9, oomKilled: true }), /host memory/);
  assert.match(describeExit({ ...exit, signal: 11, console: 'qemu: no such MSR' }), /died of signal 11: qemu: no such MSR$/);
  assert.match(describeExit({ ...exit, code: 0, console: 'berth-guest: no port\n' }), /powered itself off: berth-guest: no port$/);
  const panic = 'Kernel panic - not syncing: Attempted \u001b[2J to kill init!\r\n---[ end';
  assert.equal(describeExit({ ...exit, code: 0, console: panic }), 'the guest kernel panicked: Attempted [2J to kill init!');
  assert.match(describeExit({ ...exit, code: 1, console: 'a\nqemu: bad disk\n' }), /ended with 1: qemu: bad disk/);
  assert.ok(describeExit({ ...exit, code: 1, console: 'x'.repeat(10_000) }).length < 300);
});

test('containers of one image share its disk; paths are the guest’s', () => {
  const image = (digest: string) => ({
    ref: 'r',
    digest,
    layers: ['/host/layer'],
    config: { entrypoint: [], cmd: ['x'], env: [], workingDir: '', user: '', stopSignal: null, labels: {}, exposedPorts: [] },
  });
  const containers = ['a', 'b', 'c'].map((name) => containerSpec({ name, mounts: [{ volume: 'data', path: '/data', readOnly: false }] }));
  const plan: SandboxPlan = {
    taskId: '0'.repeat(32),
    kind: 'microvm',
    spec: taskSpec({ containers, volumes: [{ name: 'data', kind: 'scratch' }] }),
    dir: '/state/tasks/x',
    network: {
      ip: '172.31.0.9',
      mac: '02:00:00:00:00:09',
      gatewayIp: '172.31.0.1',
      gatewayMac: '02:67:ac:1f:00:01',
      hostname: 'h',
      mtu: 1500,
      routerNetns: '/run/ns',
      routerIf: 'tx',
    },
    images: { a: image('sha256:1'), b: image('sha256:2'), c: image('sha256:1') },
    environment: {},
    runtimeIds: {},
    files: { '/etc/hosts': 'hosts' },
    volumes: { data: { kind: 'scratch' } },
  };
  const { begin, settle, disks, files } = guestStart(plan, 1024);
  assert.deepEqual(
    disks.map((disk) => disk.digest),
    ['sha256:1', 'sha256:2'],
  );
  assert.deepEqual(
    begin.bundle.containers.map((one) => one.layers),
    [['/images/0'], ['/images/1'], ['/images/0']],
  );
  assert.deepEqual(settle.directories, ['/scratch/volumes/0']);
  assert.ok(!JSON.stringify([settle, begin, files.map((file) => Buffer.from(file.data, 'base64').toString())]).includes('/state/'));
  assert.ok(files.every((file) => !file.path.startsWith('/') && !file.path.includes('..')));
});

test("a task's own volumes on shared file systems are served by number, to be read only where nobody may write", () => {
  const mount = (volume: string, readOnly: boolean) => ({ volume, path: `/${volume}`, readOnly });
  const containers = [
    containerSpec({ mounts: [mount('a', true), mount('b', true)] }),
    containerSpec({ name: 'two', mounts: [mount('b', false)] }),
  ];
  const user = { uid: 1, gid: 2, secondaryGids: [3] };
  const volumes = { s: { kind: 'scratch' }, a: { kind: 'directory', path: '/m/a', user }, b: { kind: 'directory', path: '/m/b' } } as const;
  const network = { ip: '10.0.0.9', routerNetns: '/run/ns/vpc', routerIf: 't1' };
  const plan = { taskId: 'id', spec: taskSpec({ containers }), volumes, network } as unknown as SandboxPlan;
  const bundle = filesBundle(plan, { dir: '/d', port: 0, cgroup: 'c' });
  assert.deepEqual(bundle.volumes, [
    { path: '/m/a', readOnly: true, user: { uid: 1, gid: 2, groups: [3] } },
    { path: '/m/b', readOnly: false, user: null },
  ]);
  const mounts = sharedMounts(plan);
  assert.deepEqual(mounts.map(({ path, source }) => [path, source]), [['/shared/0', '169.254.170.4:/0'], ['/shared/1', '169.254.170.4:/1']]); // prettier-ignore
  assert.match(mounts[0]?.options ?? '', /vers=4.1,addr=169.254.170.4,clientaddr=10.0.0.9,.*hard/);
  assert.match(renderFileRules('t1', 4000), /iifname "t1" ip daddr 169.254.170.4 tcp dport 2049 dnat to 169.254.170.4:4000\n/);
  assert.equal(renderFileRules('t1', null), 'add table ip berth_files_t1\ndelete table ip berth_files_t1\n');
});
