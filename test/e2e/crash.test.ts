/** Everything may die at any moment: what was acknowledged happens, what runs goes on, what ended is told truly, and nothing is left. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { CreateSnapshotCommand, DescribeSnapshotsCommand, DescribeVolumesCommand } from '@aws-sdk/client-ec2';
import { CreateClusterCommand, DescribeClustersCommand, paginateListTasks, RunTaskCommand, TagResourceCommand } from '@aws-sdk/client-ecs';
import type { Task } from '@aws-sdk/client-ecs';
import { EFS } from '@aws-sdk/client-efs';
import { freePort } from '#base/testing.ts';
import { script, taskId } from './aws-sdk.ts';
import { platformFixture } from './fixture.ts';
import { importBusybox } from './images.ts';
import { machineState } from './machine-state.ts';
import { endpoint, startPlatform, until } from './platform.ts';
import type { Platform } from './platform.ts';
import { containersOf, inTask, powerOff, processesOf, supervisorOf } from './processes.ts';
import type { Processes } from './processes.ts';

const { platform, sdk } = await platformFixture();
let idle: string;

/** Before the hooks, which begin at once. */
const idleContainer = () => script('exec sleep 100000', { linuxParameters: { initProcessEnabled: true } });

before(async () => {
  idle = await sdk.register('idle', [idleContainer()]);
});

// A test that failed half-way must not take the others with it.
beforeEach(ready);

async function processes(): Promise<Processes> {
  return until('every process of the platform', async () => processesOf(platform));
}

/** SIGKILL, and waits until another one has taken its place. */
async function kill9(name: 'control' | 'host' | 'worker' | 'holder' | 'haproxy'): Promise<void> {
  const victim = (await processes())[name];
  process.kill(victim, 'SIGKILL');
  await until(`a new ${name}`, async () => {
    const now = processesOf(platform);
    return now !== undefined && now[name] !== victim;
  });
}

/** Until the platform answers and a host is connected. */
async function ready(): Promise<void> {
  await until('the platform', async () => {
    const { stdout } = await platform.berth(['status', '--json']);
    return /"CONNECTED"/.test(stdout);
  });
}

async function everyTask(desiredStatus: 'RUNNING' | 'STOPPED'): Promise<string[]> {
  const arns: string[] = [];
  for await (const page of paginateListTasks({ client: sdk.ecs }, { desiredStatus })) arns.push(...(page.taskArns ?? []));
  return arns;
}

const first = (tasks: Task[]): Task => {
  const [task] = tasks;
  assert.ok(task);
  return task;
};

async function stopAll(): Promise<void> {
  const arns = await everyTask('RUNNING');
  await sdk.stop(arns);
  await sdk.stopped(arns);
}

/** Nothing on the machine carries the task's id any more. */
function gone(id: string): void {
  assert.deepEqual(inTask(id), [], 'processes are left');
  const { cgroups, mounts } = machineState(id);
  assert.deepEqual([...(cgroups ?? []), ...(mounts ?? [])], []);
  assert.ok(
    !existsSync(join(platform.state, 'host/tasks', id)) || !existsSync(join(platform.state, 'host/tasks', id, 'rw')),
    'its files are left',
  );
  assert.ok(!existsSync(`/run/berth/${platform.instance}/sup/${id}.sock`), 'its socket is left');
}

/** The lines `n 1`, `n 2`, ... without a gap and without a double. */
function assertCounted(lines: string[]): void {
  assert.deepEqual(
    lines,
    lines.map((_, index) => `n ${index + 1}`),
  );
}

const counter = (steps: number, change = {}) =>
  script(`i=0; while [ $i -lt ${steps} ]; do i=$((i+1)); echo n $i; sleep 0.05; done; exit 5`, change);

describe('the control plane is killed', () => {
  it('in the middle of fifty starts: all that were acknowledged run, and what ran goes on', async () => {
    const old = await sdk.running(await sdk.run(idle, { count: 10 }));
    const before = old.map((task) => containersOf(taskId(task)));
    const subnets = await sdk.subnets();
    const acknowledged: string[] = [];
    const input = {
      taskDefinition: idle,
      launchType: 'FARGATE' as const,
      count: 5,
      networkConfiguration: { awsvpcConfiguration: { subnets } },
    };
    const victim = (await processes()).control;
    await Promise.all(
      Array.from({ length: 10 }, async (_, n) => {
        await new Promise((resolve) => setTimeout(resolve, n * 30));
        if (n === 5) process.kill(victim, 'SIGKILL');
        // Nobody hears that a call failed half-way, so each is said again with its token until it is acknowledged.
        const call = () => sdk.ecs.send(new RunTaskCommand({ ...input, clientToken: `fifty-${n}` })).catch(() => undefined);
        const answer = await until('an acknowledgement', call);
        assert.deepEqual(answer.failures, []);
        acknowledged.push(...(answer.tasks ?? []).map((task) => task.taskArn ?? ''));
      }),
    );
    assert.notEqual((await processes()).control, victim);
    assert.equal(new Set(acknowledged).size, 50);
    const running = await sdk.running(acknowledged);
    assert.deepEqual(new Set(running.map((task) => task.lastStatus)), new Set(['RUNNING']));
    assert.deepEqual(
      old.map((task) => containersOf(taskId(task))),
      before,
    );
    assert.deepEqual((await everyTask('RUNNING')).toSorted(), [...acknowledged, ...old.map((task) => task.taskArn ?? '')].toSorted());
    assert.deepEqual(await everyTask('STOPPED'), []);
    // Killed again while they end: each is in the ledger of usage once.
    const all = await everyTask('RUNNING');
    await sdk.stop(all);
    process.kill((await processes()).control, 'SIGKILL');
    await ready();
    await sdk.stopped(all);
    const used = JSON.parse(await platform.ok(['usage', '--by', 'task', '--json'])) as {
      groups: { name: string; tasks: number; vcpuSeconds: number }[];
    };
    assert.deepEqual(used.groups.map(({ name }) => name).toSorted(), [...acknowledged, ...old].map((task) => taskId(task)).toSorted());
    for (const { tasks, vcpuSeconds } of used.groups) {
      assert.equal(tasks, 1);
      assert.ok(vcpuSeconds >= 15 && vcpuSeconds < 900, `${vcpuSeconds} vCPU-seconds of a quarter of a vCPU`);
    }
  });

  it('while tasks write: each line arrives once and in order', async () => {
    const tasks = await sdk.running(await sdk.run(await sdk.register('counts', [counter(100)]), { count: 2 }));
    for (let round = 0; round < 2; round++) {
      // The keeper is held, so that nobody is there for a while.
      const { keeper, control } = await processes();
      process.kill(keeper, 'SIGSTOP');
      process.kill(control, 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 700));
      process.kill(keeper, 'SIGCONT');
      await ready();
    }
    const ended = await sdk.stopped(tasks);
    for (const task of ended) {
      assert.equal(task.containers?.[0]?.exitCode, 5);
      const lines = await sdk.lines(task, 'main');
      assertCounted(lines);
      assert.equal(lines.length, 100);
    }
  });
});

describe('the host agent is killed', () => {
  it('tasks go on, and what ended meanwhile is told with its exit code and its output', async () => {
    const stays = first(await sdk.running(await sdk.run(idle)));
    const ends = first(await sdk.running(await sdk.run(await sdk.register('ends', [counter(25)]))));
    const before = containersOf(taskId(stays));
    const { keeper, host } = await processes();
    process.kill(keeper, 'SIGSTOP');
    process.kill(host, 'SIGKILL');
    // Asked for while nobody could start it.
    const asked = await sdk.run(idle);
    await until('the task ends by itself', async () => containersOf(taskId(ends)).length === 0);
    process.kill(keeper, 'SIGCONT');
    await sdk.running(asked);
    const ended = first(await sdk.stopped([ends]));
    assert.equal(ended.containers?.[0]?.exitCode, 5);
    assert.equal(ended.stopCode, 'EssentialContainerExited');
    const lines = await sdk.lines(ended, 'main');
    assertCounted(lines);
    assert.equal(lines.length, 25);
    assert.deepEqual(containersOf(taskId(stays)), before);
    assert.equal(first(await sdk.describe([stays])).lastStatus, 'RUNNING');
    await stopAll();
    gone(taskId(stays));
  });

  it('in the middle of starts and stops: everything comes to the end that was asked for', async () => {
    const running = await sdk.running(await sdk.run(idle, { count: 5 }));
    const [starting] = await Promise.all([sdk.run(idle, { count: 10 }), sdk.stop(running)]);
    await kill9('host');
    await sdk.running(starting);
    await sdk.stopped(running);
    for (const task of running) gone(taskId(task));
    await stopAll();
    for (const task of starting) gone(taskId(task));
  });
});

describe('another part is killed', () => {
  it('the kernel worker: tasks go on, others start, and all are cleaned up', async () => {
    const stays = first(await sdk.running(await sdk.run(idle)));
    const before = containersOf(taskId(stays));
    await kill9('worker');
    const later = first(await sdk.running(await sdk.run(idle)));
    assert.deepEqual(containersOf(taskId(stays)), before);
    await stopAll();
    for (const task of [stays, later]) gone(taskId(task));
  });

  it('the keeper: the platform ends with it, tasks go on, and up takes them back', async () => {
    const stays = first(await sdk.running(await sdk.run(idle)));
    const before = containersOf(taskId(stays));
    const { keeper, control, host } = await processes();
    process.kill(keeper, 'SIGKILL');
    await until('nobody is left', async () => [control, host].every((pid) => !existsSync(`/proc/${pid}/exe`)));
    assert.equal((await platform.berth(['ps'])).code, 3);
    await platform.ok(['up']);
    assert.deepEqual(containersOf(taskId(stays)), before);
    assert.equal(first(await sdk.running([stays])).lastStatus, 'RUNNING');
    await stopAll();
  });

  it('HAProxy: the URL answers again', async () => {
    const serve = script("mkdir /w; echo hello > /w/index.html; trap 'exit 0' TERM; httpd -f -p 80 -h /w & wait", {
      portMappings: [{ containerPort: 80 }],
    });
    await sdk.running(await sdk.run(await sdk.register('served', [serve]), { tags: [{ key: 'berth:endpoint', value: 'served' }] }));
    await until('the URL', async () => (await endpoint(platform, 'served')) === 'hello');
    await kill9('haproxy');
    await until('the URL again', async () => (await endpoint(platform, 'served')) === 'hello');
    // The holder of its sockets takes it along, and both come back.
    await kill9('holder');
    await until('the URL again', async () => (await endpoint(platform, 'served')) === 'hello');
    await stopAll();
  });

  it('a supervisor: its task ends, says so, and leaves nothing', async () => {
    const [task, other] = await sdk.running(await sdk.run(idle, { count: 2 }));
    assert.ok(task && other);
    const id = taskId(task);
    const victim = supervisorOf(platform, id);
    assert.ok(victim);
    process.kill(victim, 'SIGKILL');
    const ended = first(await sdk.stopped([task]));
    assert.equal(ended.stopCode, 'InfrastructureHealth');
    assert.match(ended.stoppedReason ?? '', /supervisor/);
    gone(id);
    assert.equal(first(await sdk.describe([other])).lastStatus, 'RUNNING');
    await stopAll();
  });

  it('a registry: the task fails soon and says why', async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
    const port = await new Promise<number>((resolve) =>
      silent.listen(0, '127.0.0.1', () => resolve((silent.address() as AddressInfo).port)),
    );
    try {
      const began = Date.now();
      const start = async (family: string, image: string) =>
        first(await sdk.stopped(await sdk.run(await sdk.register(family, [script('true', { image })]))));
      const [closed, hole] = await Promise.all([
        start('closed', `127.0.0.1:${await freePort()}/a:1`),
        start('hole', `127.0.0.1:${port}/a:1`),
      ]);
      for (const task of [closed, hole]) {
        assert.equal(task.stopCode, 'TaskFailedToStart');
        assert.match(task.stoppedReason ?? '', /^CannotPullContainerError: /);
        gone(taskId(task));
      }
      assert.ok(Date.now() - began < 40_000, `it took ${Date.now() - began} ms`);
    } finally {
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });
});

describe('what looks after a task is killed, each and all at once', () => {
  /** What a task is known by: none of it may change while the task lives. */
  const identity = async (arn: string) => {
    const { taskArn, lastStatus, healthStatus, startedAt, attachments, containers } = first(await sdk.describe([arn]));
    const known = (containers ?? []).map(({ name, runtimeId, imageDigest, healthStatus: health, networkInterfaces }) => ({ name, runtimeId, imageDigest, health, networkInterfaces })); // prettier-ignore
    return { taskArn, lastStatus, healthStatus, startedAt, attachments, known };
  };

  it('the task keeps its identity, its log, its volume, its health and its way in; its supervisor’s death ends it with all it wrote', async () => {
    const mountPoints = [{ sourceVolume: 'data', containerPath: '/data' }];
    const check = { command: ['CMD-SHELL', 'test -e /data/well'], interval: 5, timeout: 4, retries: 1 };
    const counts = 'touch /data/well; i=0; while :; do i=$((i+1)); echo n $i; echo $i > /data/n; sleep 0.05; done';
    const definition = await sdk.register(
      'whole',
      [script(counts, { mountPoints, healthCheck: check }), script('exec sleep 100000', { name: 'side', essential: false, mountPoints })],
      { volumes: [{ name: 'data' }] },
    );
    const [task, heir] = await sdk.running(await sdk.run(definition, { count: 2, enableExecuteCommand: true }));
    assert.ok(task?.taskArn && heir?.taskArn);
    const [arn, id] = [task.taskArn, taskId(task)];
    await until('health', async () => first(await sdk.describe([arn])).healthStatus === 'HEALTHY');
    const [before, containers] = [await identity(arn), containersOf(id)];
    // It is empty for a moment each time it is written, and nobody gets in before the host is back.
    const counted = () =>
      until('a count', async () => Number((await platform.berth(['exec', id, '-c', 'side', '--', 'cat', '/data/n'])).stdout) || undefined);
    let count = await counted();
    for (const victims of [['control'], ['host'], ['worker'], ['control', 'host', 'worker']] as const) {
      const running = await processes();
      for (const victim of victims) process.kill(running[victim], 'SIGKILL');
      await until('others in their places', async () => {
        const now = processesOf(platform);
        return now !== undefined && victims.every((victim) => now[victim] !== running[victim]);
      });
      await ready();
      await until('the same task', async () => JSON.stringify(await identity(arn)) === JSON.stringify(before));
      assert.deepEqual(containersOf(id), containers);
      const now = await counted();
      assert.ok(now > count, `it stood at ${count}, and is at ${now} after the death of ${victims.join(', ')}`);
      count = now;
      await until('what it wrote meanwhile', async () => (await sdk.lines(arn, 'main')).length >= count);
      assertCounted(await sdk.lines(arn, 'main'));
    }
    // Its health is still looked at, and told.
    await platform.ok(['exec', id, '-c', 'side', '--', 'rm', '/data/well']);
    await until('ill health', async () => first(await sdk.describe([arn])).healthStatus === 'UNHEALTHY');

    const supervisor = supervisorOf(platform, id);
    assert.ok(supervisor);
    process.kill(supervisor, 'SIGKILL');
    const ended = first(await sdk.stopped([arn]));
    assert.equal(ended.stopCode, 'InfrastructureHealth');
    const lines = await sdk.lines(arn, 'main');
    assertCounted(lines);
    assert.ok(lines.length >= count);
    gone(id);
    assert.equal(first(await sdk.describe([heir])).lastStatus, 'RUNNING');
    await stopAll();
  });
});

describe('the machine reboots', () => {
  const extensions = [{ key: 'berth:extensions', value: 'volumes' }];
  const ebs = (change: object) => [
    { name: 'own', managedEBSVolume: { roleArn: 'arn:aws:iam::123456789012:role/ecsInfrastructure', ...change } },
  ];
  /** A task with a volume of each kind. */
  const withVolumes = async (text: string, fileSystemId: string, change: object) => {
    const places = { named: '/named', own: '/own', shared: '/shared' };
    const mountPoints = Object.entries(places).map(([sourceVolume, containerPath]) => ({ sourceVolume, containerPath }));
    const volumes = [
      { name: 'named', dockerVolumeConfiguration: { scope: 'shared' as const, autoprovision: true } },
      { name: 'own', configuredAtLaunch: true },
      { name: 'shared', efsVolumeConfiguration: { fileSystemId } },
    ];
    const definition = await sdk.register('volumes', [script(text, { mountPoints })], { volumes, tags: extensions });
    return await sdk.run(definition, { volumeConfigurations: ebs(change) });
  };

  const efs = new EFS(sdk.config);
  after(() => efs.destroy());

  it('what ran has ended, the rest is there, and it goes on, with what its volumes had, and without limits of disks', async () => {
    await sdk.ecs.send(new CreateClusterCommand({ clusterName: 'kept' }));
    const [cluster] = (await sdk.ecs.send(new DescribeClustersCommand({}))).clusters ?? [];
    await sdk.ecs.send(new TagResourceCommand({ resourceArn: cluster?.clusterArn, tags: extensions }));
    const { FileSystemId = '' } = await efs.createFileSystem({ CreationToken: 'reboot' });
    await efs.createMountTarget({ FileSystemId, SubnetId: (await sdk.subnets())[0] });
    const write = 'for at in named own shared; do echo in $at > /$at/file; done; sync; echo written; exec sleep 100000';
    const keeps = { sizeInGiB: 1, terminationPolicy: { deleteOnTermination: false } };
    const had = first(await sdk.running(await withVolumes(write, FileSystemId, keeps)));
    await until('what it wrote', async () => (await sdk.lines(had, 'main')).includes('written'));
    const tasks = await sdk.running(await sdk.run(idle, { count: 3 }));
    const written = first(await sdk.running(await sdk.run(await sdk.register('wrote', [counter(1000)]))));
    await until('some lines', async () => (await sdk.lines(written, 'main')).length > 5);
    await powerOff(platform);
    // Where there are no loop devices, or nobody wants them, tasks write into directories.
    await platform.ok(['up', '--no-disk-limit']);
    const ended = await sdk.stopped([...tasks, written, had]);
    for (const task of ended) {
      assert.equal(task.stopCode, 'InfrastructureHealth');
      assert.ok((task.stoppedReason ?? '').length > 10, 'no reason');
      assert.ok(task.stoppedAt);
      gone(taskId(task));
    }
    assertCounted(await sdk.lines(written, 'main'));
    assert.deepEqual(await everyTask('RUNNING'), []);
    assert.match(await platform.ok(['image', 'ls']), /busybox/);
    assert.match((await platform.berth(['doctor'])).stdout, /switched off by up --no-disk-limit/);
    // An EBS volume is a task's own: another begins with a snapshot of what it kept.
    const kept = (await sdk.ec2.send(new DescribeVolumesCommand({ Filters: [{ Name: 'status', Values: ['available'] }] }))).Volumes;
    const { SnapshotId: snapshotId } = await sdk.ec2.send(
      new CreateSnapshotCommand({ VolumeId: kept?.find((volume) => volume.Size === 1)?.VolumeId }),
    );
    await until('the snapshot', async () => {
      const { Snapshots } = await sdk.ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [snapshotId ?? ''] }));
      return Snapshots?.[0]?.State === 'completed';
    });
    const read = 'cat /named/file /own/file /shared/file; head -c 3000000 /dev/zero > /big; wc -c < /big; exec sleep 100000';
    const heir = first(await sdk.running(await withVolumes(read, FileSystemId, { snapshotId })));
    const said = await until('all of it', async () => {
      const lines = await sdk.lines(heir, 'main');
      return lines.length >= 4 && lines;
    });
    assert.deepEqual(said, ['in named', 'in own', 'in shared', '3000000']);
    const again = [...(await sdk.running(await sdk.run(idle))), heir];
    // What it writes lies on the host's own disk.
    const found = execFileSync('find', [join(platform.state, 'host/tasks', taskId(heir)), '-name', 'big', '-size', '+1M'], {
      encoding: 'utf8',
    });
    assert.notEqual(found, '', 'its files are on a disk of its own');
    await sdk.stop(again);
    await sdk.stopped(again);
    await until('no task’s files', async () => readdirSync(join(platform.state, 'host/tasks')).length === 0);
  });
});

describe('the machine is full, or its disk', () => {
  const MIB = 1024 * 1024;
  let disk: string;
  let small: Platform;
  before(async () => {
    disk = mkdtempSync(join(tmpdir(), 'berth-e2e-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=160m', 'none', disk]);
    small = await startPlatform({ parent: disk, upArgs: ['--strict-capacity'] });
  });
  after(async () => {
    try {
      await small?.end();
    } finally {
      execFileSync('umount', ['-l', disk]);
      rmSync(disk, { recursive: true, force: true });
    }
  });

  it('as is the machine: with --strict-capacity it gives out no more than it has', async () => {
    await importBusybox(small);
    // Together one core more than there is, which without the option would only make the shares smaller.
    const count = String(cpus().length + 1);
    const ran = await small.berth([
      'run',
      'many',
      '--image',
      'busybox',
      '--cpu',
      '1',
      '--memory',
      '2GB',
      '--count',
      count,
      '--',
      'sleep',
      '1000',
    ]);
    assert.equal(ran.code, 1);
    assert.match(ran.stdout + ran.stderr, /Capacity is unavailable at this time/);
    assert.deepEqual(JSON.parse(await small.ok(['ps', '--json'])), [], 'the others of a failed run go on');
  });

  it('is told, hangs nothing, and passes', async () => {
    const run = () => small.berth(['run', 'job', '--image', 'busybox', '--', 'echo', 'hello'], { timeoutMs: 60_000 });
    await importBusybox(small);
    assert.equal((await run()).code, 0);
    const ballast = join(disk, 'ballast');
    assert.throws(() => writeFileSync(ballast, Buffer.alloc(200 * MIB)), /ENOSPC/);
    const began = Date.now();
    const full = await run();
    assert.equal(full.code, 1, full.stdout + full.stderr);
    assert.match(full.stdout + full.stderr, /disk|space/i);
    const pulled = await small.berth(['image', 'import', '/bin/busybox', '--name', 'x']);
    assert.equal(pulled.code, 1);
    assert.ok(Date.now() - began < 60_000);
    assert.equal((await small.berth(['ps'])).code, 0, 'reading needs no disk');
    rmSync(ballast);
    await until('it runs again', async () => (await run()).code === 0);
    assert.match(await small.ok(['logs', 'job']), /hello/);
  });
});
