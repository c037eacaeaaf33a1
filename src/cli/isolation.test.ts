import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeKind, describePool, explainIsolation, isolationLine } from './isolation.ts';

const container = { kind: 'container', works: true, reason: 'namespaces', accelerator: null, auto: true };
const noRunsc = { kind: 'gvisor', works: false, reason: 'runsc is not installed', accelerator: null, auto: false };
const emulated = { kind: 'microvm', works: true, reason: 'QEMU 7.2', accelerator: 'tcg', auto: false };
const hosts = (autoIsolation: string | null, ...isolation: object[]) => [{ status: 'CONNECTED', autoIsolation, info: { isolation } }];

test('auto says what it became, and why nothing stronger', () => {
  const { kind, why, warning } = explainIsolation('auto', hosts('container', container, noRunsc, emulated), 'auto');
  assert.deepEqual([kind, warning], ['container', null]);
  assert.match(
    why,
    /this machine’s kernel: for code you trust; microvm only by name: it has no KVM here; no gvisor: runsc is not installed$/,
  );
  const best = explainIsolation('auto', hosts('microvm', container, { ...emulated, accelerator: 'kvm', auto: true }), 'auto');
  assert.deepEqual([best.kind, best.why], ['microvm', 'a kernel and a virtual machine of its own for every task, on KVM']);
});

test('what up named is said, and so is that it does not work', () => {
  assert.match(explainIsolation('auto', hosts('container', container, noRunsc), 'container').why, /berth up --isolation container said so/);
  const none = explainIsolation('auto', hosts(null, container, noRunsc), 'gvisor');
  assert.deepEqual([none.kind, none.why], [null, 'no sandbox for gvisor works here (gvisor: runsc is not installed)']);
});

test('a microVM under software emulation warns', () => {
  const { kind, warning } = explainIsolation('microvm', hosts('container', container, emulated), 'auto');
  assert.equal(kind, 'microvm');
  assert.match(warning ?? '', /slow, for tests, and no security border/);
  assert.match(describeKind(emulated), /no security border/);
  const byUp = explainIsolation('auto', hosts('microvm', container, { ...emulated, auto: true }), 'microvm');
  assert.match(byUp.why, /no security border.*berth up --isolation microvm said so/);
});

test('what stands ready is told', () => {
  assert.equal(describePool({ kind: 'gvisor', ready: 2, memoryBytes: 30_000_000, templates: 0 }), 'gvisor: 2 ready, 30 MB');
  assert.equal(describePool({ kind: 'microvm', ready: 0, memoryBytes: 88_000_000, templates: 1 }), 'microvm: 0 ready, 1 template, 88 MB');
});

test('a kind that does not work says why', () => {
  assert.equal(describeKind(noRunsc), 'runsc is not installed');
  const asked = explainIsolation('gvisor', hosts('container', container, noRunsc), 'auto');
  assert.deepEqual([asked.kind, asked.why], [null, 'no sandbox for gvisor works here (gvisor: runsc is not installed)']);
  assert.deepEqual(isolationLine({ ...asked, wish: 'gvisor', from: 'cluster' }).at(0), 'isolation gvisor');
  assert.match(isolationLine({ ...asked, wish: 'gvisor', from: 'cluster' })[1], /^the cluster’s tag berth:isolation is gvisor: no sandbox/);
});
