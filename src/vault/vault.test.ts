import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { realClock } from '#base/clock.ts';
import { realRandom } from '#base/random.ts';
import { openVault } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-vault-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const deps = { clock: realClock(), random: realRandom() };
const path = join(folder, 'master.json');

test('a secret comes back for its own context alone, also after a restart', () => {
  const blob = openVault(deps, { path }).encrypt('wJalr', { purpose: 'access-key', id: 'AKIA1' });
  assert.ok(!Buffer.from(blob, 'base64').includes('wJalr'));
  const again = openVault(deps, { path });
  assert.equal(again.decrypt(blob, { id: 'AKIA1', purpose: 'access-key' }).toString(), 'wJalr');
  assert.throws(() => again.decrypt(blob, { purpose: 'access-key', id: 'AKIA2' }), { code: 'Internal' });
  assert.notEqual(again.encrypt('wJalr', {}), again.encrypt('wJalr', {}));
  assert.equal(again.decrypt(again.encrypt('', {}), {}).length, 0);
});

test('no bit of a blob can be changed unnoticed', () => {
  const vault = openVault(deps, { path });
  const blob = Buffer.from(vault.encrypt('secret', {}), 'base64');
  for (let i = 0; i < blob.length; i++) {
    const changed = Buffer.from(blob);
    changed[i] = (changed[i] ?? 0) ^ 1;
    assert.throws(() => vault.decrypt(changed.toString('base64'), {}), { code: 'Internal' }, `byte ${i}`);
    assert.throws(() => vault.decrypt(blob.subarray(0, i).toString('base64'), {}), { code: 'Internal' });
  }
});

test('the key file is private, and a damaged one is never replaced', () => {
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const text = readFileSync(path, 'utf8');
  const other = join(folder, 'other.json');
  const blob = openVault(deps, { path: other }).encrypt('x', {});
  assert.throws(() => openVault(deps, { path }).decrypt(blob, {}), /no master key/);
  writeFileSync(other, text.slice(0, 40));
  assert.throws(() => openVault(deps, { path: other }), /is damaged: restore it/);
  assert.equal(readFileSync(other, 'utf8'), text.slice(0, 40));
});

test('a new master key: what was wrapped before is opened, re-wrapped without being opened, and needs the old key no more', () => {
  const own = join(folder, 'rotated.json');
  const vault = openVault(deps, { path: own });
  const context = { purpose: 'secret', id: 'a' };
  const before = vault.encrypt('wJalr', context);
  assert.equal(vault.rewrap(before), null);
  const [old] = vault.keys();
  const fresh = vault.rotate();
  assert.equal(statSync(own).mode & 0o777, 0o600);
  assert.ok(before.startsWith(old!.prefix) && vault.encrypt('x', {}).startsWith(fresh.prefix));
  const again = openVault(deps, { path: own });
  assert.equal(again.decrypt(before, context).toString(), 'wJalr');
  const rewrapped = again.rewrap(before) ?? '';
  assert.ok(rewrapped.startsWith(fresh.prefix));
  assert.throws(() => again.forget(fresh.id), { code: 'Conflict' });
  again.forget(old!.id);
  const last = openVault(deps, { path: own });
  assert.deepEqual(last.keys(), [fresh]);
  assert.equal(last.decrypt(rewrapped, context).toString(), 'wJalr');
  assert.throws(() => last.decrypt(before, context), /no master key/);
});
