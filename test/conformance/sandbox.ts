/**
 * What every kind of sandbox must do. Run by the tests of each: `sandboxConformance('container', make)`. A life is said in general words,
 * which each kind turns into its own: the real ones into a shell script, the fake one into its script.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isFault } from '#base/fault.ts';
import type { ContainerSpec, IsolationKind, TaskSpec } from '#domain/task-spec.ts';
import type { Sandbox, SandboxDriver, SandboxPlan } from '#sandbox/driver.ts';
import { disksHold } from './sandbox-disk.ts';
import { execs } from './sandbox-exec.ts';
import { hangingChecks, healthOf } from './sandbox-health.ts';
import { limitsHold } from './sandbox-limits.ts';
import { placesOf } from './sandbox-places.ts';
import { restartsByPolicy, restartsInPlace } from './sandbox-restart.ts';
import { rightsHold } from './sandbox-rights.ts';
import { runs, stateOf, witness } from './witness.ts';
import type { Witness } from './witness.ts';

/** What a container does. */
export type Life = {
  prints?: string[];
  /** Ends with this code after printing; else it runs until it is stopped. */
  exits?: number;
  /** Heeds no stop signal. */
  deaf?: boolean;
  /** Its command doesn't exist. */
  broken?: boolean;
  /** From its start on: when the files appear that `healthCommand` looks for; null: never. */
  health?: { wellAfterMs: number | null; sickAfterMs?: number };
};

/** The check that goes with `Life.health`. The fake kind has its script instead. */
export const healthCommand = ['/bin/sh', '-c', '[ -e /tmp/well ] && [ ! -e /tmp/sick ]'];

/** What a command that is run inside does, in this order. */
export type Inside = {
  prints?: string[];
  /** Lines on standard error. */
  errors?: string[];
  /** Copies its input to its output until that ends. */
  echoes?: boolean;
  /** With a terminal: tells its size as `ROWS COLS`, now and whenever that changes, until it is killed. */
  tellsSize?: boolean;
  /** Runs until it is killed. */
  waits?: boolean;
  exits?: number;
  /** There is no such command. */
  broken?: boolean;
};

/** What a kind can't do, each a row of the table in docs/isolation.md: the suite then holds it to what stands there instead. */
export type KindLimits = {
  /** A terminal has a name inside (`tty`). */
  terminalName: boolean;
};

export type SandboxUnderTest = {
  driver: SandboxDriver;
  /** A container that lives so. */
  container(life: Life, change?: Partial<ContainerSpec>): ContainerSpec;
  /** A command that does so when it is run inside. */
  command(inside: Inside): string[];
  /** A plan for a new task with a directory and an address of its own. */
  plan(containers: ContainerSpec[], change?: Partial<TaskSpec>): Promise<SandboxPlan>;
  /** A shell script as a container. null for the `fake` kind: nothing really runs there. */
  script: ((text: string, change?: Partial<ContainerSpec>) => ContainerSpec) | null;
  /** What a task left behind, in words; empty when all is well. */
  leftovers(taskId: string): Promise<string[]>;
  /** Connects to an address from the VPC's router and gives all that is said there. */
  dial(plan: SandboxPlan, port: number): Promise<string>;
  /** How long anything that is waited for may take here. */
  patienceMs: number;
  limits: KindLimits;
  /** A shell script that takes more memory than any task has, as quickly as a quarter of a processor can here. */
  hog: string;
  close(): Promise<void>;
};

export type Ran = { sandbox: Sandbox; w: Witness; plan: SandboxPlan };

export type Rig = {
  sandbox(): SandboxUnderTest;
  /** For what really runs: a shell script as a container. */
  script(text: string, change?: Partial<ContainerSpec>): ContainerSpec;
  witness(): Witness;
  /** Starts a task; it is cleaned up at the end of the suite, however its test ends. */
  run(plan: SandboxPlan): Promise<Ran>;
  /** Gives an ended task back, and sees to it that nothing of it is left. */
  giveBack(ran: Ran): Promise<void>;
  /** Kills a task, waits for its end, gives it back. */
  finish(ran: Ran): Promise<void>;
  /** Runs a task to its end while all output is acknowledged, and gives it back. */
  toEnd(containers: ContainerSpec[], change?: Partial<TaskSpec>): Promise<Ran>;
};

export function sandboxConformance(kind: IsolationKind | 'fake', make: () => Promise<SandboxUnderTest>): void {
  describe(`sandbox conformance: ${kind}`, () => {
    let made: SandboxUnderTest | undefined;
    const plans = new Set<SandboxPlan>();
    const it = () => {
      assert.ok(made);
      return made;
    };
    before(async () => {
      made = await make();
      assert.equal(made.driver.kind, kind);
      assert.equal(made.script === null, kind === 'fake');
    });
    after(async () => {
      for (const plan of plans) await made?.driver.clean(plan.taskId, plan.dir, plan.network);
      await made?.close();
    });
    const rig = createRig(it, plans);
    lives(rig);
    stops(rig);
    restarts(rig);
    restartsByPolicy(rig);
    execs(rig);
    healthOf(rig);
    if (kind === 'fake') return;
    hangingChecks(rig);
    placesOf(rig);
    limitsHold(rig);
    disksHold(rig);
    restartsInPlace(rig);
    rightsHold(rig);
  });
}

function createRig(it: () => SandboxUnderTest, plans: Set<SandboxPlan>): Rig {
  const rig: Rig = {
    sandbox: it,
    script(text, change) {
      const made = it().script?.(text, change);
      assert.ok(made);
      return made;
    },
    witness: () => witness(it().patienceMs),
    async run(plan) {
      plans.add(plan);
      const w = rig.witness();
      return { sandbox: await it().driver.start(plan, w.events), w, plan };
    },
    async giveBack({ sandbox, w, plan }) {
      sandbox.ack(w.offset());
      await sandbox.release();
      assert.deepEqual(await it().leftovers(plan.taskId), []);
      plans.delete(plan);
    },
    async finish(ran) {
      ran.sandbox.kill();
      await ran.w.ended();
      await rig.giveBack(ran);
    },
    async toEnd(containers, change) {
      const plan = await it().plan(containers, change);
      plans.add(plan);
      const w = rig.witness();
      const begun: { sandbox?: Sandbox } = {};
      const output: typeof w.events.output = (records, from, to) => {
        w.events.output(records, from, to);
        begun.sandbox?.ack(to);
      };
      const sandbox = await it().driver.start(plan, { ...w.events, output });
      begun.sandbox = sandbox;
      sandbox.ack(w.offset());
      await w.ended();
      const ran = { sandbox, w, plan };
      await rig.giveBack(ran);
      return ran;
    },
  };
  return rig;
}

/** From the start to the end that the containers choose. */
function lives(rig: Rig): void {
  test('it works here, says what it is, and gives back output and exit codes', async () => {
    const { driver, container, plan } = rig.sandbox();
    assert.equal((await driver.probe()).works, true);
    const ran = await rig.run(
      await plan([
        // The end of what is essential would stop the other in the middle.
        container({ prints: ['one', 'two'], exits: 3 }, { dependsOn: [{ container: 'side', condition: 'COMPLETE' }] }),
        container({ prints: ['side'], exits: 0 }, { name: 'side', essential: false }),
      ]),
    );
    const { w } = ran;
    const state = await w.ended();
    assert.equal(w.text('app'), 'one\ntwo\n');
    assert.equal(w.text('side'), 'side\n');
    assert.deepEqual(
      state.containers.map((one) => one.exitCode),
      [3, 0],
    );
    for (const one of state.containers) {
      assert.ok((one.finishedAtMs ?? 0) >= (one.startedAtMs ?? Infinity));
      assert.equal(one.oomKilled, false);
    }
    await rig.giveBack(ran);
  });

  test('containers start in the order of what they depend on', async () => {
    const { container, plan } = rig.sandbox();
    const first = container({ exits: 0 }, { name: 'first', essential: false });
    const second = container({ exits: 1 }, { name: 'second', essential: false, dependsOn: [{ container: 'first', condition: 'SUCCESS' }] });
    const third = container({ exits: 0 }, { name: 'third', dependsOn: [{ container: 'second', condition: 'COMPLETE' }] });
    const ran = await rig.run(await plan([third, second, first]));
    const { w } = ran;
    await w.ended();
    assert.ok((stateOf(w, 'second').startedAtMs ?? 0) >= (stateOf(w, 'first').finishedAtMs ?? Infinity));
    assert.ok((stateOf(w, 'third').startedAtMs ?? 0) >= (stateOf(w, 'second').finishedAtMs ?? Infinity));
    await rig.giveBack(ran);
  });

  test('a dependency that fails keeps its dependants from starting, and says so', async () => {
    const { container, plan } = rig.sandbox();
    const first = container({ exits: 1 }, { name: 'first', essential: false });
    const ran = await rig.run(await plan([container({}, { dependsOn: [{ container: 'first', condition: 'SUCCESS' }] }), first]));
    const { w } = ran;
    await w.ended();
    assert.equal(stateOf(w, 'app').failure?.stage, 'dependency');
    assert.equal(stateOf(w, 'app').startedAtMs, null);
    await rig.giveBack(ran);
  });

  test('who waits for starts alone starts after them, once; where one of them fails nobody behind it runs', async () => {
    const { container, plan } = rig.sandbox();
    const after = (name: string) => ({ dependsOn: [{ container: name, condition: 'START' as const }] });
    const first = container({ prints: ['first'], exits: 0 }, { name: 'first', essential: false });
    const second = container({ prints: ['second'], exits: 0 }, { name: 'second', essential: false, ...after('first') });
    const ran = await rig.run(await plan([container({ prints: ['third'], exits: 0 }, after('second')), second, first]));
    await ran.w.ended();
    const startOf = (name: string) => stateOf(ran.w, name).startedAtMs ?? assert.fail(`${name} did not start`);
    assert.ok(startOf('first') <= startOf('second') && startOf('second') <= startOf('app'));
    assert.deepEqual(['first', 'second', 'app'].map((name) => ran.w.text(name)), ['first\n', 'second\n', 'third\n']); // prettier-ignore
    await rig.giveBack(ran);

    const broken = container({ broken: true }, { name: 'first', essential: false });
    const failing = await rig.run(await plan([container({ prints: ['third'], exits: 0 }, after('second')), second, broken]));
    await failing.w.ended();
    assert.equal(stateOf(failing.w, 'first').failure?.stage, 'start');
    assert.equal(stateOf(failing.w, 'second').failure?.stage, 'dependency');
    for (const name of ['second', 'app']) assert.deepEqual([stateOf(failing.w, name).startedAtMs, failing.w.text(name)], [null, '']);
    await rig.giveBack(failing);
  });

  test('a stop at any moment of a start ends all that wait for each other', async () => {
    const { container, plan } = rig.sandbox();
    for (const stops of [(sandbox: Sandbox) => sandbox.stop(), (sandbox: Sandbox) => sandbox.kill()]) {
      const first = container({ prints: ['up'] }, { name: 'first', essential: false, stopTimeoutMs: 500 });
      const ran = await rig.run(
        await plan([container({ prints: ['up'] }, { stopTimeoutMs: 500, dependsOn: [{ container: 'first', condition: 'START' }] }), first]),
      );
      stops(ran.sandbox);
      await ran.w.ended();
      for (const { status } of ran.w.state().containers) assert.equal(status, 'exited');
      await rig.giveBack(ran);
    }
  });

  test('a command that does not exist is a failure to start', async () => {
    const { container, plan } = rig.sandbox();
    const ran = await rig.run(await plan([container({ broken: true })]));
    await ran.w.ended();
    assert.equal(stateOf(ran.w, 'app').failure?.stage, 'start');
    await rig.giveBack(ran);
  });

  test('usage is told', async () => {
    const { container, plan } = rig.sandbox();
    const ran = await rig.run(await plan([container({})]));
    await ran.w.until('it runs', () => runs(ran.w, 'app'));
    const stats = await ran.sandbox.stats();
    assert.equal(stats.containers[0]?.name, 'app');
    assert.ok((stats.containers[0]?.pids ?? 0) >= 1 && stats.task.memoryBytes > 0);
    await rig.finish(ran);
  });
}

/** Ends that come from outside. */
function stops(rig: Rig): void {
  test('a stop is orderly: in reverse of the order of dependency, and what heeds has its own exit code', async () => {
    const { container, plan } = rig.sandbox();
    // They print once they heed signals.
    const life = { prints: ['up'] };
    const db = container(life, { name: 'db', essential: false });
    const ran = await rig.run(await plan([container(life, { dependsOn: [{ container: 'db', condition: 'START' }] }), db]));
    const { sandbox, w } = ran;
    await w.until('both run', () => w.text('app') === 'up\n' && w.text('db') === 'up\n');
    await assert.rejects(sandbox.release(), (error) => isFault(error, 'Conflict'));
    sandbox.stop();
    await w.ended();
    assert.equal(stateOf(w, 'app').exitCode, 143);
    assert.equal(stateOf(w, 'db').exitCode, 143);
    await rig.giveBack(ran);
    assert.throws(
      () => sandbox.stop(),
      (error) => isFault(error, 'Unavailable'),
    );
  });

  test('what heeds no signal is killed when its time is over; kill does not wait', async () => {
    const { container, plan } = rig.sandbox();
    const deaf = await rig.run(await plan([container({ deaf: true, prints: ['up'] }, { stopTimeoutMs: 2_000 })]));
    await deaf.w.until('it runs', () => deaf.w.text('app') === 'up\n');
    deaf.sandbox.stop();
    await deaf.w.ended();
    const { exitCode } = stateOf(deaf.w, 'app');
    assert.equal(exitCode, 137);
    await rig.giveBack(deaf);
    const patient = await rig.run(await plan([container({ deaf: true }, { stopTimeoutMs: 60_000 })]));
    await patient.w.until('it runs', () => runs(patient.w, 'app'));
    patient.sandbox.kill();
    await patient.w.ended();
    assert.equal(stateOf(patient.w, 'app').exitCode, 137);
    await rig.giveBack(patient);
  });

  test('a signal reaches the one container that it is for', async () => {
    const { container, plan } = rig.sandbox();
    const life = { prints: ['up'] };
    const ran = await rig.run(await plan([container(life, { essential: false }), container(life, { name: 'other' })]));
    const { sandbox, w } = ran;
    await w.until('both run', () => w.text('app') === 'up\n' && w.text('other') === 'up\n');
    sandbox.signal('app', 'SIGTERM');
    await w.until('it heeds it', () => stateOf(w, 'app').exitCode === 143);
    assert.ok(runs(w, 'other'));
    await rig.finish(ran);
  });

  test('clean ends and removes whatever there is, also when nothing is', async () => {
    const { driver, container, plan, leftovers } = rig.sandbox();
    const made = await plan([container({ deaf: true })]);
    const { w } = await rig.run(made);
    await w.until('it runs', () => runs(w, 'app'));
    assert.equal(await driver.mayHaveRun(made.taskId, made.dir), true);
    await driver.clean(made.taskId, made.dir, made.network);
    await w.until('it is lost', () => w.lost() !== null);
    await driver.clean(made.taskId, made.dir, made.network);
    assert.equal(await driver.mayHaveRun(made.taskId, made.dir), false);
    assert.equal(await driver.recover(made.taskId, made.dir, ['app'], 0, rig.witness().events), null);
    const never = await plan([container({})]);
    await driver.clean(never.taskId, never.dir, never.network);
    for (const one of [made, never]) assert.deepEqual(await leftovers(one.taskId), []);
  });
}

/** The host agent goes and comes back. */
function restarts(rig: Rig): void {
  test('a sandbox outlives who started it: output from the last acknowledgement on, state, and the end', async () => {
    const { driver, container, plan } = rig.sandbox();
    const made = await plan([container({ prints: ['one', 'two', 'three'] })]);
    const { sandbox, w } = await rig.run(made);
    await w.until('all is printed', () => w.text('app') === 'one\ntwo\nthree\n');
    sandbox.detach();
    const again = rig.witness();
    const found = await driver.recover(made.taskId, made.dir, ['app'], 0, again.events);
    assert.ok(found);
    await again.until('all is told again', () => again.text('app') === 'one\ntwo\nthree\n');
    found.ack(again.offset());
    found.stop();
    await again.ended();
    assert.equal(stateOf(again, 'app').exitCode, 143);
    found.detach();
    const last = rig.witness();
    const ended = await driver.recover(made.taskId, made.dir, ['app'], again.offset(), last.events);
    assert.ok(ended);
    await last.until('its end is told again', () => last.state().containers[0]?.exitCode === 143);
    assert.equal(last.text('app'), '');
    await rig.giveBack({ sandbox: ended, w: last, plan: made });
    assert.equal(await driver.recover(made.taskId, made.dir, ['app'], 0, rig.witness().events), null);
  });

  test('a second start of the same task is the same sandbox', async () => {
    const { driver, container, plan } = rig.sandbox();
    const made = await plan([container({ prints: ['once'] })]);
    const { sandbox, w } = await rig.run(made);
    await w.until('it prints', () => w.text('app') === 'once\n');
    sandbox.detach();
    const again = rig.witness();
    const second = await driver.start(made, again.events);
    await again.until('it is the one that runs', () => again.text('app') === 'once\n');
    second.stop();
    await again.ended();
    assert.equal(again.text('app'), 'once\n');
    await rig.giveBack({ sandbox: second, w: again, plan: made });
  });
}
