/** Health checks of containers: the part of the conformance suite that every kind passes, the fake one too. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerSpec, HealthCheckSpec } from '#domain/task-spec.ts';
import type { HealthStatus } from '#domain/task.ts';
import { healthCommand } from './sandbox.ts';
import type { Life, Ran, Rig } from './sandbox.ts';
import { stateOf } from './witness.ts';

const isNow = (ran: Ran, health: HealthStatus, name = 'app') =>
  ran.w.until(`${name} is ${health}`, () => ran.w.state().containers.some((one) => one.name === name && one.health === health));

/** A container with a check that comes often, and takes as long as it may here. */
function checked(rig: Rig, life: Life, change: Partial<HealthCheckSpec> = {}, name = 'app'): ContainerSpec {
  const { container, patienceMs } = rig.sandbox();
  const health = { command: healthCommand, intervalMs: 300, timeoutMs: patienceMs, retries: 2, startPeriodMs: 0, ...change };
  return container(life, { name, health });
}

export function healthOf(rig: Rig): void {
  test('a container is HEALTHY once its check passes, and UNHEALTHY with a reason when it fails again and again', async () => {
    const { plan, container, patienceMs } = rig.sandbox();
    const well = checked(rig, { health: { wellAfterMs: 0, sickAfterMs: patienceMs / 4 } });
    const ran = await rig.run(await plan([well, container({}, { name: 'unchecked' })]));
    await isNow(ran, 'HEALTHY');
    assert.equal(stateOf(ran.w, 'app').healthReason, null);
    await isNow(ran, 'UNHEALTHY');
    assert.match(stateOf(ran.w, 'app').healthReason ?? '', /^its health check ended with exit code 1/);
    assert.equal(stateOf(ran.w, 'app').healthExitCode, 1);
    assert.equal(stateOf(ran.w, 'app').status, 'running');
    assert.equal(stateOf(ran.w, 'unchecked').health, 'UNKNOWN');
    await rig.finish(ran);
  });

  test('what fails within the start period does not count', async () => {
    const { plan, patienceMs } = rig.sandbox();
    const ran = await rig.run(
      await plan([checked(rig, { health: { wellAfterMs: 3_000 } }, { startPeriodMs: 2 * patienceMs, retries: 1 })]),
    );
    const seen = new Set<string>();
    await ran.w.until('it is HEALTHY', () => {
      const { health = 'UNKNOWN' } = ran.w.state().containers[0] ?? {};
      seen.add(health);
      return health === 'HEALTHY';
    });
    assert.deepEqual([...seen], ['UNKNOWN', 'HEALTHY']);
    await rig.finish(ran);
  });

  test('what depends on HEALTHY waits for it, and never starts when it is UNHEALTHY', async () => {
    const { container, plan, patienceMs } = rig.sandbox();
    const needs = container({ prints: ['late'], exits: 0 }, { dependsOn: [{ container: 'db', condition: 'HEALTHY' }] });
    const over = (ran: Ran) => ran.w.until('app is over', () => ran.w.state().containers[0]?.status === 'exited');
    const slow = checked(rig, { health: { wellAfterMs: 2_000 } }, { startPeriodMs: 2 * patienceMs }, 'db');
    const ran = await rig.run(await plan([needs, slow]));
    await over(ran);
    const began = (name: string) => stateOf(ran.w, name).startedAtMs ?? NaN;
    assert.ok(began('app') - began('db') >= 1_900, `${began('app') - began('db')} ms later`);
    assert.equal(stateOf(ran.w, 'db').health, 'HEALTHY');
    await rig.finish(ran);

    const sick = await rig.run(await plan([needs, checked(rig, { health: { wellAfterMs: null } }, {}, 'db')]));
    await over(sick);
    assert.equal(stateOf(sick.w, 'app').failure?.stage, 'dependency');
    assert.equal(stateOf(sick.w, 'app').startedAtMs, null);
    assert.equal(stateOf(sick.w, 'db').health, 'UNHEALTHY');
    await rig.finish(sick);
  });
}

/** For what really runs. */
export function hangingChecks(rig: Rig): void {
  test('a check that hangs is killed, and the container is UNHEALTHY', async () => {
    const { plan, command } = rig.sandbox();
    const ran = await rig.run(await plan([checked(rig, {}, { command: command({ waits: true }), timeoutMs: 500 })]));
    await isNow(ran, 'UNHEALTHY');
    assert.match(stateOf(ran.w, 'app').healthReason ?? '', /^its health check took longer than 500 ms/);
    assert.equal(stateOf(ran.w, 'app').healthExitCode, -1);
    await rig.finish(ran);
  });
}
