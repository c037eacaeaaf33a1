/** The simulation over many seeds: RunTask and StopTask while everything dies at any step. BERTH_SIM_SEEDS says how many (default: 300). */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { it } from 'node:test';
import { root } from '../e2e/platform.ts';

const seeds = process.env['BERTH_SIM_SEEDS'] ?? '300';

it(`${seeds} seeds keep every promise`, () => {
  // Without the variable that tells node's test runner that it is a child of itself.
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const ran = spawnSync(process.execPath, ['--test', join(root, 'test/sim/sim.test.ts')], {
    encoding: 'utf8',
    env: { ...env, BERTH_SIM_SEEDS: seeds },
    maxBuffer: 256 * 1024 * 1024,
    timeout: 60 * 60_000,
  });
  const summary = /^ℹ pass (\d+)$/m.exec(ran.stdout)?.[1];
  assert.equal(ran.status, 0, ran.stdout.slice(ran.stdout.indexOf('failing tests')).slice(0, 8000));
  assert.ok(Number(summary) > Number(seeds), ran.stdout.slice(-500));
});
