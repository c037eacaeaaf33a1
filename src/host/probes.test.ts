import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { SandboxDriver, SandboxProbe } from '#sandbox/driver.ts';
import { probeAll } from './probes.ts';

const driver = (kind: SandboxDriver['kind'], probe: () => Promise<SandboxProbe>) => ({ kind, probe }) as SandboxDriver;

test('a kind whose probe throws or never ends does not work, and keeps nobody waiting for longer than its bound', async () => {
  const clock = virtualClock();
  const tried = probeAll(
    [
      driver('microvm', () => new Promise(() => undefined)),
      driver('gvisor', () => Promise.reject(new Fault('Unavailable', 'runsc is not installed'))),
      driver('container', async () => ({ works: true, reason: 'tried' })),
    ],
    clock,
    'auto',
  );
  await clock.advance(limits.sandboxProbeMs);
  assert.deepEqual(await tried, [
    { kind: 'microvm', works: false, reason: 'trying it took longer than 40 s', accelerator: null, auto: false },
    { kind: 'gvisor', works: false, reason: 'runsc is not installed', accelerator: null, auto: false },
    { kind: 'container', works: true, reason: 'tried', accelerator: null, auto: true },
  ]);
});
