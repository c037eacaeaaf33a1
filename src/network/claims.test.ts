import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { openRangeClaims } from './claims.ts';

function setUp(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'berth-claims-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const clock = virtualClock();
  const berth = (name: string) => {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, 'config.json'), '{}');
    return openRangeClaims(clock, join(dir, 'ranges.db'), join(dir, name));
  };
  return { dir, clock, berth };
}

const whose = (name: string) => (error: unknown) => isFault(error, 'Conflict') && error.message.includes(`/${name} on this machine`);

test('a range is the berth that claimed it first; what overlaps it is refused, and its owner may claim it again', async (t) => {
  const { berth } = setUp(t);
  const [one, other] = [berth('one'), berth('other')];
  await one.claim('10.3.0.0/16');
  await one.claim('10.3.0.0/16');
  await assert.rejects(other.claim('10.3.0.0/16'), whose('one'));
  await assert.rejects(other.claim('10.3.7.0/24'), whose('one'));
  await other.claim('10.4.0.0/24');
  await assert.rejects(one.claim('10.4.0.0/16'), whose('other'));
  await one.claim('10.4.1.0/24');
  assert.deepEqual([await one.others(), await other.others()], [['10.4.0.0/24'], ['10.3.0.0/16', '10.4.1.0/24']]);
});

test('what no VPC has any more is given up, unless it was claimed only now; what is gone is claimed again', async (t) => {
  const { dir, clock, berth } = setUp(t);
  const [one, other] = [berth('one'), berth('other')];
  await one.claim('10.1.0.0/16');
  await one.claim('10.2.0.0/16');
  assert.deepEqual(await one.keep(['10.1.0.0/16']), []);
  assert.deepEqual(await other.others(), ['10.1.0.0/16', '10.2.0.0/16']);
  await clock.advance(600_001);
  assert.deepEqual(await one.keep(['10.1.0.0/16']), []);
  assert.deepEqual(await other.others(), ['10.1.0.0/16']);
  rmSync(join(dir, 'ranges.db'));
  await other.claim('10.1.0.0/24');
  assert.deepEqual(await one.keep(['10.1.0.0/16', '10.5.0.0/16']), ['10.1.0.0/16']);
  assert.deepEqual(await other.others(), ['10.5.0.0/16']);
});

test('a berth whose state directory is gone has no range', async (t) => {
  const { dir, berth } = setUp(t);
  const [one, other] = [berth('one'), berth('other')];
  await one.claim('10.1.0.0/16');
  rmSync(join(dir, 'one'), { recursive: true });
  await other.claim('10.1.0.0/16');
  assert.deepEqual(await other.others(), []);
});

/** Claims as many as it gets, and says when it has tried a few. */
const claimAll = `
  import { realClock } from '#base/clock.ts';
  import { openRangeClaims } from '#network/claims.ts';
  const claims = openRangeClaims(realClock(), ...process.argv.slice(1));
  for (let n = 0; n < 12; n++) {
    await claims.claim('10.' + n + '.0.0/16').catch((error) => { if (error.code !== 'Conflict') throw error; });
    if (n === 4) console.log('on');
  }`;

test('of processes that claim the same ranges at the same moment each range has one, also when one is killed meanwhile', async (t) => {
  const { dir, berth } = setUp(t);
  const observer = berth('observer');
  const children = ['one', 'two', 'three'].map((name) => {
    berth(name);
    const args = ['--input-type=module', '-e', claimAll, join(dir, 'ranges.db'), join(dir, name)];
    return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  });
  children[0]?.stdout.once('data', () => children[0]?.kill('SIGKILL'));
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0] as number | null));
  assert.deepEqual(codes.slice(1), [0, 0]);
  const claimed = await observer.others();
  assert.deepEqual(claimed.toSorted(), Array.from({ length: 12 }, (_, n) => `10.${n}.0.0/16`).toSorted());
});
