import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IsolationInfo } from '#domain/records.ts';
import { checkKvm } from './doctor-isolation.ts';

const microvm = (change: Partial<IsolationInfo>): IsolationInfo => ({
  kind: 'microvm',
  works: true,
  reason: '',
  accelerator: 'kvm',
  auto: true,
  ...change,
});

test('only a guest that booted makes KVM work', () => {
  assert.equal(checkKvm(microvm({}), true).status, 'ok');
  assert.match(checkKvm(microvm({}), true).detail, /boots a guest/);
  const stuck = checkKvm(microvm({ works: false, reason: 'the guest never answered', accelerator: null, auto: false }), true);
  assert.deepEqual([stuck.status, /never answered/.test(stuck.detail)], ['warn', true]);
  assert.equal(checkKvm(microvm({ accelerator: 'tcg', auto: false }), true).status, 'warn');
});

test('before anything was tried, doctor says what it knows and no more', () => {
  const opens = checkKvm(undefined, true);
  assert.deepEqual([opens.status, /is known once berth runs/.test(opens.detail)], ['ok', true]);
  const closed = checkKvm(undefined, false);
  assert.equal(closed.status, 'warn');
  assert.match(closed.fix ?? '', /nested virtualization/);
});
