/** Restart policies: a container that ends by itself is started again in place, as long as it ran long enough and nobody stops its task. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RestartSpec } from '#domain/task-spec.ts';
import type { Rig } from './sandbox.ts';
import { execWitness, runs, stateOf } from './witness.ts';

const always: RestartSpec = { ignoredExitCodes: [], attemptPeriodMs: 0 };

/** In the environment alone. */
const planted = 'hunter2 is not here';

/** Files below a directory that hold a text. */
function filesWith(dir: string, text: string): string[] {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath, entry.name)).filter((path) => readFileSync(path).includes(text));
}

/** Counts its runs in a file on its root: the second prints `run 2`. */
const counting = 'echo x >> /runs; n=$(wc -l < /runs); echo "run $n"';

/** For every kind. */
export function restartsByPolicy(rig: Rig): void {
  test('a restart policy starts a container again until its task is stopped; one that did not run long enough, never', async () => {
    const { container, plan } = rig.sandbox();
    const life = { prints: ['run'], exits: 3 };
    const once = container(life, { name: 'once', essential: false, restart: { ...always, attemptPeriodMs: 600_000 } });
    const ran = await rig.run(await plan([container(life, { restart: always }), once]));
    const { sandbox, w } = ran;
    const [app, other] = ['app', 'once'].map((name) => () => w.state().containers.find((one) => one.name === name));
    await w.until('it ran again and again', () => (app?.()?.restartCount ?? 0) >= 2 && other?.()?.status === 'exited');
    assert.match(w.text('app'), /^(run\n){2,}$/);
    assert.deepEqual([w.text('once'), stateOf(w, 'once').restartCount, stateOf(w, 'once').exitCode], ['run\n', 0, 3]);
    sandbox.stop();
    await w.ended();
    await rig.giveBack(ran);
  });
}

export function restartsInPlace(rig: Rig): void {
  test('a restart policy starts an essential container again: what it wrote stays, its output goes on, until a code that it ignores', async () => {
    const restart = { ...always, ignoredExitCodes: [7] };
    // The third run ends with what is ignored.
    const app = rig.script(`${counting}; [ "$n" -lt 3 ] || exit 7; exit 1`, { restart });
    const side = rig.script('echo up; exec sleep 1000', { name: 'side', essential: false, stopTimeoutMs: 200 });
    const { w } = await rig.toEnd([app, side]);
    assert.equal(w.text('app'), 'run 1\nrun 2\nrun 3\n');
    assert.equal(stateOf(w, 'app').restartCount, 2);
    assert.equal(stateOf(w, 'app').exitCode, 7);
    assert.equal(stateOf(w, 'side').restartCount, 0);
  });

  test('commands run inside one that was started again, in a PID namespace of the task too, with its secrets, and a stop ends it', async () => {
    for (const pidMode of ['container', 'task'] as const) {
      const heeds = `[ "$PLANTED" = "$(printf 'hunter%s is not here' 2)" ] || exit 5; ${counting}; trap 'exit 9' TERM; [ "$n" -gt 1 ] || exit 1; while :; do sleep 0.05; done`;
      const side = rig.script('echo up; exec sleep 1000', { name: 'side', essential: false, stopTimeoutMs: 200 });
      const plan = await rig.sandbox().plan([rig.script(heeds, { restart: always }), side], { pidMode });
      const ran = await rig.run({ ...plan, secrets: { app: { PLANTED: planted } } });
      const { sandbox, w } = ran;
      await w.until('it runs again', () => w.text('app') === 'run 1\nrun 2\n' && runs(w, 'app'));
      const wish = { container: 'app', command: ['/bin/sh', '-c', 'echo "$PLANTED" $(wc -l < /runs)'], tty: null };
      const seen = await execWitness(sandbox, wish, { patienceMs: rig.sandbox().patienceMs, acks: true });
      assert.equal(await seen.code(), 0);
      assert.equal(seen.out().trim(), `${planted} 2`);
      assert.deepEqual(filesWith(plan.dir, planted), []);
      sandbox.stop();
      await w.ended();
      assert.equal(stateOf(w, 'app').exitCode, 9);
      assert.equal(stateOf(w, 'app').restartCount, 1);
      await rig.giveBack(ran);
    }
  });
}
