import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import * as fc from 'fast-check';
import { realClock } from '#base/clock.ts';
import { createLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { combineCrcs, createDigester } from './checksums.ts';
import { openObjects, type Objects, type ObjectHeaders, type Tag } from './index.ts';
import { daysAfter } from './lifecycle.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-objects-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const deps = { clock: realClock(), random: realRandom(), log: createLog(realClock(), () => {}, 'error') };
let dir = '';
let objects: Objects;
let serial = 0;

const headers: ObjectHeaders = { contentType: null, cacheControl: null, contentDisposition: null, contentEncoding: null, contentLanguage: null, expires: null, redirect: null, metadata: {}, storageClass: 'STANDARD' }; // prettier-ignore
async function* bytesOf(...pieces: (string | Buffer)[]) {
  for (const piece of pieces) yield Buffer.from(piece);
}
const put = (key: string, body: AsyncIterable<Buffer> = bytesOf(key), condition = {}) =>
  objects.put({ bucket: 'b', key, headers, tags: [], body, algorithm: 'CRC32', expected: () => ({}), condition });
const text = async (key: string) => {
  const object = objects.head('b', key);
  const parts: Buffer[] = [];
  for await (const part of objects.read(object, 0, object.size)) parts.push(part);
  return Buffer.concat(parts).toString();
};
const files = () => readdirSync(join(dir, 'data')).flatMap((sub) => readdirSync(join(dir, 'data', sub)));

beforeEach(async () => {
  await objects?.close();
  dir = join(folder, String(serial++));
  objects = await openObjects(deps, { dir });
  objects.createBucket({ name: 'b', account: '1', region: 'us-east-1', tags: [] });
});
after(() => objects.close());

describe('the store of objects', () => {
  it('keeps one file for a name, whatever was there before', async () => {
    await put('k', bytesOf('one', 'two'));
    assert.equal(await text('k'), 'onetwo');
    assert.equal(objects.head('b', 'k').etag, createHash('md5').update('onetwo').digest('hex'));
    await put('k', bytesOf('three'));
    assert.equal(await text('k'), 'three');
    assert.equal(files().length, 1);
    await objects.remove('b', ['k', 'none']);
    assert.deepEqual(files(), []);
    assert.throws(() => objects.head('b', 'k'), /key does not exist/);
  });

  it('leaves nothing of a body that broke off or was not what its sender said', async () => {
    async function* broken() {
      yield Buffer.from('half');
      throw new Error('the client went away');
    }
    await assert.rejects(put('k', broken()), /went away/);
    const wrong = { bucket: 'b', key: 'k', headers, tags: [], body: bytesOf('x'), algorithm: 'SHA1' as const, condition: {} };
    await assert.rejects(objects.put({ ...wrong, expected: () => ({ checksum: 'AAAA' }) }), /SHA1 you specified did not match/);
    await assert.rejects(put('k', bytesOf('x'), { ifMatch: 'abc' }), /does not exist/);
    assert.deepEqual([files(), readdirSync(join(dir, 'incoming'))], [[], []]);
    await put('k');
    await assert.rejects(put('k', bytesOf('y'), { ifNoneMatch: '*' }), /pre-conditions/);
    assert.equal(await text('k'), 'k');
  });

  it('of two that write under If-None-Match at once lets one through', async () => {
    const both = await Promise.allSettled(['a', 'b'].map((body) => put('k', bytesOf(body), { ifNoneMatch: '*' })));
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    assert.equal(files().length, 1);
  });

  it('of many that are written at once each holds or fails by itself', async () => {
    await put('there');
    const conditions = Array.from({ length: 40 }, (_, n) => (n % 4 === 0 ? { ifNoneMatch: '*' as const } : {}));
    const done = await Promise.allSettled(
      conditions.map((condition, n) => put(n % 4 === 0 ? 'there' : `k${n}`, bytesOf(`${n}`), condition)),
    );
    assert.deepEqual(done.map(({ status }) => status === 'rejected'), conditions.map((_, n) => n % 4 === 0)); // prettier-ignore
    for (const [n] of conditions.entries()) if (n % 4 !== 0) assert.equal(await text(`k${n}`), `${n}`);
    assert.equal(await text('there'), 'there');
    assert.deepEqual([files().length, readdirSync(join(dir, 'incoming'))], [31, []]);
    const gone = Promise.all([objects.remove('b', ['k1', 'k2']), objects.deleteBucket('none').catch((error: Error) => error.message), put('k3')]); // prettier-ignore
    assert.match(String((await gone)[1]), /does not exist/);
    assert.equal(files().length, 29);
  });

  it('removes what it is said to be, and nothing that came meanwhile', async () => {
    const { etag } = await put('k', bytesOf('old'));
    await put('k', bytesOf('new'));
    await assert.rejects(objects.remove('b', ['none', 'k'], { ifMatch: etag }), { code: 'Conflict' });
    assert.equal(await text('k'), 'new');
    await objects.remove('b', ['none', 'k'], { ifMatch: objects.head('b', 'k').etag });
    assert.deepEqual(files(), []);
  });

  it('reads on what was overwritten or deleted meanwhile, and then lets it go', async () => {
    await put('k', bytesOf(Buffer.alloc(700_000, 'a')));
    const object = objects.head('b', 'k');
    const [first, unread] = [objects.read(object, 0, object.size), objects.read(object, 0, 5)];
    const reading = first[Symbol.asyncIterator]();
    let bytes = (await reading.next()).value?.length ?? 0;
    await put('k', bytesOf('new'));
    assert.equal(files().length, 2);
    for (let next = await reading.next(); next.done !== true; next = await reading.next()) bytes += next.value.length;
    assert.equal(bytes, 700_000);
    assert.equal(files().length, 2);
    await unread[Symbol.asyncIterator]().return?.();
    await objects.close(); // What is let go of is removed beside.
    objects = await openObjects(deps, { dir });
    assert.equal(await text('k'), 'new');
  });

  it('sweeps away what a crash left: files without a name, and half a body', async () => {
    await put('k');
    await objects.close();
    mkdirSync(join(dir, 'data', 'ff'), { recursive: true });
    writeFileSync(join(dir, 'data', 'ff', 'ff00'), 'lost');
    writeFileSync(join(dir, 'incoming', 'half'), 'half');
    objects = await openObjects(deps, { dir });
    while (files().length > 1) await setTimeout(5);
    assert.deepEqual(readdirSync(join(dir, 'incoming')), []);
    assert.equal(await text('k'), 'k');
  });

  it('lets go what lifecycle rules end: objects after their days, uploads that nobody completes; and nothing else', async () => {
    let later = 0;
    const aged = await openObjects({ ...deps, clock: { ...realClock(), now: () => Date.now() + later } }, { dir: join(dir, 'aged') });
    const kept = () => aged.list({ bucket: 'b', prefix: '', delimiter: '', after: null, token: null, max: 2000 }).objects.map(({ key }) => key); // prettier-ignore
    try {
      aged.createBucket({ name: 'b', account: '1', region: 'us-east-1', tags: [] });
      const write = (key: string, tags: Tag[] = [], body = 'x') =>
        aged.put({ bucket: 'b', key, headers, tags, body: bytesOf(body), algorithm: 'CRC32', expected: () => ({}), condition: {} });
      const red = { key: 'team', value: 'red' };
      await Promise.all(Array.from({ length: 120 }, (_, n) => write(`logs/${String(n).padStart(3, '0')}`)));
      await write('logs2');
      await write('tagged/red', [red, { key: 'more', value: '' }]);
      await write('tagged/blue', [{ key: 'team', value: 'blue' }]);
      await write('large', [], 'x'.repeat(11));
      await write('small', [], 'x'.repeat(10));
      const uploads = ['logs/u', 'else'].map((key) => aged.uploads.create('b', { key, initiator: 'i', headers, tags: [], checksum: null }));
      for (const { id, key } of uploads) await aged.uploads.putPart({ bucket: 'b', key, id, number: 1, body: bytesOf('p'), verify: null, expected: () => ({}) }); // prettier-ignore
      const filter = (change: object) => ({
        form: 'filter' as const,
        prefix: null,
        tags: [],
        largerThan: null,
        smallerThan: null,
        ...change,
      });
      const rule = (change: object) => ({ id: 'r', enabled: true, filter: filter({}), expiration: null, abortDays: null, deleteMarkers: null, noncurrent: null, ...change }); // prettier-ignore
      const rules = [
        rule({ filter: filter({ prefix: 'logs/' }), expiration: { days: 2 }, abortDays: 1 }),
        rule({ filter: filter({ tags: [red] }), expiration: { days: 1 } }),
        rule({ filter: filter({ largerThan: 10 }), expiration: { at: daysAfter(Date.now(), 1) } }),
        rule({ enabled: false, expiration: { days: 1 }, abortDays: 1 }),
      ];
      aged.changeBucket('b', { lifecycle: { rules, transitionSize: '' } });
      await aged.applyLifecycles();
      assert.equal(kept().length, 125);
      later = daysAfter(Date.now(), 1) - Date.now() + 1000;
      await aged.applyLifecycles();
      assert.deepEqual(kept().filter((key) => !/^logs\/\d/.test(key)), ['logs2', 'small', 'tagged/blue']); // prettier-ignore
      assert.equal(kept().length, 123);
      assert.deepEqual(aged.uploads.list('b').map(({ key }) => key), ['else']); // prettier-ignore
      await write('logs/000', [], 'anew');
      later += 86_400_000;
      await aged.applyLifecycles();
      assert.deepEqual(kept(), ['logs/000', 'logs2', 'small', 'tagged/blue']);
      const files = readdirSync(join(dir, 'aged/data')).flatMap((sub) => readdirSync(join(dir, 'aged/data', sub)));
      assert.equal(files.length, 5);
    } finally {
      await aged.close();
    }
  });

  it('ends an upload once: of two that abort it at once one is told that it is gone', async () => {
    const { id } = objects.uploads.create('b', { key: 'twice', initiator: 'x', headers, tags: [], checksum: null });
    const both = await Promise.allSettled([1, 2].map(() => objects.uploads.abort('b', 'twice', id)));
    assert.deepEqual(both.map(({ status }) => status), ['fulfilled', 'rejected']); // prettier-ignore
  });

  it('makes an object of parts without copying them, and drops those that are not named', async () => {
    const { id } = objects.uploads.create('b', {
      key: 'm',
      initiator: 'x',
      headers,
      tags: [],
      checksum: { algorithm: 'CRC32', type: 'FULL_OBJECT' },
    });
    const part = (number: number, body: Buffer) =>
      objects.uploads.putPart({ bucket: 'b', key: 'm', id, number, body: bytesOf(body), verify: null, expected: () => ({}) });
    const big = Buffer.alloc(5 * 1024 * 1024, 'p');
    const [one, , three] = [await part(1, big), await part(2, big), await part(3, Buffer.from('end'))];
    const complete = (numbers: { number: number; etag: string }[]) =>
      objects.uploads.complete({ bucket: 'b', key: 'm', id, parts: numbers.map((p) => ({ ...p, checksum: undefined })), checksum: undefined, size: undefined, condition: {} }); // prettier-ignore
    await assert.rejects(complete([three, one]), /not in ascending order/);
    await assert.rejects(complete([{ number: 1, etag: 'x' }]), /could not be found/);
    const object = await complete([one, three]);
    const whole = Buffer.concat([big, Buffer.from('end')]);
    const digester = createDigester('CRC32');
    digester.update(whole);
    assert.deepEqual([object.size, object.checksum.value], [whole.length, (await digester.digest()).toString('base64')]);
    assert.equal(files().length, 2);
    assert.equal((await text('m')).slice(-4), 'pend');
    await assert.rejects(complete([one, three]), /upload does not exist/);
  });
});

describe('a list of names', () => {
  /** What S3 documents, said the slow way. */
  function slow(keys: string[], prefix: string, delimiter: string): string[] {
    const sorted = [...new Set(keys)]
      .filter((key) => key.startsWith(prefix))
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const rolled = sorted.map((key) => {
      const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      return cut < 0 ? key : `${key.slice(0, cut + delimiter.length)}*`;
    });
    return [...new Set(rolled)];
  }

  it('has every name once and in order, by pages of any size', async () => {
    const letters = ['a', 'b', '/', 'é', '\u{1f600}', '-'].map((letter) => fc.constant(letter));
    const name = fc.string({ unit: fc.oneof(...letters), minLength: 1, maxLength: 5 });
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(name, { maxLength: 6 }),
        fc.constantFrom('', 'a', 'a/', 'é'),
        fc.constantFrom('', '/', 'b'),
        fc.integer({ min: 1, max: 4 }),
        async (keys, prefix, delimiter, max) => {
          for (const key of keys) if (!seen.has(key)) await put(seen.add(key) && key);
          const byToken: string[] = [];
          for (let token: string | null = null; ;) {
            const page = objects.list({ bucket: 'b', prefix, delimiter, after: null, token, max });
            const names = [...page.objects.map((object) => object.key), ...page.prefixes.map((one) => `${one}*`)];
            assert.ok(names.length <= max);
            byToken.push(...names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
            if ((token = page.next) === null) break;
          }
          assert.deepEqual(byToken.sort(), slow([...seen], prefix, delimiter).sort());
          assert.equal(new Set(byToken).size, byToken.length);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('checksums', () => {
  it('of parts make the whole', async () => {
    for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME'] as const) {
      const digest = async (bytes: Buffer) => {
        const digester = createDigester(algorithm);
        digester.update(bytes);
        return (await digester.digest()).toString('base64');
      };
      await fc.assert(
        fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 5000 }), { minLength: 1, maxLength: 4 }), async (parts) => {
          const given = await Promise.all(parts.map(async (part) => ({ value: await digest(Buffer.from(part)), bytes: part.length })));
          assert.equal(combineCrcs(algorithm, given), await digest(Buffer.concat(parts)));
        }),
        { numRuns: 30 },
      );
    }
    // The check values of the catalogue of CRCs ("123456789").
    const check = async (algorithm: 'CRC32C' | 'CRC64NVME') => {
      const digester = createDigester(algorithm);
      digester.update(Buffer.from('123456789'));
      return (await digester.digest()).toString('hex');
    };
    assert.deepEqual([await check('CRC32C'), await check('CRC64NVME')], ['e3069283', 'ae8b14860a799888']);
  });
});
