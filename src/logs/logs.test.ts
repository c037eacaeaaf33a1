import assert from 'node:assert/strict';
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { virtualClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { silentLog } from '#base/log.ts';
import { packSource } from '#base/packed-events.ts';
import { createLogs, type LogEvent, type Logs } from './index.ts';
import { encodeJsonRecord } from './records.ts';

const root = mkdtempSync(join(tmpdir(), 'berth-logs-'));
after(() => rmSync(root, { recursive: true, force: true }));
let serial = 0;
const folder = () => join(root, String(serial++));
const scope = { account: '123456789012', region: 'us-east-1' };
const DAY = 24 * 3600_000;
const START = Date.UTC(2026, 10, 23);

function openLogs(dir = folder(), clock = virtualClock(START)) {
  return { dir, clock, logs: createLogs({ dir, clock, log: silentLog }) };
}

async function withStream(dir?: string) {
  const opened = openLogs(dir);
  await opened.logs.createGroup(scope, 'g', { tags: {} });
  await opened.logs.createStream(scope, 'g', 's');
  return opened;
}

const fault = (code: string, text?: RegExp) => (error: unknown) => {
  assert.ok(isFault(error, code as never), String(error));
  if (text !== undefined) assert.match(error.message, text);
  return true;
};

async function everything(logs: Logs, group = 'g', stream = 's', limit = 3): Promise<string[]> {
  const out: string[] = [];
  for (let token: string | undefined; ;) {
    const page = await logs.getEvents(scope, group, stream, { fromHead: true, limit, ...(token === undefined ? {} : { token }) });
    if (page.events.length === 0) return out;
    out.push(...page.events.map((event) => event.message));
    token = page.forward;
  }
}

const event = (timestamp: number, message: string): LogEvent => ({ timestamp, message });

describe('groups and streams', () => {
  it('are made, listed in pages, tagged, retained and deleted', async () => {
    const { logs, dir, clock } = openLogs();
    for (const name of ['/b', '/a/2', '/a/1']) await logs.createGroup(scope, name, { tags: { k: name } });
    await assert.rejects(logs.createGroup(scope, '/b', { tags: {} }), fault('AlreadyExists', /^The specified log group already exists$/));
    await logs.createGroup({ ...scope, region: 'eu-west-1' }, '/b', { tags: {} });
    const first = await logs.listGroups(scope, { limit: 2 });
    assert.deepEqual(
      first.groups.map((g) => g.name),
      ['/a/1', '/a/2'],
    );
    assert.deepEqual(
      (await logs.listGroups(scope, { limit: 2, after: first.next! })).groups.map((g) => g.name),
      ['/b'],
    );
    assert.deepEqual((await logs.listGroups(scope, { limit: 9, prefix: '/a' })).groups.length, 2);
    assert.deepEqual((await logs.listGroups(scope, { limit: 9, pattern: 'B' })).groups.length, 1);
    await logs.setRetention(scope, '/b', 7);
    await assert.rejects(logs.setRetention(scope, '/b', 8), fault('InvalidParameter', /Value '8' at 'retentionInDays'/));
    for (const name of ['y', 'x', 'z']) await logs.createStream(scope, '/b', name);
    await assert.rejects(logs.createStream(scope, '/b', 'x'), fault('AlreadyExists', /log stream already exists/));
    await assert.rejects(
      logs.createStream(scope, '/b', 'a:b'),
      fault('InvalidParameter', /Member must satisfy regular expression pattern/),
    );
    await assert.rejects(logs.createStream(scope, '/none', 'x'), fault('ResourceNotFound', /^The specified log group does not exist\.$/));
    await logs.put(scope, '/b', 'y', [event(clock.now() - 1000, 'old')]);
    await logs.put(scope, '/b', 'x', [event(clock.now(), 'new')]);
    const byTime = { orderBy: 'LastEventTime', descending: true } as const;
    const page = await logs.listStreams(scope, '/b', { ...byTime, limit: 2 });
    assert.deepEqual(
      page.streams.map((s) => s.name),
      ['x', 'y'],
    );
    assert.deepEqual(
      (await logs.listStreams(scope, '/b', { ...byTime, limit: 2, after: page.next! })).streams.map((s) => s.name),
      ['z'],
    );
    const byName = await logs.listStreams(scope, '/b', { orderBy: 'LogStreamName', descending: false, limit: 9, prefix: 'y' });
    assert.deepEqual(byName.streams, [
      { name: 'y', createdAt: START, firstEventAt: START - 1000, lastEventAt: START - 1000, lastIngestionAt: START, storedBytes: 29 },
    ]);
    assert.equal((await logs.getGroup(scope, '/b'))?.storedBytes, 58);
    await logs.close();
    const again = openLogs(dir, clock).logs;
    assert.deepEqual((await again.getGroup(scope, '/b'))?.tags, { k: '/b' });
    assert.equal((await again.getGroup(scope, '/b'))?.retentionDays, 7);
    await again.deleteStream(scope, '/b', 'x');
    await assert.rejects(again.deleteStream(scope, '/b', 'x'), fault('ResourceNotFound', /log stream/));
    await again.deleteGroup(scope, '/b');
    assert.equal(await again.getGroup(scope, '/b'), undefined);
    assert.deepEqual(globSync(join(dir, 'streams/*/*/*')), []);
    await again.close();
  });
});

describe('events', () => {
  it('come back in order of time, forward, backward and in ranges', async () => {
    const { logs, clock } = await withStream();
    const now = clock.now();
    await logs.put(scope, 'g', 's', [event(now, 'c'), event(now + 1, 'd')]);
    await logs.put(scope, 'g', 's', [event(now - 2, 'a'), event(now - 1, 'b')]);
    assert.deepEqual(await everything(logs), ['a', 'b', 'c', 'd']);
    const last = await logs.getEvents(scope, 'g', 's', { fromHead: false, limit: 2 });
    assert.deepEqual(
      last.events.map((e) => e.message),
      ['c', 'd'],
    );
    const earlier = await logs.getEvents(scope, 'g', 's', { fromHead: false, limit: 2, token: last.backward });
    assert.deepEqual(
      earlier.events.map((e) => e.message),
      ['a', 'b'],
    );
    const end = await logs.getEvents(scope, 'g', 's', { fromHead: false, limit: 2, token: last.forward });
    assert.deepEqual([end.events, end.forward], [[], last.forward]);
    await logs.put(scope, 'g', 's', [event(now + 2, 'e')]);
    const more = await logs.getEvents(scope, 'g', 's', { fromHead: false, limit: 2, token: end.forward });
    assert.deepEqual(
      more.events.map((e) => e.message),
      ['e'],
    );
    const range = await logs.getEvents(scope, 'g', 's', { fromHead: true, limit: 9, startTime: now - 1, endTime: now + 1 });
    assert.deepEqual(
      range.events.map((e) => e.message),
      ['b', 'c'],
    );
    await assert.rejects(logs.getEvents(scope, 'g', 's', { fromHead: true, limit: 1, token: 'x' }), fault('InvalidParameter', /nextToken/));
    await logs.close();
  });

  it('are refused as CloudWatch refuses them', async () => {
    const { logs, clock } = await withStream();
    const now = clock.now();
    const put = (events: LogEvent[]) => logs.put(scope, 'g', 's', events);
    await assert.rejects(put([event(2 + now, 'b'), event(now, 'a')]), fault('InvalidParameter', /must be in chronological order\.$/));
    await assert.rejects(put([event(now - DAY, 'a'), event(now + 1, 'b')]), fault('InvalidParameter', /cannot span more than 24 hours/));
    await assert.rejects(put([event(now, 'x'.repeat(limits.logEventBytes))]), fault('InvalidParameter', /^Log event too large: 262170 bytes exceeds limit of 262144$/)); // prettier-ignore
    await assert.rejects(put(Array.from({ length: 5 }, () => event(now, 'x'.repeat(250_000)))), fault('InvalidParameter', /^Upload too large/)); // prettier-ignore
    await assert.rejects(put(Array.from({ length: 10_001 }, () => event(now, 'x'))), fault('InvalidParameter', /10000/));
    await assert.rejects(put([]), fault('InvalidParameter'));
    await assert.rejects(logs.put(scope, 'g', 'none', [event(now, 'a')]), fault('ResourceNotFound', /log stream/));
    assert.deepEqual(await put([event(now - 15 * DAY, 'a')]), { tooOldEnd: 1 });
    assert.deepEqual(await put([event(now, 'ok'), event(now + 3 * 3600_000, 'early')]), { tooNewStart: 1 });
    await logs.setRetention(scope, 'g', 1);
    assert.deepEqual(await put([event(now - 2 * DAY, 'a')]), { expiredEnd: 1 });
    assert.deepEqual(await everything(logs), ['ok']);
    await logs.close();
  });

  it('are found across streams, filtered, in pages', async () => {
    const { logs, clock } = await withStream();
    await logs.createStream(scope, 'g', 't');
    const now = clock.now();
    for (let i = 0; i < 20; i++)
      await logs.put(scope, 'g', i % 2 === 0 ? 's' : 't', [event(now + i, `${i % 3 === 0 ? 'ERROR' : 'info'} ${i}`)]);
    const collect = async (options: object) => {
      const out: string[] = [];
      const ids = new Set<string>();
      for (let token: string | undefined; ;) {
        const page = await logs.filter(scope, 'g', { limit: 3, ...options, ...(token === undefined ? {} : { token }) });
        for (const e of page.events) {
          out.push(`${e.stream}${e.message}`);
          ids.add(e.eventId);
        }
        if (page.next === undefined) {
          assert.equal(ids.size, out.length);
          return out;
        }
        token = page.next;
      }
    };
    assert.equal((await collect({})).length, 20);
    assert.deepEqual(await collect({ pattern: 'ERROR' }), [
      'sERROR 0',
      'tERROR 3',
      'sERROR 6',
      'tERROR 9',
      'sERROR 12',
      'tERROR 15',
      'sERROR 18',
    ]);
    assert.deepEqual(await collect({ pattern: 'ERROR', streams: ['t'] }), ['tERROR 3', 'tERROR 9', 'tERROR 15']);
    assert.deepEqual(await collect({ streamPrefix: 't', startTime: now + 17, endTime: now + 19 }), ['tinfo 17', 'tinfo 19']);
    await assert.rejects(logs.filter(scope, 'g', { limit: 1, streams: ['no'] }), fault('ResourceNotFound', /log stream/));
    await logs.close();
  });

  it('are in the order of a simple model, over many segments, whatever comes when', async () => {
    const batch = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 6 }).map((times) => times.toSorted((a, b) => a - b));
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { maxLength: 12 }), fc.integer({ min: 1, max: 9 }), async (batches, limit) => {
        const { logs, clock } = await withStream();
        const model: LogEvent[] = [];
        let count = 0;
        for (const times of batches) {
          // Long messages, so that segments fill up.
          const events = times.map((time) => event(clock.now() + time, `${count++} ${'x'.repeat(100_000)}`));
          await logs.put(scope, 'g', 's', events);
          model.push(...events);
        }
        const expected = model.toSorted((a, b) => a.timestamp - b.timestamp).map((e) => e.message);
        assert.deepEqual(await everything(logs, 'g', 's', limit), expected);
        const back: string[] = [];
        for (let token: string | undefined; ;) {
          const page = await logs.getEvents(scope, 'g', 's', { fromHead: false, limit, ...(token === undefined ? {} : { token }) });
          if (page.events.length === 0) break;
          back.unshift(...page.events.map((e) => e.message));
          token = page.backward;
        }
        assert.deepEqual(back, expected);
        await logs.close();
      }),
      { numRuns: 15 },
    );
  });

  it('are gone after their retention, also from the disk', async () => {
    const { logs, dir, clock } = await withStream();
    await logs.setRetention(scope, 'g', 3);
    for (let day = 0; day < 6; day++) {
      await logs.putOnce(
        scope,
        'g',
        's',
        'task',
        day * 10,
        day * 10 + 10,
        packSource([{ ...event(clock.now(), `day ${day} ${'x'.repeat(2_500_000)}`), end: day * 10 + 10 }]),
      );
      await clock.advance(DAY);
    }
    assert.deepEqual(
      (await everything(logs)).map((m) => m.slice(0, 5)),
      ['day 3', 'day 4', 'day 5'],
    );
    assert.equal(globSync(join(dir, 'streams/*/*/*.seg')).length, 6);
    await logs.sweep();
    assert.equal(globSync(join(dir, 'streams/*/*/*.seg')).length, 3);
    await clock.advance(5 * DAY);
    await logs.sweep();
    assert.deepEqual(await everything(logs), []);
    assert.deepEqual(
      globSync(join(dir, 'streams/*/*/*.seg')).map((path) => statSync(path).size < 1000),
      [true],
    );
    // What was taken stays known.
    await logs.putOnce(scope, 'g', 's', 'task', 50, 60, packSource([{ ...event(clock.now(), 'again'), end: 60 }]));
    assert.deepEqual(await everything(logs), []);
    await logs.close();
  });
});

describe('output of tasks', () => {
  it('is taken exactly once, however often and however cut it is sent', async () => {
    const sends = fc.array(fc.record({ from: fc.nat(20), length: fc.nat(8), restart: fc.boolean() }), { maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(sends, async (plan) => {
        let { logs, dir, clock } = openLogs();
        await logs.createGroup(scope, 'g', { tags: {} });
        let taken = 0;
        for (const { from, length, restart } of plan) {
          const start = Math.min(from, taken); // A host never leaves out what is not acknowledged.
          const events = Array.from({ length }, (_, i) => ({ ...event(START + start + i, String(start + i)), end: start + i + 1 }));
          await logs.putOnce(scope, 'g', 's', 'task/app', start, start + length, packSource(events));
          taken = Math.max(taken, start + length);
          if (restart) {
            await logs.close();
            ({ logs, dir, clock } = openLogs(dir, clock));
          }
        }
        const expected = Array.from({ length: taken }, (_, i) => String(i));
        assert.deepEqual(plan.length === 0 ? [] : await everything(logs, 'g', 's', 50), expected);
        await logs.close();
      }),
      { numRuns: 40 },
    );
  });

  it('shares group commits among streams', async () => {
    const { logs } = await withStream();
    await Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        logs.putOnce(
          scope,
          'g',
          `s${i % 30}`,
          `t${i % 30}`,
          Math.floor(i / 30),
          Math.floor(i / 30) + 1,
          packSource([{ ...event(START + i, `m${i}`), end: Math.floor(i / 30) + 1 }]),
        ),
      ),
    );
    for (let s = 0; s < 30; s++) assert.equal((await everything(logs, 'g', `s${s}`)).length, 10);
    await logs.close();
  });
});

describe('after a crash', () => {
  /** What a power cut may leave of a running process: every file as it is, segments cut anywhere since none was synced. */
  async function crashed() {
    const { logs, dir, clock } = await withStream();
    for (let i = 0; i < 12; i++) {
      await logs.putOnce(scope, 'g', 's', 'task', i, i + 1, packSource([{ ...event(clock.now() + i, `line ${i}`), end: i + 1 }]));
    }
    const copy = folder();
    cpSync(dir, copy, { recursive: true });
    await logs.close();
    return copy;
  }
  const expected = Array.from({ length: 12 }, (_, i) => `line ${i}`);
  const segment = (dir: string) => globSync(join(dir, 'streams/*/*/*.seg'))[0] as string;

  async function contents(template: string, damage: (dir: string) => void): Promise<string[]> {
    const dir = folder();
    cpSync(template, dir, { recursive: true });
    damage(dir);
    const { logs } = openLogs(dir);
    // It goes on: what was lost is sent again, what was kept is not doubled.
    const kept = await everything(logs, 'g', 's', 100);
    const resend = expected.map((message, i) => ({ ...event(START + i, message), end: i + 1 }));
    await logs.putOnce(scope, 'g', 's', 'task', 0, 12, packSource(resend));
    assert.deepEqual(await everything(logs, 'g', 's', 100), expected);
    const [stream] = (await logs.listStreams(scope, 'g', { orderBy: 'LogStreamName', descending: false, limit: 5 })).streams;
    assert.equal(stream?.lastEventAt, START + 11);
    await logs.close();
    rmSync(dir, { recursive: true });
    return kept;
  }

  it('everything acknowledged is there although the segments were cut at any byte', async () => {
    const template = await crashed();
    const size = statSync(segment(template)).size;
    for (let at = 0; at < size; at += 37) assert.deepEqual(await contents(template, (dir) => truncateSync(segment(dir), at)), expected);
    assert.deepEqual(await contents(template, (dir) => rmSync(join(dir, 'streams'), { recursive: true })), expected);
  });

  it('a redo log cut at any byte does no harm while the segments are whole', async () => {
    const template = await crashed();
    const size = readFileSync(join(template, 'redo.log')).length;
    for (let at = 0; at < size; at += 61)
      assert.deepEqual(await contents(template, (dir) => truncateSync(join(dir, 'redo.log'), at)), expected);
  });

  it('a segment cut at any byte, with nothing to mend it, ends at its last whole record', async () => {
    const template = await crashed();
    const size = statSync(segment(template)).size;
    for (let at = 0; at < size; at += 41) {
      const kept = await contents(template, (dir) => {
        truncateSync(join(dir, 'redo.log'), 0);
        truncateSync(segment(dir), at);
      });
      assert.deepEqual(kept, expected.slice(0, kept.length));
    }
  });
});

describe('segments of a former version', () => {
  it('are read, and written to', async () => {
    const { logs, dir, clock } = await withStream();
    await logs.close();
    // Events were JSON before they were packed.
    const folderOf = join(dir, 'streams/01/1');
    mkdirSync(folderOf, { recursive: true });
    const stats = { firstEventAt: null, lastEventAt: null, lastIngestionAt: null, storedBytes: 0 };
    const former = [
      encodeJsonRecord({ earliest: Infinity, latest: -Infinity, count: 0 }, { v: 1, seq: 1, sources: [], stats }),
      encodeJsonRecord({ earliest: START, latest: START + 1, count: 2 }, { i: START, q: 1, s: ['task/app', 2], e: [[START, 'one'], [START + 1, 'zwei ü']] }), // prettier-ignore
    ];
    writeFileSync(join(folderOf, '0.seg'), Buffer.concat(former));
    const again = openLogs(dir, clock);
    const resend = ['one', 'zwei ü', 'three'].map((message, i) => ({ ...event(START + i, message), end: i + 1 }));
    await again.logs.putOnce(scope, 'g', 's', 'task/app', 0, 3, packSource(resend));
    assert.deepEqual(await everything(again.logs), ['one', 'zwei ü', 'three']);
    const [stream] = (await again.logs.listStreams(scope, 'g', { orderBy: 'LogStreamName', descending: false, limit: 5 })).streams;
    assert.equal(stream?.storedBytes, 3 + 7 + 5 + 3 * 26);
    const found = await again.logs.filter(scope, 'g', { pattern: 'ü', limit: 10 });
    assert.deepEqual(found.events.map((e) => [e.message, e.ingestedAt]), [['zwei ü', START]]); // prettier-ignore
    await again.logs.close();
  });
});

describe('much at once', () => {
  it('is on disk without the redo log, across segments, and found by a pattern in any part', async () => {
    const { logs, dir, clock } = await withStream();
    const fill = 'x'.repeat(1000);
    const batch = (n: number) => Array.from({ length: 1000 }, (_, i) => ({ ...event(START + n * 1000 + i, `${n * 1000 + i} ${i === n ? 'needle' : ''} ${fill}`), end: n * 1000 + i + 1 })); // prettier-ignore
    for (let n = 0; n < 9; n++) await logs.putOnce(scope, 'g', 's', 'task', n * 1000, n * 1000 + 1000, packSource(batch(n)));
    assert.ok(globSync(join(dir, 'streams/*/*/*.seg')).length > 1);
    assert.ok(statSync(join(dir, 'redo.log')).size < 100);
    const copy = folder();
    cpSync(dir, copy, { recursive: true });
    await logs.close();
    const again = openLogs(copy, clock).logs;
    const numbers = async (options: object) => (await again.filter(scope, 'g', { limit: 100, pattern: 'needle', ...options })).events.map((e) => Number.parseInt(e.message, 10)); // prettier-ignore
    assert.deepEqual(await numbers({}), [0, 1001, 2002, 3003, 4004, 5005, 6006, 7007, 8008]);
    assert.deepEqual(await numbers({ startTime: START + 2002, endTime: START + 6005 }), [2002, 3003, 4004, 5005]);
    assert.deepEqual(await numbers({ pattern: '?"3003 needle" ?"7 needle" ?nothing' }), [3003, 7007]);
    assert.equal((await everything(again, 'g', 's', 4000)).length, 9000);
    await again.close();
  });
});
