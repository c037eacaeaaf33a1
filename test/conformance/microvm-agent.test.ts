/** A host agent whose tasks run in microVMs: suspend and resume, also over its own end and in the middle of either. Needs root. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { realClock } from '#base/clock.ts';
import { hostOps } from '#link/operations.ts';
import type { ContainerSpec, VolumeSpec } from '#domain/task-spec.ts';
import type { Assignment } from '#link/protocol.ts';
import { connectQmp } from '#sandbox/microvm/qmp.ts';
import { readVmFile, writeVmFile } from '#sandbox/microvm/vm-file.ts';
import type { VmFile } from '#sandbox/microvm/vm-file.ts';
import { createAgentUnderTest } from './agent.ts';
import type { AgentUnderTest } from './agent.ts';
import { createMicrovmHost, MICROVM_PATIENCE_MS, vmUser } from './microvm-host.ts';
import type { MicrovmHost } from './microvm-host.ts';
import { scripted } from './real-host.ts';

const log = { driver: 'awslogs', region: 'us-east-1', group: 'g', stream: 's', createGroup: true } as const;
const COUNTS = 'trap "exit 7" TERM; i=0; while :; do i=$((i+1)); echo n $i; sleep 0.2; done';

describe('a host agent with microVMs', () => {
  let host: MicrovmHost;
  let agent: AgentUnderTest;
  before(async () => {
    host = await createMicrovmHost();
    agent = createAgentUnderTest(host, MICROVM_PATIENCE_MS, vmUser);
    await agent.start([host.driver]);
  });
  after(async () => {
    await agent.stop();
    for (const id of agent.reports.keys()) await host.driver.clean(id, dirOf(id), null);
    await host.close();
  });

  const dirOf = (id: string) => join(host.dir, 'tasks', id);
  const fileOf = (id: string): VmFile => {
    const file = readVmFile(dirOf(id));
    assert.ok(file);
    return file;
  };
  const machineDir = (id: string) => join(host.dir, 'vms', fileOf(id).vmId);
  const holder = (id: string) => Number(readFileSync(join(machineDir(id), 'sup.pid'), 'utf8').trim());
  const runs = (id: string) => existsSync(`/proc/${holder(id)}/exe`);
  /** By where they end, since what was under way at a crash may come twice. */
  const numbers = (id: string) => {
    const mine = agent.output.filter((event) => event.text.startsWith('n ') && owner(event) === id);
    const lines = new Map(mine.map((event) => [event.end, Number(event.text.slice(2))]));
    return [...lines.entries()].toSorted(([a], [b]) => a - b).map(([, n]) => n);
  };
  const owner = (event: { container: string }) => event.container.slice(1);
  const moreThan = (id: string, count: number) => agent.until(`more than ${count} lines`, () => numbers(id).length > count);
  const another = async () => {
    await agent.stop();
    await agent.start([await host.another()]);
  };

  async function counting(
    first = '',
    { volumes = [], ...change }: Partial<ContainerSpec> & { volumes?: VolumeSpec[] } = {},
  ): Promise<Assignment & { id: string }> {
    const made = agent.assignment([]);
    const { id } = made.key;
    const task = {
      ...made,
      spec: {
        ...made.spec,
        isolation: 'microvm' as const,
        volumes,
        containers: [scripted(`${first}${COUNTS}`, { name: `c${id}`, log, ...change })],
      },
    };
    agent.give([task]);
    await agent.until('it runs or ended', () => ['RUNNING', 'STOPPED'].includes(agent.reports.get(id)?.status ?? ''));
    assert.equal(agent.reports.get(id)?.status, 'RUNNING', JSON.stringify(agent.reports.get(id)));
    await moreThan(id, 3);
    return { ...task, id };
  }
  /** It ends as it likes, all that it printed is there, and nothing of it is left. */
  async function stopsWell(task: Assignment & { id: string }): Promise<void> {
    agent.give([{ ...task, desired: 'STOPPED', stop: { code: 'UserInitiated', reason: 'done' } }]);
    await agent.until('it stops', agent.is(task.id, 'STOPPED'));
    const report = agent.reports.get(task.id);
    assert.deepEqual([report?.stop?.reason, report?.containers[0]?.exitCode], ['done', 7]);
    const seen = numbers(task.id);
    assert.deepEqual(
      seen,
      seen.map((_, index) => index + 1),
    );
    assert.deepEqual(await host.leftovers(task.id), []);
    assert.deepEqual(readdirSync(join(host.dir, 'vms')), []);
  }
  const suspend = (task: { id: string }) => agent.call(hostOps.taskSuspend, { taskId: task.id });
  const resume = (task: { id: string }) => agent.call(hostOps.taskResume, { taskId: task.id });

  test('suspends and resumes a task, twice asked is once done; a stop wakes it', async () => {
    const task = await counting();
    await Promise.all([suspend(task), suspend(task)]);
    assert.equal(runs(task.id), false);
    const before = numbers(task.id).length;
    await assert.rejects(agent.call(hostOps.taskStats, { taskId: task.id }), { code: 'Unavailable', message: /suspended/ });
    await sleep(1500);
    assert.equal(numbers(task.id).length, before);
    assert.equal(agent.reports.get(task.id)?.status, 'RUNNING');
    await Promise.all([resume(task), resume(task)]);
    await moreThan(task.id, before);
    await suspend(task);
    await stopsWell(task);
    await assert.rejects(suspend(task), { code: 'Unavailable', message: /does not run/ });
  });

  test('asked for both at once, it comes to one of them and works', async () => {
    const task = await counting();
    await Promise.all([suspend(task), resume(task), suspend(task)]);
    assert.equal(runs(task.id), false);
    await Promise.all([resume(task), suspend(task), resume(task)]);
    await moreThan(task.id, numbers(task.id).length);
    await stopsWell(task);
  });

  test('a suspended task outlives the host agent', async () => {
    const task = await counting();
    await suspend(task);
    await another();
    assert.equal(runs(task.id), false);
    assert.equal(agent.reports.get(task.id)?.status, 'RUNNING');
    const before = numbers(task.id).length;
    await resume(task);
    await moreThan(task.id, before);
    await stopsWell(task);
    const stopped = await counting();
    await suspend(stopped);
    await another();
    await stopsWell(stopped);
  });

  test('a suspended task outlives the machine’s restart', async () => {
    const task = await counting();
    await suspend(task);
    const before = numbers(task.id).length;
    await agent.stop();
    // What a restart takes: the VPC, and all of /run.
    await host.network.down();
    rmSync(join(host.runDir, 'vm'), { recursive: true, force: true });
    await host.worker.cgroupClean(`berth-${host.instance}`);
    await agent.start([await host.another()]);
    await resume(task);
    await moreThan(task.id, before);
    await stopsWell(task);
  });

  test('an agent that ends in the middle of a suspend leaves a task that the next one lets go on', async () => {
    const task = await counting();
    await agent.stop();
    const monitor = await connectQmp(realClock(), join(host.runDir, 'vm', `${fileOf(task.id).vmId}.qmp`));
    await monitor.run('stop');
    monitor.close();
    await agent.start([await host.another()]);
    await moreThan(task.id, numbers(task.id).length);
    await stopsWell(task);
  });

  test('an agent that ends in the middle of a resume leaves a task that the next one lets go on', async () => {
    const task = await counting();
    await suspend(task);
    await resume(task);
    await moreThan(task.id, numbers(task.id).length);
    // As it stands in the middle of a resume: loaded, allowed to go on, not told of it.
    await agent.stop();
    writeVmFile(dirOf(task.id), { ...fileOf(task.id), phase: 'resuming' });
    await agent.start([await host.another()]);
    await moreThan(task.id, numbers(task.id).length);
    assert.equal(fileOf(task.id).phase, 'running');
    await stopsWell(task);
  });

  test('a volume is a disk of its machine, which a suspend keeps; what is on it is there for the next task', async () => {
    const from = { by: 'name' as const, volume: 'data', create: true, tags: [] };
    const volume = { name: 'data', kind: 'block' as const, volumeId: 'vol-1', sizeGib: 1, fileSystem: null, snapshotId: null, from };
    const more = { ...volume, name: 'more', volumeId: 'vol-2', fileSystem: 'ext4' as const };
    const mounts = ['data', 'more'].map((name) => ({ volume: name, path: `/${name}`, readOnly: false }));
    const change = { volumes: [volume, more], mounts };
    const task = await counting('stat -c "%u %g %a" /data > /data/file; ', change);
    await suspend(task);
    await resume(task);
    const before = numbers(task.id).length;
    await agent.call(hostOps.volumeSnapshot, { id: 'vol-1', snapshotId: 'snap-1' });
    await moreThan(task.id, before);
    await stopsWell(task);
    // Asked for larger, their file systems grow to it.
    const sizes = 'for one in data more; do df -Pm /$one | sed -n "2s/ *[0-9]*% */ /p"; done; ';
    const larger = { mounts, volumes: [volume, more].map((one) => ({ ...one, sizeGib: 2 })) };
    const next = await counting(`cat /data/file; echo more >> /data/file; ${sizes}`, larger);
    const [mode, ...told] = agent.output.filter((event) => owner(event) === next.id).map((event) => event.text.trimEnd());
    assert.equal(mode, '0 0 755');
    const mebibytes = told.slice(0, 2).map((line) => Number(line.split(/\s+/)[1]));
    assert.ok(
      mebibytes.every((size) => size > 1900 && size <= 2048),
      told.slice(0, 2).join(),
    );
    await stopsWell(next);
    await assert.rejects(agent.call(hostOps.volumeRemove, { id: 'vol-2' }).then(() => agent.call(hostOps.volumeSnapshot, { id: 'vol-2', snapshotId: 'snap-2' })), { code: 'ResourceNotFound' }); // prettier-ignore
    await agent.call(hostOps.snapshotRemove, { id: 'snap-1' });
    await agent.call(hostOps.volumeRemove, { id: 'vol-1' });
    assert.deepEqual(readdirSync(join(host.dir, 'volumes')), []);
  });

  test('QEMU killed while no agent is there: the task ends with the reason', async () => {
    const task = await counting();
    await agent.stop();
    const [qemu] = readFileSync(`/proc/${holder(task.id)}/task/${holder(task.id)}/children`, 'utf8')
      .trim()
      .split(' ');
    process.kill(Number(qemu), 'SIGKILL');
    for (let waited = 0; runs(task.id); waited += 20) await sleep(20);
    await agent.start([await host.another()]);
    await agent.until('it ends', agent.is(task.id, 'STOPPED'));
    const { stop } = agent.reports.get(task.id) ?? {};
    assert.equal(stop?.code, 'InfrastructureHealth');
    assert.match(stop?.reason ?? '', /^The task's virtual machine \(QEMU\) was killed by signal 9\.$/);
    assert.deepEqual(await host.leftovers(task.id), []);
  });
});
