/** What only a machine of its own can show: what makes two from one template differ, how one can end, and that the others don't notice. */
import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import type { ContainerSpec, TaskSpec } from '#domain/task-spec.ts';
import type { Sandbox, SandboxPlan } from '#sandbox/driver.ts';
import type { MicrovmOptions } from '#sandbox/microvm/parts.ts';
import { readVmFile } from '#sandbox/microvm/vm-file.ts';
import { createMicrovmHost, MICROVM_PATIENCE_MS } from './microvm-host.ts';
import type { MicrovmHost } from './microvm-host.ts';
import { scripted } from './real-host.ts';
import { witness } from './witness.ts';
import type { Witness } from './witness.ts';

const GIB = 1024 ** 3;
const TICKS = 'i=0; while :; do i=$((i+1)); echo tick $i $(date +%s); sleep 0.3; done';

type Started = { sandbox: Sandbox; w: Witness; plan: SandboxPlan; vmDir: string };

describe('a machine of its own', () => {
  let host: MicrovmHost;
  const started: Started[] = [];
  before(async () => {
    host = await createMicrovmHost({ guestAnswerMs: 20_000 });
  });
  after(async () => {
    for (const one of started) await host.driver.clean(one.plan.taskId, one.plan.dir, one.plan.network);
    await host.close();
  });

  async function start(containers: ContainerSpec[], change: Partial<TaskSpec> = {}, on: MicrovmHost = host): Promise<Started> {
    const plan = await on.plan(containers, change);
    const w = witness(MICROVM_PATIENCE_MS);
    const sandbox = await on.driver.start(plan, w.events);
    const one = { sandbox, w, plan, vmDir: join(on.dir, 'vms', readVmFile(plan.dir)?.vmId ?? '') };
    if (on === host) started.push(one);
    return one;
  }
  async function text(script: string, change: Partial<TaskSpec> = {}): Promise<string> {
    const { sandbox, w } = await start([scripted(script)], change);
    await w.ended();
    sandbox.ack(w.offset());
    await sandbox.release();
    return w.text('app');
  }
  /** Its end was told, and once it is cleaned nothing is left. */
  async function lostAs({ w, plan, vmDir }: Started, reason: RegExp): Promise<void> {
    await w.until('it is lost', () => w.lost() !== null);
    assert.match(w.lost() ?? '', reason);
    await host.driver.clean(plan.taskId, plan.dir, plan.network);
    assert.deepEqual(await host.leftovers(plan.taskId), []);
    assert.equal(existsSync(vmDir), false);
  }
  const qemuOf = (one: Started) => Number(readFileSync(join(one.vmDir, 'sup.pid'), 'utf8').trim());
  const childOf = (pid: number) => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);

  test('two from one template never see the same random numbers', async () => {
    const script = 'head -c 16 /dev/urandom | base64; cat /proc/sys/kernel/random/uuid; head -c 8 /dev/random | base64';
    const [one, two] = await Promise.all([text(script), text(script)]);
    const words = [...(one ?? '').trim().split('\n'), ...(two ?? '').trim().split('\n')];
    assert.equal(words.length, 6);
    assert.equal(new Set(words).size, 6, words.join(' '));
  });

  test('the scratch disk has the size that was asked for, seen from inside, and takes what is written only', async () => {
    const kib = Number(/(\d+)\s+\d+\s+\d+\s+\d+%/.exec(await text('df -k /', { ephemeralBytes: 50 * GIB }))?.[1]);
    assert.ok(kib * 1024 > 48 * GIB && kib * 1024 <= 50 * GIB, `${kib} KiB`);
  });

  test('QEMU is nobody’s user in an empty room', async () => {
    const one = await start([scripted('echo up; sleep 1000')]);
    await one.w.until('it is up', () => one.w.text('app') === 'up\n');
    const qemu = childOf(qemuOf(one));
    const status = readFileSync(`/proc/${qemu}/status`, 'utf8');
    assert.match(status, /^Uid:\s+([1-9]\d*)\s+\1\s+\1\s+\1$/m);
    assert.match(status, /^CapEff:\s+0000000000000000$/m);
    assert.match(status, /^CapBnd:\s+0000000000000000$/m);
    assert.match(status, /^NoNewPrivs:\s+1$/m);
    assert.match(status, /^Seccomp:\s+2$/m);
    const root = readdirSync(`/proc/${qemu}/root`).toSorted();
    assert.ok(!root.includes('home') && !root.includes('root') && !root.includes('tmp'), root.join(' '));
    assert.equal(existsSync(`/proc/${qemu}/root/bin/sh`), false);
    // A machine that was broken out of can't change what all later ones begin with.
    const maps = readFileSync(`/proc/${qemu}/maps`, 'utf8');
    assert.doesNotMatch(maps, /rw-s.*vm-templates/);
    one.sandbox.kill();
    await one.w.ended();
    await one.sandbox.release();
  });

  test('QEMU killed: the task ends with the reason, and another does not notice', async () => {
    const other = await start([scripted(TICKS)]);
    const one = await start([scripted('echo up; sleep 1000')]);
    await one.w.until('it is up', () => one.w.text('app') === 'up\n');
    process.kill(childOf(qemuOf(one)), 'SIGKILL');
    await lostAs(one, /killed by signal 9/);
    const before = other.w.text('app').length;
    await other.w.until('the other goes on', () => other.w.text('app').length > before + 20);
    assert.equal(other.w.lost(), null);
    // The process that tends QEMU takes it along.
    process.kill(qemuOf(other), 'SIGKILL');
    await lostAs(other, /./);
  });

  test('the guest kernel panics: the task ends with its words', async () => {
    const crash = scripted('echo up; echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger; sleep 100', { privileged: true });
    await lostAs(await start([crash]), /guest kernel panicked: sysrq triggered crash/);
  });

  test('a machine that gets more memory from the host than it may is killed, and it is said', async () => {
    const one = await start([
      scripted('echo up; read x < /dev/zero', {}),
      scripted('sleep 3; tail -c 300m /dev/zero | wc -c', { name: 'eater' }),
    ]);
    await one.w.until('it is up', () => one.w.text('app').startsWith('up'));
    const { vmId } = readVmFile(one.plan.dir) ?? { vmId: '' };
    const wanted = { cpuMillis: null, cpuShares: null, memoryBytes: 160 * 1024 ** 2, pids: null };
    await host.worker.cgroupLimit(`berth-${host.instance}/${vmId}`, wanted);
    await lostAs(one, /host memory/);
  });

  test('suspended it has no process and takes no memory; resumed it goes on, in its own time', async () => {
    const one = await start([scripted(TICKS)]);
    const ticks = () => one.w.text('app').trim().split('\n');
    await one.w.until('it ticks', () => ticks().length >= 3);
    const monitor = qemuOf(one);
    assert.ok(one.sandbox.suspend && one.sandbox.resume);
    // What is not acknowledged is told again after a new beginning.
    one.sandbox.ack(one.w.offset());
    await one.sandbox.suspend();
    assert.equal(existsSync(`/proc/${monitor}`), false);
    const before = ticks().length;
    await sleep(2500);
    assert.equal(ticks().length, before);
    await assert.rejects(one.sandbox.stats(), /suspended/);
    // Its memory has its secrets.
    const memory = join(one.vmDir, 'suspended');
    const { mode, uid } = statSync(memory);
    assert.deepEqual([mode & 0o777, uid], [0o600, 0]);
    await one.sandbox.resume();
    assert.equal(existsSync(memory), false);
    await one.w.until('it ticks again', () => ticks().length >= before + 3);
    const last = ticks().at(-1)?.split(' ') ?? [];
    assert.equal(Number(last[1]), ticks().length, 'no tick was lost or told twice');
    assert.ok(Math.abs(Number(last[2]) - Date.now() / 1000) < 4, `its clock says ${last[2]}`);
    assert.match(await host.dial(one.plan, 9).then(() => 'dialled'), /dialled/);
    one.sandbox.ack(one.w.offset());
    // A stop while it stands still wakes it, so that it can end as it likes.
    await one.sandbox.suspend();
    one.sandbox.kill();
    await one.w.ended();
    one.sandbox.ack(one.w.offset());
    await one.sandbox.release();
    assert.equal(existsSync(one.vmDir), false);
  });
});

test('a supervisor that does not answer any more is hung: its machine is ended and the task told', async () => {
  const host = await createMicrovmHost({ guestAnswerMs: 4000, guestLookMs: 500, guestSilenceMs: 2000 });
  try {
    const plan = await host.plan([scripted('echo up; sleep 1000')]);
    const w = witness(MICROVM_PATIENCE_MS);
    await startPatiently(host, plan, w);
    await w.until('it is up', () => w.text('app') === 'up\n');
    const qemu = readFileSync(join(host.dir, 'vms', readVmFile(plan.dir)?.vmId ?? '', 'sup.pid'), 'utf8').trim();
    const pid = Number(readFileSync(`/proc/${qemu}/task/${qemu}/children`, 'utf8').trim());
    process.kill(pid, 'SIGSTOP');
    await w.until('it is lost', () => w.lost() !== null);
    assert.match(w.lost() ?? '', /has not answered for \d+ s/);
    await host.driver.clean(plan.taskId, plan.dir, plan.network);
    assert.deepEqual(await host.leftovers(plan.taskId), []);
  } finally {
    await host.close();
  }
});

/** A short patience with a guest's answers may be over before a busy machine has started one. */
async function startPatiently(host: MicrovmHost, plan: SandboxPlan, w: Witness): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await host.driver.start(plan, w.events);
      return;
    } catch (error) {
      if (attempt === 10) throw error;
    }
  }
}

test('a template is shared by instances; one that was damaged is thrown away and made anew; the pool gives machines out and leaves none', async () => {
  // Not where the other tests' templates lie: one of it is damaged here.
  const templatesDir = mkdtempSync(join(tmpdir(), 'berth-templates-'));
  const host = await createMicrovmHost({ pool: true, templatesDir });
  try {
    const run = async () => {
      const plan = await host.plan([scripted('echo ran')]);
      const w = witness(MICROVM_PATIENCE_MS);
      const sandbox = await host.driver.start(plan, w.events);
      await w.ended();
      sandbox.ack(w.offset());
      await sandbox.release();
      return w.text('app');
    };
    assert.equal(await run(), 'ran\n');
    for (let waited = 0; (host.driver.status?.().ready ?? 0) === 0; waited += 200) {
      assert.ok(waited < MICROVM_PATIENCE_MS, 'the pool fills');
      await sleep(200);
    }
    assert.ok((host.driver.status?.().memoryBytes ?? 0) > 0);
    assert.equal(await run(), 'ran\n');
    const key = readdirSync(join(host.dir, 'vm-templates')).find((name) => name.startsWith('tcg-')) ?? '';
    const [own, second] = [host.dir, join(host.dir, 'second')].map((dir) => join(dir, 'vm-templates'));
    const states = () => [own, second].map((root) => statSync(join(root ?? '', key, 'state')).ino);
    const anew = async (change: Partial<MicrovmOptions>) => {
      const driver = await host.another({ pool: false, ...change });
      const plan = await host.plan([scripted('echo anew')]);
      const w = witness(MICROVM_PATIENCE_MS);
      const sandbox = await driver.start(plan, w.events);
      await w.ended();
      assert.equal(w.text('app'), 'anew\n');
      sandbox.ack(w.offset());
      await sandbox.release();
    };
    // Another instance on this machine boots none.
    mkdirSync(join(host.dir, 'second'));
    await anew({ dir: join(host.dir, 'second') });
    const [before, taken] = states();
    assert.equal(taken, before);
    damage(join(own ?? '', key, 'state'));
    // The next host agent finds it; what it makes anew takes the place of the shape's former ones, and of what is shared.
    mkdirSync(join(own ?? '', `${key.slice(0, key.lastIndexOf('-'))}-0123456789abcdef`));
    await anew({});
    assert.deepEqual(readdirSync(own ?? '').filter((name) => name.startsWith('tcg-')), [key]); // prettier-ignore
    assert.notEqual(states()[0], before);
    rmSync(join(second ?? '', key), { recursive: true });
    await anew({ dir: join(host.dir, 'second') });
    assert.equal(states()[0], states()[1]);
  } finally {
    await host.close();
    rmSync(templatesDir, { recursive: true });
  }
  assert.equal(existsSync(host.dir), false);
});

test('a pool that is closed over a machine in the making leaves none', async () => {
  const host = await createMicrovmHost({ pool: true });
  try {
    host.driver.warm();
    for (let waited = 0; readdirOf(join(host.dir, 'vms')).length < 1 || !hasTemplate(host.dir); waited += 20) {
      assert.ok(waited < MICROVM_PATIENCE_MS, 'a machine is being made');
      await sleep(20);
    }
  } finally {
    await host.close();
  }
  assert.equal(existsSync(host.dir), false);
});

const readdirOf = (dir: string): string[] => (existsSync(dir) ? readdirSync(dir) : []);
const hasTemplate = (dir: string): boolean => readdirOf(join(dir, 'vm-templates')).some((name) => /^tcg-[^.]*$/.test(name));

function damage(path: string): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(64, 0x5a), 0, 64, 4096);
  closeSync(file);
}
