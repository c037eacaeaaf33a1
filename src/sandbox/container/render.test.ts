import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isFault } from '#base/fault.ts';
import { hostStorage } from '../storage.ts';
import { bundleFiles } from './bundle.ts';
import { argsOf, capabilitiesOf, envOf } from './process.ts';
import { nofileOf } from './nofile.ts';
import {
  fullContainer as full,
  plainContainer as plain,
  sampleContainer as container,
  sampleImage as image,
  samplePlan as plan,
  sampleVolumes,
} from '../samples.ts';
import { render } from './render.ts';
import { dockerSeccomp } from './seccomp.ts';

function golden(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), 'utf8'));
}
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('a plain container renders as its golden file', () => {
  const paths = {
    root: '/state/rootfs',
    files: { '/etc/resolv.conf': '/state/files/0', '/etc/hosts': '/state/files/1' },
    volumes: sampleVolumes,
    nofile: 65_535,
  };
  assert.deepEqual(asJson(render(plan([plain]), plain, paths)), golden('plain'));
});

test('a container that sets everything renders as its golden file', () => {
  assert.deepEqual(
    asJson(render(plan([plain, full]), full, { root: '/state/rootfs', files: {}, volumes: sampleVolumes, nofile: 65_535 })),
    golden('full'),
  );
});

const privileged = container({ privileged: true, labels: { team: 'build' }, capabilities: { add: [], drop: ['SYS_TIME'] } });
const devices = [{ hostPath: '/dev/fuse', containerPath: '/dev/fuse', permissions: 'rwm' }];
const extended = container({ devices, capabilities: { add: ['SYS_ADMIN'], drop: [] } });
const context = { root: '/state/rootfs', files: {}, volumes: sampleVolumes, nofile: 65_535 };

test('a privileged container in a microVM renders as its golden file', () => {
  const config = render({ ...plan([privileged]), kind: 'microvm' }, privileged, context);
  assert.deepEqual(asJson(config), golden('privileged'));
});

test('added capabilities and devices in a microVM render beside the usual confinement', () => {
  const config = render({ ...plan([extended]), kind: 'microvm' }, extended, context);
  const usual = render(plan([plain]), plain, context);
  assert.ok(config.process.capabilities.bounding.includes('CAP_SYS_ADMIN'));
  assert.deepEqual(JSON.parse(config.annotations['berth.devices'] ?? ''), devices);
  assert.ok(config.process.noNewPrivileges && config.linux.seccomp !== undefined);
  assert.deepEqual(
    [config.mounts, config.linux.maskedPaths, config.linux.readonlyPaths],
    [usual.mounts, usual.linux.maskedPaths, usual.linux.readonlyPaths],
  );
});

test('nothing beyond Fargate is ever rendered for another kind of sandbox', () => {
  for (const kind of ['container', 'gvisor'] as const) {
    for (const one of [privileged, extended])
      assert.throws(() => render({ ...plan([one]), kind }, one, context), /in a sandbox of the kind/);
  }
});

test('a label never passes for an annotation that the supervisor acts on', () => {
  const sly = container({ labels: { 'berth.devices': 'all', 'berth.user': '0:0', mine: 'x' }, user: '7' });
  assert.deepEqual(render(plan([sly]), sly, context).annotations, { mine: 'x', 'berth.user': '7' });
});

test('ALL adds every capability that Linux has', () => {
  assert.equal(capabilitiesOf(container({ capabilities: { add: ['ALL'], drop: [] } })).length, 41);
  assert.ok(!capabilitiesOf(container({ capabilities: { add: ['ALL'], drop: ['SYS_TIME'] } })).includes('CAP_SYS_TIME'));
  assert.deepEqual(capabilitiesOf(container({ capabilities: { add: ['KILL'], drop: ['ALL'] } })), ['CAP_KILL']);
});

test('a task renders as its golden file', () => {
  const paths = {
    cgroup: 'berth-abcdef/0123456789abcdef0123456789abcdef',
    socket: '/run/berth/abcdef/sup/0123.sock',
    nofile: 65_535,
    secrets: '/run/berth/abcdef/secrets/0123',
  };
  const task = plan([plain, full]);
  const { files } = bundleFiles(task, { ...paths, storage: hostStorage(task, '/state/disk-models') });
  assert.deepEqual(JSON.parse(files.find((file) => file.path === 'task.json')?.contents ?? ''), golden('task'));
});

test('a bundle never takes a path from a name', () => {
  const odd = container({ name: '../../etc' });
  const files = bundleFiles(plan([odd]), {
    cgroup: 'c',
    socket: 's',
    nofile: 1024,
    secrets: '/s',
    storage: { place: '/task', disk: undefined },
  });
  for (const path of [...files.directories, ...files.files.map((file) => file.path)]) assert.ok(!path.includes('..'), path);
});

test('an entry point in the definition clears the command of the image', () => {
  assert.deepEqual(argsOf(container(), image), ['/entry', 'serve']);
  assert.deepEqual(argsOf(container({ command: ['x'] }), image), ['/entry', 'x']);
  assert.deepEqual(argsOf(container({ entryPoint: ['/bin/sh'] }), image), ['/bin/sh']);
  assert.deepEqual(argsOf(container({ entryPoint: ['/bin/sh'], command: ['-c', 'x'] }), image), ['/bin/sh', '-c', 'x']);
});

test('nothing to run is a clear failure', () => {
  const bare = { ...image, entrypoint: [], cmd: [] };
  assert.throws(
    () => argsOf(container(), bare),
    (error) => isFault(error, 'CannotStartContainer') && error.message.startsWith('CannotStartContainerError: no command specified'),
  );
});

test('the environment is the image, then the platform, then the definition', () => {
  const env = envOf(container(), image, 'host', { A: 'platform', C: 'x=y' });
  assert.deepEqual(env, ['PATH=/opt/bin:/bin', 'HOSTNAME=host', 'A=platform', 'B=image', 'C=x=y']);
});

test('the seccomp profile follows from the capabilities and the architecture', () => {
  const allowed = (arch: 'amd64' | 'arm64', capabilities: string[]) =>
    new Set(
      dockerSeccomp(arch, capabilities).syscalls.flatMap((rule) =>
        rule.args === undefined && rule.errnoRet === undefined ? rule.names : [],
      ),
    );
  assert.ok(!allowed('amd64', []).has('mount'));
  assert.ok(!allowed('amd64', []).has('keyctl'));
  assert.ok(!allowed('amd64', []).has('io_uring_setup'));
  assert.ok(allowed('amd64', ['CAP_SYS_ADMIN']).has('mount'));
  assert.ok(allowed('amd64', ['CAP_SYS_CHROOT']).has('chroot'));
  assert.ok(allowed('amd64', []).has('arch_prctl'));
  assert.ok(!allowed('arm64', []).has('arch_prctl'));
  const clone3 = dockerSeccomp('amd64', []).syscalls.find((rule) => rule.names.includes('clone3'));
  assert.equal(clone3?.errnoRet, 38);
});

test('the default of open files is Fargate’s, or what a machine allows that we may not change', () => {
  const limits = 'Max processes  1  1  processes\nMax open files            20000                20000                files\n';
  assert.equal(nofileOf(limits, 'CapEff:\t000001ffffffffff\n'), 65_535);
  assert.equal(nofileOf(limits, 'CapEff:\t000001fffeffffff\n'), 20_000);
});
