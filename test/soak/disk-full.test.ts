/** A host's disk that fills up: each step that needs it says so on the task, leaves nothing half made, and works again later. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, it } from 'node:test';
import type { Task } from '@aws-sdk/client-ecs';
import { script } from '../e2e/aws-sdk.ts';
import { platformFixture } from '../e2e/fixture.ts';
import { until } from '../e2e/platform.ts';

const MIB = 1024 ** 2;
const PATIENCE_S = 200;

const disk = mkdtempSync(join(tmpdir(), 'berth-soak-disk-'));
execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1200m', 'none', disk]);
const { platform, sdk, ending } = await platformFixture({
  parent: disk,
  upArgs: ['--accel', 'tcg'],
  maxAttempts: 10,
  afterwards() {
    execFileSync('umount', ['-l', disk]);
    rmSync(disk, { recursive: true, force: true });
  },
});
ending.defer(() => rmSync(ballast(), { force: true }));

before(() => sdk.register('echo', [script('echo hi; exit 2')]));
const ballast = () => join(disk, 'ballast');
function leave(mib: number): void {
  rmSync(ballast(), { force: true });
  const { bavail, bsize } = statfsSync(disk);
  execFileSync('fallocate', ['-l', String(bavail * bsize - mib * MIB), ballast()]);
}
const names = (dir: string) => (existsSync(join(platform.state, dir)) ? readdirSync(join(platform.state, dir)) : []);

async function run(definition: string, kind = 'microvm'): Promise<Task> {
  const [task] = await sdk.stopped(await sdk.run(definition, { tags: [{ key: 'berth:isolation', value: kind }] }), PATIENCE_S);
  assert.ok(task);
  return task;
}

it('a host that is nearly full takes no more tasks, and says so', async () => {
  // Less than the floor, and more than what the tasks take that are still accepted until the host tells of it.
  leave(20);
  const refused = () => sdk.run('echo').then(() => '', String);
  await until('it is refused', async () => /enough of its disk free/.test(await refused()));
  rmSync(ballast());
  await until('it runs again', async () => (await refused()) === '');
});

it('a template, a machine: the task says what had no room, and nothing of it is left', async () => {
  const failed = async (reason: RegExp) => {
    const task = await run('echo');
    assert.equal(task.stopCode, 'TaskFailedToStart');
    assert.match(task.stoppedReason ?? '', reason);
    assert.deepEqual(names('host/vms'), []);
  };
  leave(100);
  await failed(/^ResourceInitializationError: the host's disk is full: a template of a virtual machine takes up to 256 MiB/);
  assert.deepEqual(names('host/vm-templates'), []);
  rmSync(ballast());
  assert.equal((await run('echo')).containers?.[0]?.exitCode, 2);
});

it('a task that writes more than the host has: it ends with the reason, and others run again', async () => {
  await sdk.register('fills', [script('echo fills; dd if=/dev/zero of=/x bs=1M count=800; sync; echo not so; sleep 1000')]);
  leave(300);
  const task = await run('fills');
  assert.equal(task.stopCode, 'InfrastructureHealth');
  assert.match(task.stoppedReason ?? '', /^The host's disk is (nearly full|full, and the task's virtual machine could not go on)/);
  rmSync(ballast());
  await until('another runs', async () => (await run('echo')).containers?.[0]?.exitCode === 2, PATIENCE_S * 1000);
});

it('the disks of containers are sparse: before the host is full the one that has written most ends, and the others go on', async () => {
  const slowly = (mib: number) =>
    `for n in $(seq 1 ${mib}); do dd if=/dev/zero of=/x$n bs=1M count=1 2>/dev/null; sync; sleep 0.05; done; sleep 1000`;
  await sdk.register('little', [script(slowly(10))]);
  await sdk.register('much', [script(slowly(1000))]);
  leave(200);
  const inContainer = { tags: [{ key: 'berth:isolation', value: 'container' }] };
  const little = await sdk.run('little', inContainer);
  const much = await run('much', 'container');
  assert.equal(much.stopCode, 'InfrastructureHealth');
  assert.match(much.stoppedReason ?? '', /^The host's disk is nearly full \(\d+ MiB left\), and this task uses most of it: \d+ MiB\.$/);
  const [other] = await sdk.describe(little);
  assert.equal(other?.lastStatus, 'RUNNING');
  await until('its room is given back', async () => statfsSync(disk).bavail * statfsSync(disk).bsize > 150 * MIB);
  await sdk.stop(little);
  rmSync(ballast());
});
