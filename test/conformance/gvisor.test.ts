/** The gVisor sandbox for real: the conformance suite, and what only it shows. Needs root, and runsc as `berth setup` brings it. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { release } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { realClock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import type { ContainerSpec, TaskSpec } from '#domain/task-spec.ts';
import type { SandboxPlan } from '#sandbox/driver.ts';
import { runscBundle } from '#sandbox/gvisor/bundle.ts';
import { createGvisorDriver } from '#sandbox/gvisor/driver.ts';
import type { GvisorDriver } from '#sandbox/gvisor/driver.ts';
import { createRealHost, HOG_AT_ONCE, realSandbox, scripted, supervisorBinary, untilReaped } from './real-host.ts';
import type { DriverParts, RealHost } from './real-host.ts';
import { sandboxConformance } from './sandbox.ts';
import { eventually as answered, execWitness, runs, stateOf, witness } from './witness.ts';

/** Memory comes slowly under a quarter of a processor, as tasks have it here. */
const PATIENCE_MS = 40_000;
const MIB = 1024 * 1024;

const runsc = fileURLToPath(new URL('../../.berth/gvisor/bin/runsc', import.meta.url));

type GvisorHost = RealHost & { driver: GvisorDriver };

async function createGvisorHost(): Promise<GvisorHost> {
  let driver: GvisorDriver | undefined;
  const host = await createRealHost(({ worker, clock, log, instance, dir, runDir }: DriverParts) => {
    const programs = { runsc, supervisor: supervisorBinary(), proof: null };
    const options = { instance, runDir, dir: join(dir, 'gvisor'), ...programs, models: join(dir, 'models') };
    return (driver = createGvisorDriver({ worker, clock, random: realRandom(), log }, options));
  });
  const made = driver;
  if (made === undefined) throw new Error('no driver was made');
  const close = async () => {
    await made.close();
    await host.close();
  };
  return { ...host, driver: made, close };
}

sandboxConformance('gvisor', async () =>
  realSandbox(await createGvisorHost(), {
    patienceMs: PATIENCE_MS,
    limits: { terminalName: false },
    hog: HOG_AT_ONCE,
  }),
);

describe('a gVisor sandbox', () => {
  let host: GvisorHost;
  before(async () => {
    host = await createGvisorHost();
    assert.equal((await host.driver.probe()).works, true);
  });
  const plans: SandboxPlan[] = [];
  after(async () => {
    for (const plan of plans) await host.driver.clean(plan.taskId, plan.dir, plan.network);
    await host.close();
  });

  async function begin(containers: ContainerSpec[], change: Partial<TaskSpec> = {}) {
    const plan = await host.plan(containers, change);
    plans.push(plan);
    const w = witness(PATIENCE_MS);
    const sandbox = await host.driver.start(plan, w.events);
    return { plan, w, sandbox };
  }
  type Begun = Awaited<ReturnType<typeof begin>>;

  /** Waits for the end, gives the task back, and sees to it that nothing of it is left. */
  async function finish({ plan, w, sandbox }: Begun) {
    const room = roomOf(plan);
    try {
      await w.ended();
      sandbox.ack(w.offset());
      await sandbox.release();
    } finally {
      await host.driver.clean(plan.taskId, plan.dir, plan.network);
    }
    await nothingLeft(plan, room);
  }
  async function nothingLeft(plan: Begun['plan'], room: string) {
    assert.deepEqual(await host.leftovers(plan.taskId), []);
    assert.deepEqual(processesOf(plan.taskId), []);
    assert.ok(!existsSync(room), room);
  }
  const linesOf = async (script: string, change: Partial<ContainerSpec> = {}) => {
    const begun = await begin([scripted(script, change)]);
    await finish(begun);
    return begun.w.text('app').trim().split('\n');
  };

  test('shows its containers gVisor’s kernel, and nothing of the machine’s', async () => {
    const said = (await linesOf('busybox dmesg; uname -a; cat /proc/version /proc/cmdline; cat /proc/sys/kernel/osrelease')).join('\n');
    assert.match(said, /Starting gVisor/);
    assert.ok(!said.includes(release()), said);
    // The shell and what stands in its pipe: `wc` may be a moment behind.
    const [mounts, processes] = await linesOf('grep -c berth /proc/self/mountinfo; ls -d /proc/[0-9]* | wc -l');
    assert.equal(mounts, '0');
    assert.ok(processes === '2' || processes === '3', `${processes} processes are seen`);
  });

  test('is a process without rights: nobody, in an empty root and no network, tied to the task’s link by one socket', async () => {
    const begun = await begin([scripted('echo up; while :; do sleep 0.05; done')]);
    await begun.w.until('it runs', () => begun.w.text('app') === 'up\n');
    const [pid] = sandboxesIn(roomOf(begun.plan));
    assert.ok(pid !== undefined);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    assert.match(status, /^Uid:\s+65534\s+65534\s+65534\s+65534$/m);
    assert.match(status, /^Seccomp:\s+2$/m);
    assert.match(status, /^NoNewPrivs:\s+1$/m);
    assert.match(status, /^CapEff:\s+0000000000000000$/m);
    const links = readFileSync(`/proc/${pid}/net/dev`, 'utf8').split('\n').slice(2).filter(Boolean);
    assert.deepEqual(
      links.map((line) => line.trim().split(':')[0]),
      ['lo'],
    );
    // What it has open are files of the container, which were handed to it, and its memory.
    const opened = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
    assert.deepEqual(
      opened.filter((to) => /^\/(?!dev\/null$|memfd:|root\/|$)/.test(to)),
      [],
    );
    // What serves its files sees the container's root, and has the rights that this takes.
    const gofers = processesOf(`--root=${roomOf(begun.plan)}\0`).filter((one) => commandOf(one).startsWith('runsc-gofer'));
    assert.equal(gofers.length, 2);
    for (const gofer of gofers) {
      assert.match(readFileSync(`/proc/${gofer}/status`, 'utf8'), /^CapEff:\s+000000000004001f$/m);
      assert.match(readFileSync(`/proc/${gofer}/status`, 'utf8'), /^Seccomp:\s+2$/m);
      assert.ok(!existsSync(`/proc/${gofer}/root/proc/1`));
    }
    const left = begun.w;
    begun.sandbox.kill();
    await finish(begun);
    assert.equal(stateOf(left, 'app').exitCode, 137);
  });

  test('that is killed ends its task with a true reason, and nothing is left', async () => {
    const begun = await begin([
      scripted('echo up; while :; do sleep 0.05; done'),
      scripted('sleep 1000', { name: 'side', essential: false }),
    ]);
    await begun.w.until('both run', () => runs(begun.w, 'app') && runs(begun.w, 'side'));
    const [pid] = sandboxesIn(roomOf(begun.plan));
    process.kill(Number(pid), 'SIGKILL');
    await begun.w.until('it is said', () => begun.w.state().failure !== null);
    assert.deepEqual(begun.w.state().failure, { stage: 'setup', message: "the task's gVisor sandbox is gone: it was killed by signal 9" });
    await finish(begun);
    assert.deepEqual(
      begun.w.state().containers.map((one) => [one.exitCode, one.oomKilled]),
      [
        [137, false],
        [137, false],
      ],
    );
  });

  test('does not outlive its supervisor', async () => {
    for (const change of [{}, { pidMode: 'task' as const }]) {
      const begun = await begin([scripted('echo up; while :; do sleep 0.05; done')], change);
      await begun.w.until('it runs', () => begun.w.text('app') === 'up\n');
      const room = roomOf(begun.plan);
      process.kill(Number(readFileSync(join(begun.plan.dir, 'sup.pid'), 'utf8')), 'SIGKILL');
      await begun.w.until('it is lost', () => begun.w.lost() !== null);
      await eventually('the sandbox ends', () => sandboxesIn(room).length === 0);
      await host.driver.clean(begun.plan.taskId, begun.plan.dir, begun.plan.network);
      await nothingLeft(begun.plan, room);
    }
  });

  test('tells what each of its containers takes', async () => {
    const eats = scripted('dd if=/dev/zero of=/dev/shm/x bs=1M count=40 2>/dev/null; echo up; while :; do :; done', {
      name: 'eats',
      essential: false,
    });
    // Its limit is less than what both take together.
    const begun = await begin([scripted('while :; do sleep 0.1; done', { memoryBytes: 32 * MIB }), eats], { cpuMillis: 1000 });
    await begun.w.until('it has eaten', () => begun.w.text('eats') === 'up\n');
    // Its other container takes nearly nothing, but began with a share of its own.
    const takesMore = ([app, hungry]: { cpuNs: number }[]) => app !== undefined && hungry !== undefined && hungry.cpuNs > 2 * app.cpuNs;
    const stats = () => begun.sandbox.stats();
    const { containers, task } = await answered('one takes more time', PATIENCE_MS, stats, (now) => takesMore(now.containers));
    const [app, hungry] = containers;
    assert.ok(app !== undefined && hungry !== undefined);
    assert.ok(hungry.memoryBytes > 40 * MIB && app.memoryBytes < 40 * MIB, JSON.stringify(containers));
    assert.equal(hungry.pids, 1);
    // Its kernel counts a container's time by the clock, also while a busy machine lets the sandbox wait: no sum of that is the machine's.
    assert.ok(task.memoryBytes > hungry.memoryBytes && task.cpuNs > 0, JSON.stringify(task));
    assert.ok(runs(begun.w, 'app'), 'the other container was killed');
    begun.sandbox.kill();
    await finish(begun);
  });

  test('a command that is closed is killed with all that it started', async () => {
    const begun = await begin([scripted('echo up; while :; do sleep 0.05; done')]);
    await begun.w.until('it runs', () => begun.w.text('app') === 'up\n');
    const run = (script: string) =>
      execWitness(begun.sandbox, { container: 'app', command: ['sh', '-c', script], tty: null }, { patienceMs: PATIENCE_MS });
    const nested = await run('(sleep 4321; true) & (sh -c "sleep 4321; true"; true); true');
    const count = async () => {
      const seen = await run('ps | grep -c "[s]leep 4321$"; true');
      seen.process.end();
      await seen.code();
      return Number(seen.out());
    };
    let running = 0;
    while (running < 2) running = await count();
    nested.process.close();
    while (running > 0) running = await count();
    begun.sandbox.kill();
    await finish(begun);
  });

  test('has an init that reaps where that is wanted, and one PID namespace for the task where that is', async () => {
    const reaped = await linesOf(`${untilReaped}; echo $$; cat /proc/1/comm`, { initProcess: true });
    assert.equal(reaped[0], 'reaped');
    assert.notEqual(reaped[1], '1');
    const other = scripted('exec sleep 30', { name: 'other', essential: false });
    const looks = scripted('ps | grep -c "[s]leep 30"', { dependsOn: [{ container: 'other', condition: 'START' }] });
    const begun = await begin([looks, other], { pidMode: 'task' });
    await finish(begun);
    assert.equal(begun.w.text('app'), '1\n');
  });

  test('takes the kernel parameters that it has, before its containers run; one that it can’t set says which', async () => {
    const files = ['ip_local_port_range', 'tcp_rmem', 'tcp_wmem', 'tcp_sack', 'tcp_recovery'].map((name) => `/proc/sys/net/ipv4/${name}`);
    const sysctls = {
      'net.ipv4.ip_local_port_range': '20000 20003',
      'net.ipv4.tcp_rmem': '4096 8192 16384',
      'net.ipv4.tcp_wmem': '4096 8192 32768',
      'net.ipv4.tcp_sack': '0',
      'net.ipv4.tcp_recovery': '0',
    };
    const begun = await begin([scripted(`cat ${files.join(' ')}`)], { sysctls });
    await finish(begun);
    const told = begun.w.text('app').trim().split('\n');
    assert.deepEqual(
      told.map((one) => one.trim().split(/\s+/).join(' ')),
      Object.values(sysctls),
    );
    const wrong = await begin([scripted('echo up')], { sysctls: { 'net.ipv4.ip_local_port_range': '20000 10' } });
    await finish(wrong);
    assert.deepEqual([wrong.w.state().failure?.stage, wrong.w.text('app')], ['network', '']);
    assert.match(wrong.w.state().failure?.message ?? '', /^cannot set sysctl net\.ipv4\.ip_local_port_range to "20000 10": /);
  });

  test('stands ready for the next task, is filled up again, and one that dies there is no loss', async () => {
    host.driver.warm();
    const full = () => host.driver.status?.()?.ready === limits.gvisorPoolSandboxes;
    await eventually('the pool is full', full);
    const begun = await begin([scripted('hostname; ip -4 addr show eth0 | grep -o "inet [0-9.]*"')]);
    assert.match(roomOf(begun.plan), /pool-[0-9a-f]{16}$/);
    await finish(begun);
    assert.equal(begun.w.text('app'), `${begun.plan.network.hostname}\ninet ${begun.plan.network.ip}\n`);
    await eventually('the pool is full again', full);
    const rooms = () => readdirSync(join(host.runDir, 'gv'));
    const [victim = ''] = rooms();
    process.kill(Number(readFileSync(join(host.runDir, 'gv', victim, 'sup.pid'), 'utf8')), 'SIGKILL');
    await eventually('it is cleared away', () => !rooms().includes(victim) && !groups().includes(victim));
    await eventually('another has its place', full);
    const more = await Promise.all([0, 1, 2, 3].map((n) => begin([scripted(`echo ${n}`)])));
    for (const [n, one] of more.entries()) {
      await finish(one);
      assert.equal(one.w.text('app'), `${n}\n`);
    }
  });

  test('in the pool ends with whoever holds its connection, and what a killed agent left is swept', async () => {
    const paths = { runsc, supervisor: supervisorBinary(), pause: join(host.dir, 'gvisor/pause') };
    const make = async (name: string) => {
      const room = join(host.runDir, 'gv', name);
      const cgroup = { path: `berth-${host.instance}/${name}`, cpuMillis: null, cpuShares: null, memoryBytes: null, pids: null };
      await host.worker.poolStart({ dir: room, socket: join(room, 'pool.sock'), cgroup, runtime: runscBundle(paths, room) });
      const socket = connect(join(room, 'pool.sock'));
      await new Promise((resolve) => socket.once('data', resolve));
      return { room, socket };
    };
    const left = await make('pool-00000000000000aa');
    assert.ok(groups().includes('pool-00000000000000aa') && sandboxesIn(left.room).length === 1);
    left.socket.destroy();
    await eventually(
      'it is gone',
      () => !existsSync(left.room) && !groups().includes('pool-00000000000000aa') && sandboxesIn(left.room).length === 0,
    );
    const dead = await make('pool-00000000000000bb');
    process.kill(Number(readFileSync(join(dead.room, 'sup.pid'), 'utf8')), 'SIGKILL');
    dead.socket.destroy();
    await eventually('its sandbox is gone', () => sandboxesIn(dead.room).length === 0);
    assert.ok(existsSync(dead.room) && groups().includes('pool-00000000000000bb'));
    const next = createGvisorDriver(
      { worker: host.worker, clock: realClock(), random: realRandom(), log: silentLog },
      { instance: host.instance, runDir: host.runDir, dir: join(host.dir, 'gvisor'), runsc, supervisor: supervisorBinary(), proof: null, models: null }, // prettier-ignore
    );
    assert.equal((await next.probe()).works, true);
    await next.close();
    assert.ok(!existsSync(dead.room) && !groups().includes('pool-00000000000000bb'));
  });

  const groups = () => {
    const found = ['unified', 'memory', ''].map((name) => join('/sys/fs/cgroup', name, `berth-${host.instance}`));
    return found.filter((path) => existsSync(path)).flatMap((path) => readdirSync(path));
  };
});

function roomOf(plan: { dir: string }): string {
  return (JSON.parse(readFileSync(join(plan.dir, 'task.json'), 'utf8')) as { runtime: { room: string } }).runtime.room;
}

/** PIDs of processes that have a text in their command line. */
function processesOf(text: string): string[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(text));
}

function sandboxesIn(room: string): string[] {
  return processesOf(`--root=${room}\0`).filter((pid) => commandOf(pid).startsWith('runsc-sandbox'));
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function linkOf(path: string): string[] {
  try {
    return [readlinkSync(path)];
  } catch {
    return [];
  }
}

async function eventually(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!holds()) {
    assert.ok(Date.now() < deadline, `waited in vain until ${what}`);
    await sleep(20);
  }
}
