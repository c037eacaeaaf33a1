import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { limits } from '#base/limits.ts';
import { fullContainer, plainContainer, sampleContainer, samplePlan, sampleVolumes } from '../samples.ts';
import { hostStorage } from '../storage.ts';
import { gvisorBundle } from './bundle.ts';
import { pauseProgram } from './pause.ts';
import { INIT_PATH, render, renderPause } from './render.ts';

const MIB = 1024 * 1024;
const context = {
  root: '/state/rootfs',
  files: { '/etc/hosts': '/state/files/0' },
  volumes: sampleVolumes,
  nofile: 65_535,
  supervisor: '/opt/berth-supervisor',
};
const paths = { runsc: '/opt/runsc', supervisor: '/opt/berth-supervisor', pause: '/state/gvisor/pause' };
const places = { cgroup: 'berth-abcdef/pool-1', socket: '/run/berth/abcdef/sup/0123.sock', room: '/run/berth/abcdef/gv/pool-1' };

const gvisorPlan: typeof samplePlan = (containers, change) => ({
  ...samplePlan(containers, { sysctls: {}, ...change }),
  kind: 'gvisor',
});

function golden(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), 'utf8'));
}
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('containers and the sandbox’s own render as their golden files', () => {
  assert.deepEqual(asJson(render(gvisorPlan([plainContainer]), plainContainer, context)), golden('plain'));
  assert.deepEqual(asJson(render(gvisorPlan([plainContainer, fullContainer]), fullContainer, context)), golden('full'));
  assert.deepEqual(asJson(renderPause('/state/gvisor/pause/rootfs')), golden('pause'));
});

function taskOf(...args: Parameters<typeof gvisorPlan>) {
  const plan = gvisorPlan(...args);
  const { files } = gvisorBundle(plan, {
    ...places,
    nofile: 65_535,
    secrets: '/s',
    paths,
    storage: hostStorage(plan, '/state/disk-models'),
  });
  return JSON.parse(files.find((file) => file.path === 'task.json')?.contents ?? '');
}

test('a task renders as its golden file', () => {
  assert.deepEqual(taskOf([plainContainer, fullContainer]), golden('task'));
});

test('gVisor’s own memory comes on top of what the task asked for; the only container’s limit is the task’s', () => {
  const memory = (...args: Parameters<typeof gvisorPlan>) =>
    taskOf(...args).cgroup.memoryBytes - limits.gvisorOverheadBytes - args[0].length * limits.gvisorContainerOverheadBytes;
  const small = sampleContainer({ memoryBytes: 128 * MIB });
  assert.equal(memory([small], { memoryBytes: 512 * MIB }), 128 * MIB);
  assert.equal(memory([small, sampleContainer({ name: 'other' })], { memoryBytes: 512 * MIB }), 512 * MIB);
});

test('a task that may be entered has the program that copies files', () => {
  const mounted = (mayEnter: boolean) =>
    render({ ...gvisorPlan([plainContainer]), mayEnter }, plainContainer, context).mounts.some((one) => one.destination === INIT_PATH);
  assert.deepEqual([mounted(false), mounted(true)], [false, true]);
});

test('a label never becomes an annotation, some of which gVisor acts on', () => {
  const sly = sampleContainer({ labels: { 'dev.gvisor.flag.host-uds': 'all', 'io.kubernetes.cri.container-type': 'sandbox' } });
  assert.deepEqual(Object.keys(render(gvisorPlan([sly]), sly, context).annotations).toSorted(), [
    'berth.user',
    'io.kubernetes.cri.container-type',
    'io.kubernetes.cri.sandbox-id',
  ]);
});

test('one PID namespace for the task is that of the sandbox', () => {
  const kinds = (pidMode: 'task' | 'container') =>
    render(gvisorPlan([plainContainer], { pidMode }), plainContainer, context).linux.namespaces.map((namespace) => namespace.type);
  assert.ok(kinds('container').includes('pid') && !kinds('task').includes('pid'));
});

test('the program that does nothing takes a host name, and is a whole ELF file on both machines', () => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-pause-'));
  try {
    const path = join(dir, 'pause');
    writeFileSync(path, pauseProgram(process.arch === 'arm64' ? 'arm64' : 'x64'), { mode: 0o755 });
    // In a UTS namespace of its own; it waits for ever, so time ends it.
    const script = `{ echo -n tested; sleep 1; } | timeout 0.5 ${path} | head -c 1; hostname`;
    const { stdout } = spawnSync('unshare', ['--uts', 'sh', '-c', script], { encoding: 'utf8' });
    assert.equal(stdout, 'ttested\n');
    for (const arch of ['x64', 'arm64'] as const) assert.equal(pauseProgram(arch).readUInt16LE(18), arch === 'x64' ? 62 : 183);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('kernel parameters that gVisor doesn’t let a task set are refused by name', () => {
  const wanted = { 'net.ipv4.tcp_sack': '1', 'net.core.somaxconn': '1024', 'net.ipv4.tcp_keepalive_time': '60' };
  const asked = gvisorPlan([plainContainer], { sysctls: wanted });
  assert.throws(() => render(asked, plainContainer, context), /\(systemControls: net\.core\.somaxconn, net\.ipv4\.tcp_keepalive_time\)/);
});
