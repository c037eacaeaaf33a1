import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from './fault.ts';
import { checkRun, packRun, RECORD_HEAD, runFrom } from './output-run.ts';
import { walkPacked } from './packed-events.ts';

type Line = { container: number; source: 1 | 2; flags: number; timeMs: number; text: string };

function encode(from: number, lines: Line[]): Buffer {
  let offset = from;
  const records = lines.map(({ container, source, flags, timeMs, text }) => {
    const data = Buffer.from(text);
    const record = Buffer.alloc(RECORD_HEAD + data.length);
    record.writeUInt32BE(record.length - 4, 0);
    record.writeBigUInt64BE(BigInt(offset), 4);
    record.writeBigUInt64BE(BigInt(timeMs) * 1_000_000n + 999_999n, 12);
    record.set([container, source, flags], 20);
    record.set(data, RECORD_HEAD);
    offset += record.length;
    return record;
  });
  return Buffer.concat(records);
}

const line = fc.record({
  container: fc.integer({ min: 0, max: 2 }),
  source: fc.constantFrom<1 | 2>(1, 2),
  flags: fc.integer({ min: 0, max: 3 }),
  timeMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  text: fc.string({ maxLength: 40 }),
});

test('a run is packed by containers, with every line but the empty ones, its time and its end', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 50), fc.array(line, { minLength: 1, maxLength: 20 }), (from, lines) => {
      const bytes = encode(from, lines);
      const run = checkRun(bytes, 3);
      assert.equal(run.count, lines.length);
      assert.equal(
        run.isPlain,
        lines.every(({ flags }) => flags === 0),
      );
      let at = from;
      const wanted = lines
        .map((one) => ({ ...one, end: (at += RECORD_HEAD + Buffer.byteLength(one.text)) }))
        .filter(({ text }) => text !== '');
      const packed = packRun(bytes);
      for (const container of [0, 1, 2]) {
        const events = packed.get(container);
        const seen: { timeMs: number; text: string; end: number | undefined }[] = [];
        if (events !== undefined)
          walkPacked(events.bytes, (index, timeMs, start, end) =>
            seen.push({ timeMs, text: events.bytes.toString('utf8', start, end), end: events.ends[index] }),
          );
        const mine = wanted.filter((one) => one.container === container).map(({ timeMs, text, end }) => ({ timeMs, text, end }));
        assert.deepEqual(seen, mine);
        assert.equal(events?.count ?? 0, mine.length);
        assert.equal(events?.latest, mine.length === 0 ? undefined : Math.max(...mine.map(({ timeMs }) => timeMs)));
        assert.equal(events?.earliest, mine.length === 0 ? undefined : Math.min(...mine.map(({ timeMs }) => timeMs)));
      }
    }),
  );
});

test('whatever bytes come are a run or a broken protocol', () => {
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 4 }), fc.nat(300), fc.nat(255), fc.nat(300), (lines, place, value, cut) => {
      const bytes = encode(7, lines);
      bytes[place % bytes.length] = value;
      try {
        packRun(checkRun(bytes.subarray(0, cut), 3).bytes);
      } catch (error) {
        assert.ok(isFault(error, 'ProtocolError'), String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('what is left of a run begins where a record does', () => {
  const plain = { container: 0, source: 1, flags: 0, timeMs: 1 } as const;
  const run = checkRun(encode(10, [{ ...plain, text: 'one' }, { ...plain, text: 'two' }]), 1); // prettier-ignore
  assert.deepEqual([runFrom(run, 10, 1)?.count, runFrom(run, 36, 1)?.count, runFrom(run, 62, 1)], [2, 1, null]);
  assert.throws(
    () => runFrom(run, 37, 1),
    (error) => isFault(error, 'ProtocolError'),
  );
});
