/**
 * What every kind of sandbox must do. Run by the tests of each: `sandboxConformance('container', make)`. A life is said in general words,
 * which each kind turns into its own: the real ones into a shell script, the fake one into its script.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isFault } from '#base/fault.ts';
import type { ContainerSpec, TaskSpec } from '#domain/task-spec.ts';
import type { Sandbox, SandboxDriver, SandboxEvents, SandboxPlan, SandboxState } from '#sandbox/driver.ts';

/** What a container does. */
export type Life = {
  prints?: string[];
  /** Ends with this code after printing; else it runs until it is stopped. */
  exits?: number;
  /** Heeds no stop signal. */
  deaf?: boolean;
  /** Its command doesn't exist. */
  broken?: boolean;
};

export type SandboxUnderTest = {
  driver: SandboxDriver;
  /** A container that lives so. */
  container(life: Life, change?: Partial<ContainerSpec>): ContainerSpec;
  /** A plan for a new task with a directory and an address of its own. */
  plan(containers: ContainerSpec[], change?: Partial<TaskSpec>): Promise<SandboxPlan>;
  /** For those that look into a container: a shell script in it. null: nothing really runs here. */
  script: ((text: string, change?: Partial<ContainerSpec>) => ContainerSpec) | null;
  close(): Promise<void>;
};

/** All that was told of a sandbox, and a way to wait for more. */
export type Witness = {
  events: SandboxEvents;
  state(): SandboxState;
  /** Text that a container wrote, lines joined. */
  text(container: string): string;
  offset(): number;
  lost(): string | null;
  until(what: string, condition: () => boolean): Promise<void>;
  /** Waits until nothing runs and all output was read. */
  ended(): Promise<SandboxState>;
};

const PATIENCE_MS = 10_000;

export function witness(): Witness {
  let last: SandboxState = { containers: [], failure: null, droppedBytes: 0, spoolBase: 0, spoolEnd: 0 };
  let offset = 0;
  let lost: string | null = null;
  const texts = new Map<string, string>();
  const waiting = new Set<() => void>();
  const look = () => waiting.forEach((one) => one());
  const until = (what: string, condition: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(check);
        reject(new Error(`waited ${PATIENCE_MS} ms for ${what}; last state: ${JSON.stringify(last)}, lost: ${lost}`));
      }, PATIENCE_MS);
      const check = () => {
        if (!condition()) return;
        clearTimeout(timer);
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  const events: SandboxEvents = {
    state: (state) => ((last = state), look()),
    output(records, _from, to) {
      for (const record of records) {
        texts.set(record.container, (texts.get(record.container) ?? '') + record.data.toString() + (record.partial ? '' : '\n'));
      }
      offset = to;
      look();
    },
    lost: (reason) => ((lost = reason), look()),
  };
  return {
    events,
    state: () => last,
    text: (container) => texts.get(container) ?? '',
    offset: () => offset,
    lost: () => lost,
    until,
    async ended() {
      await until(
        'the end',
        () => last.containers.length > 0 && last.containers.every((one) => one.status === 'exited') && offset >= last.spoolEnd,
      );
      return last;
    },
  };
}

export function stateOf(w: Witness, name: string) {
  const found = w.state().containers.find((one) => one.name === name);
  assert.ok(found, `no container ${name} in ${JSON.stringify(w.state())}`);
  return found;
}

export function runs(w: Witness, name: string): boolean {
  return w.state().containers.some((one) => one.name === name && one.status === 'running');
}

type Rig = {
  sandbox(): SandboxUnderTest;
  /** Starts a task; it is cleaned up at the end of the test, however that ends. */
  run(plan: SandboxPlan): Promise<{ sandbox: Sandbox; w: Witness }>;
  later(plan: SandboxPlan): void;
};

export function sandboxConformance(kind: string, make: () => Promise<SandboxUnderTest>): void {
  describe(`sandbox conformance: ${kind}`, () => {
    let made: SandboxUnderTest | undefined;
    const plans = new Set<SandboxPlan>();
    const it = () => {
      assert.ok(made);
      return made;
    };
    before(async () => {
      made = await make();
    });
    after(async () => {
      for (const plan of plans) await made?.driver.clean(plan.taskId, plan.dir, plan.network);
      await made?.close();
    });
    const rig: Rig = {
      sandbox: it,
      later: (plan) => void plans.add(plan),
      async run(plan) {
        plans.add(plan);
        const w = witness();
        return { sandbox: await it().driver.start(plan, w.events), w };
      },
    };
    lives(rig);
    stops(rig);
    restarts(rig);
  });
}

/** From the start to the end that the containers choose. */
function lives(rig: Rig): void {
  test('it works here, says what it is, and gives back output and exit codes', async () => {
    const { driver, container, plan } = rig.sandbox();
    assert.equal((await driver.probe()).works, true);
    const { sandbox, w } = await rig.run(
      await plan([
        container({ prints: ['one', 'two'], exits: 3 }),
        container({ prints: ['side'], exits: 0 }, { name: 'side', essential: false }),
      ]),
    );
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
    sandbox.ack(w.offset());
    await sandbox.release();
  });

  test('containers start in the order of what they depend on', async () => {
    const { container, plan } = rig.sandbox();
    const first = container({ exits: 0 }, { name: 'first', essential: false });
    const second = container({ exits: 1 }, { name: 'second', essential: false, dependsOn: [{ container: 'first', condition: 'SUCCESS' }] });
    const third = container({ exits: 0 }, { name: 'third', dependsOn: [{ container: 'second', condition: 'COMPLETE' }] });
    const { sandbox, w } = await rig.run(await plan([third, second, first]));
    await w.ended();
    assert.ok((stateOf(w, 'second').startedAtMs ?? 0) >= (stateOf(w, 'first').finishedAtMs ?? Infinity));
    assert.ok((stateOf(w, 'third').startedAtMs ?? 0) >= (stateOf(w, 'second').finishedAtMs ?? Infinity));
    sandbox.ack(w.offset());
    await sandbox.release();
  });

  test('a dependency that fails keeps its dependants from starting, and says so', async () => {
    const { container, plan } = rig.sandbox();
    const first = container({ exits: 1 }, { name: 'first', essential: false });
    const { sandbox, w } = await rig.run(await plan([container({}, { dependsOn: [{ container: 'first', condition: 'SUCCESS' }] }), first]));
    await w.ended();
    assert.equal(stateOf(w, 'app').failure?.stage, 'dependency');
    assert.equal(stateOf(w, 'app').startedAtMs, null);
    sandbox.ack(w.offset());
    await sandbox.release();
  });

  test('a command that does not exist is a failure to start', async () => {
    const { container, plan } = rig.sandbox();
    const { sandbox, w } = await rig.run(await plan([container({ broken: true })]));
    await w.ended();
    assert.equal(stateOf(w, 'app').failure?.stage, 'start');
    await sandbox.release();
  });

  test('usage is told', async () => {
    const { container, plan } = rig.sandbox();
    const { sandbox, w } = await rig.run(await plan([container({})]));
    await w.until('it runs', () => runs(w, 'app'));
    const stats = await sandbox.stats();
    assert.equal(stats.containers[0]?.name, 'app');
    assert.ok((stats.containers[0]?.pids ?? 0) >= 1 && stats.task.memoryBytes > 0);
  });
}

/** Ends that come from outside. */
function stops(rig: Rig): void {
  test('a stop is orderly: in reverse of the order of dependency, and what heeds has its own exit code', async () => {
    const { container, plan } = rig.sandbox();
    // They print once they heed signals.
    const life = { prints: ['up'] };
    const db = container(life, { name: 'db', essential: false });
    const { sandbox, w } = await rig.run(await plan([container(life, { dependsOn: [{ container: 'db', condition: 'START' }] }), db]));
    await w.until('both run', () => w.text('app') === 'up\n' && w.text('db') === 'up\n');
    await assert.rejects(sandbox.release(), (error) => isFault(error, 'Conflict'));
    sandbox.stop();
    await w.ended();
    assert.equal(stateOf(w, 'app').exitCode, 143);
    assert.equal(stateOf(w, 'db').exitCode, 143);
    sandbox.ack(w.offset());
    await sandbox.release();
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
    const patient = await rig.run(await plan([container({ deaf: true }, { stopTimeoutMs: 60_000 })]));
    await patient.w.until('it runs', () => runs(patient.w, 'app'));
    patient.sandbox.kill();
    await patient.w.ended();
    assert.equal(stateOf(patient.w, 'app').exitCode, 137);
  });

  test('clean ends and removes whatever there is, also when nothing is', async () => {
    const { driver, container, plan } = rig.sandbox();
    const made = await plan([container({ deaf: true })]);
    const { w } = await rig.run(made);
    await w.until('it runs', () => runs(w, 'app'));
    assert.equal(await driver.mayHaveRun(made.taskId, made.dir), true);
    await driver.clean(made.taskId, made.dir, made.network);
    await w.until('it is lost', () => w.lost() !== null);
    await driver.clean(made.taskId, made.dir, made.network);
    assert.equal(await driver.mayHaveRun(made.taskId, made.dir), false);
    assert.equal(await driver.recover(made.taskId, made.dir, ['app'], 0, witness().events), null);
    const never = await plan([container({})]);
    await driver.clean(never.taskId, never.dir, never.network);
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
    const again = witness();
    const found = await driver.recover(made.taskId, made.dir, ['app'], 0, again.events);
    assert.ok(found);
    await again.until('all is told again', () => again.text('app') === 'one\ntwo\nthree\n');
    found.ack(again.offset());
    found.stop();
    await again.ended();
    assert.equal(stateOf(again, 'app').exitCode, 143);
    found.detach();
    const last = witness();
    const ended = await driver.recover(made.taskId, made.dir, ['app'], again.offset(), last.events);
    assert.ok(ended);
    await last.until('its end is told again', () => last.state().containers[0]?.exitCode === 143);
    assert.equal(last.text('app'), '');
    await ended.release();
    assert.equal(await driver.recover(made.taskId, made.dir, ['app'], 0, witness().events), null);
  });

  test('a second start of the same task is the same sandbox', async () => {
    const { driver, container, plan } = rig.sandbox();
    const made = await plan([container({ prints: ['once'] })]);
    const { sandbox, w } = await rig.run(made);
    await w.until('it prints', () => w.text('app') === 'once\n');
    sandbox.detach();
    const again = witness();
    const second = await driver.start(made, again.events);
    await again.until('it is the one that runs', () => again.text('app') === 'once\n');
    second.stop();
    await again.ended();
    assert.equal(again.text('app'), 'once\n');
    second.ack(again.offset());
    await second.release();
  });
}
