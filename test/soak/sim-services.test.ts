/**
 * The simulation of services at size: hundreds of them while hosts and the control plane die, tasks crash and start slowly, and revisions do not
 * work. BERTH_SIM_SERVICES says how many services (default: 300), BERTH_SIM_SERVICE_SEEDS how many seeds (default: 5).
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { it } from 'node:test';
import { root } from '../e2e/platform.ts';

const seeds = process.env['BERTH_SIM_SERVICE_SEEDS'] ?? '5';
const services = process.env['BERTH_SIM_SERVICES'] ?? '300';

it(`${services} services in ${seeds} worlds keep their bounds at every step`, () => {
  // Without the variable that tells node's test runner that it is a child of itself.
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const ran = spawnSync(process.execPath, ['--test', join(root, 'test/sim/services.test.ts')], {
    encoding: 'utf8',
    env: { ...env, BERTH_SIM_SERVICE_SEEDS: seeds, BERTH_SIM_SERVICES: services },
    maxBuffer: 256 * 1024 * 1024,
    timeout: 3 * 60 * 60_000,
  });
  const summary = /^ℹ pass (\d+)$/m.exec(ran.stdout)?.[1];
  assert.equal(ran.status, 0, ran.stdout.slice(ran.stdout.indexOf('failing tests')).slice(0, 8000));
  assert.equal(summary, seeds, ran.stdout.slice(-500));
});
