/** Limits that hold: the part of the conformance suite about memory and processors, for the kinds that really run. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { taskSpec } from '#domain/samples.ts';
import type { Rig } from './sandbox.ts';
import { runs, stateOf } from './witness.ts';

const MIB = 1024 * 1024;
/** Of all tasks of the suite: a kind that makes something ready for each size makes it once. */
const { cpuMillis: CPU_MILLIS } = taskSpec();
/** How long the use of processors is looked at, and how much of a period's quota may be used up at both ends of that. */
const LOOK_MS = 2000;
const QUOTA_MS = 100;

export function limitsHold(rig: Rig): void {
  test('who takes more memory than the task has is killed, and it is said why', async () => {
    const { w } = await rig.toEnd([rig.script(rig.sandbox().hog)]);
    assert.equal(stateOf(w, 'app').exitCode, 137);
    assert.equal(stateOf(w, 'app').oomKilled, true);
    const within = await rig.toEnd([rig.script('dd if=/dev/zero of=/dev/null bs=16M count=1 2>/dev/null && echo fine')]);
    assert.equal(within.w.text('app'), 'fine\n');
    assert.equal(stateOf(within.w, 'app').oomKilled, false);
  });

  test('a container’s own memory limit, and what is said of it', async () => {
    const { plan } = rig.sandbox();
    // It keeps them for seconds, unless it is ended.
    const takes = 'dd if=/dev/zero of=/dev/null bs=64M count=500 2>/dev/null && echo fine';
    const hog = rig.script(`exec sh -c '${takes}'`, { name: 'hog', essential: false, memoryBytes: 32 * MIB });
    const ran = await rig.run(await plan([rig.script('while :; do sleep 0.05; done'), hog]));
    await ran.w.until('it ends', () => ran.w.state().containers.some((one) => one.name === 'hog' && one.status === 'exited'));
    const { exitCode, oomKilled } = stateOf(ran.w, 'hog');
    assert.deepEqual({ exitCode, oomKilled, text: ran.w.text('hog') }, { exitCode: 137, oomKilled: true, text: '' });
    assert.ok(runs(ran.w, 'app'), 'the other container was taken along');
    const stats = await ran.sandbox.stats();
    assert.equal(stats.containers.find((one) => one.name === 'hog')?.memoryLimitBytes, 32 * MIB);
    assert.equal(stateOf(ran.w, 'app').oomKilled, false);
    await rig.finish(ran);
  });

  test('no more processor than the task asked for', async () => {
    const { plan } = rig.sandbox();
    const ran = await rig.run(await plan([rig.script('while :; do :; done')]));
    await ran.w.until('it runs', () => runs(ran.w, 'app'));
    // The quota begins a period after the first container.
    await sleep(2 * QUOTA_MS);
    // Its share of the time that passed, told by the same clock, so that a busy machine makes no difference.
    const first = await ran.sandbox.stats();
    await sleep(LOOK_MS);
    const second = await ran.sandbox.stats();
    const passedMs = second.readAtMs - first.readAtMs;
    const usedMs = (second.task.cpuNs - first.task.cpuNs) / 1e6;
    assert.ok(passedMs >= LOOK_MS / 2, `only ${passedMs} ms passed`);
    assert.ok(usedMs > 50, `only ${usedMs} ms used: too little to tell`);
    assert.ok(
      usedMs < (passedMs * CPU_MILLIS) / 1000 + QUOTA_MS,
      `${usedMs} ms of processor in ${passedMs} ms at ${CPU_MILLIS} thousandths`,
    );
    await rig.finish(ran);
  });
}
