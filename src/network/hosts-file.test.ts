import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { realClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { silentLog } from '#base/log.ts';
import { keepHosts, renderHosts, updateHosts } from './hosts-file.ts';

const own = '127.0.0.1\tlocalhost\n# a remark\n192.0.2.1 somebody';
const names = { shop: ['10.0.0.9', '10.0.1.9'], 'app-1.us-east-1.elb.berth.internal': ['10.0.0.4'], idle: [] };
const block = `# berth ab12cd: kept by berth, removed by 'berth down'
10.0.0.4 app-1.us-east-1.elb.berth.internal
10.0.0.9 shop.berth.internal
10.0.1.9 shop.berth.internal
# berth ab12cd ends
`;

test('the block stands behind what the file has, and beside that of another instance', () => {
  const first = renderHosts(own, 'ab12cd', names);
  assert.equal(first, `${own}\n${block}`);
  assert.equal(renderHosts(first, 'ab12cd', names), first, 'the same again');
  const two = renderHosts(first, '000001', { other: ['10.9.0.1'] });
  assert.ok(two.startsWith(first));
  assert.equal(renderHosts(two, '000001', {}), first);
  assert.equal(renderHosts(first, 'ab12cd', {}), `${own}\n`);
  assert.equal(renderHosts(`${first}192.0.2.7 later\n`, 'ab12cd', {}), `${own}\n192.0.2.7 later\n`);
  assert.equal(renderHosts('', 'ab12cd', names), block);
  assert.equal(renderHosts(first.replace('# berth ab12cd ends\n', '# mine\n'), 'ab12cd', {}), `${own}\n# mine\n`);
});

test('whatever a name is, it adds no line of its own and no other zone', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 70 }), (name) => {
      const text = renderHosts('', 'ab12cd', { [name]: ['10.0.0.1'] });
      assert.match(text, /^$|^# berth.*\n10\.0\.0\.1 [a-z0-9_.-]+\.?berth\.internal\n# berth ab12cd ends\n$/);
    }),
  );
});

test('the file is replaced whole, keeps its rights, and what can not be done is said', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-hosts-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'hosts');
  writeFileSync(path, own, { mode: 0o604 });
  const kept = keepHosts({ clock: realClock(), log: silentLog }, path, 'ab12cd');
  kept.setNames(names);
  assert.equal(readFileSync(path, 'utf8'), `${own}\n${block}`);
  assert.equal(statSync(path).mode & 0o777, 0o604);
  kept.setNames({});
  kept.close();
  assert.equal(readFileSync(path, 'utf8'), `${own}\n`);
  assert.deepEqual(readdirSync(dir), ['hosts']);
  assert.throws(() => updateHosts(join(dir, 'none'), 'ab12cd', names), (error) => isFault(error, 'Unavailable')); // prettier-ignore
});
