import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Check } from './check.ts';
import {
  checkFromPool,
  checkFromSupervisor,
  checkSupervisorState,
  checkTaskBundle,
  checkToPool,
  checkToSupervisor,
  checkVmExit,
  checkWorkerRequest,
  checkWorkerResponse,
} from './messages.ts';

const golden = new URL('../../test/golden/supervisor/', import.meta.url);

/** By the beginning of a file's name; the Rust half reads and writes the same files. */
const checks: [string, Check<unknown>][] = [
  ['bundle', checkTaskBundle],
  ['from-supervisor', checkFromSupervisor],
  ['to-supervisor', checkToSupervisor],
  ['from-pool', checkFromPool],
  ['to-pool', checkToPool],
  ['vm-exit', checkVmExit],
  ['worker-request', checkWorkerRequest],
  ['worker-response', checkWorkerResponse],
];

test('both halves of the protocol mean the same: every golden message passes whole', () => {
  const names = readdirSync(golden).filter((name) => name.endsWith('.json'));
  for (const [prefix] of checks)
    assert.ok(
      names.some((name) => name.startsWith(prefix)),
      `no golden message of kind ${prefix}`,
    );
  for (const name of names) {
    const check = checks.find(([prefix]) => name.startsWith(prefix))?.[1];
    assert.ok(check, `${name} is of no known kind`);
    const message: unknown = JSON.parse(readFileSync(new URL(name, golden), 'utf8'));
    assert.deepEqual(check(message, ''), message, name);
  }
});

test('every kind of message has a golden file', () => {
  const text = readdirSync(golden)
    .map((name) => readFileSync(new URL(name, golden), 'utf8'))
    .join();
  const kinds = ['state', 'stats', 'error', 'released', 'attach', 'ack', 'stop', 'kill', 'signal', 'release'];
  kinds.push('exec', 'exec-input', 'exec-resize', 'exec-signal', 'exec-ack', 'exec-close');
  kinds.push('exec-started', 'exec-taken', 'exec-exit', 'exec-error');
  kinds.push('take', 'ready', 'taken', 'failed');
  const ops = [
    'ping',
    'task-start',
    'task-clean',
    'vpc-up',
    'vpc-down',
    'router-rules',
    'unpack',
    'remove-tree',
    'cgroup-clean',
    'pool-start',
    'vm-start',
    'vm-network',
    'cgroup-limit',
    'erofs-build',
    'scratch-make',
    'disk-probe',
  ];
  for (const kind of kinds) assert.match(text, new RegExp(`"t":\\s*"${kind}"`));
  for (const op of ops) assert.match(text, new RegExp(`"op":\\s*"${op}"`));
});

test('a supervisor of a former version says nothing of health, and is told nothing it must know', () => {
  const old = {
    name: 'app',
    status: 'running',
    pid: 7,
    startedAtMs: 1,
    finishedAtMs: null,
    exitCode: null,
    oomKilled: false,
    failure: null,
  };
  const state = { taskId: 't', pid: 9, failure: null, containers: [old], droppedBytes: 0, spoolEnd: 0 };
  assert.deepEqual(checkSupervisorState(state, 'state').containers, [{ ...old, health: 'UNKNOWN', healthReason: null, restartCount: 0 }]);
});
