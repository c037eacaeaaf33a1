import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '#base/fault.ts';
import { decodeOutputBatch, encodeOutputBatch } from './output-frame.ts';
import type { OutputBatch } from './protocol.ts';

const key = { account: '1', region: 'r', cluster: 'c', id: 't' };
const event = fc.record({
  container: fc.constantFrom('app', 'side', 'ü'),
  source: fc.constantFrom('stdout' as const, 'stderr' as const),
  time: fc.nat(2 ** 47),
  text: fc.string({ unit: 'grapheme' }),
  end: fc.nat(2 ** 31),
});
const batches = fc.record({ from: fc.nat(2 ** 50), events: fc.array(event) }).map(({ from, events }): OutputBatch => {
  const moved = events.map((one) => ({ ...one, end: from + one.end }));
  return { key, from, to: Math.max(from, ...moved.map((one) => one.end)), events: moved };
});

test('a batch of output is the same after its way over the link', () => {
  fc.assert(fc.property(batches, (batch) => assert.deepEqual(decodeOutputBatch(encodeOutputBatch(batch)), batch)));
});

test('what is cut off or broken is refused as a fault, or is another batch', () => {
  fc.assert(
    fc.property(batches, fc.nat(), fc.nat(255), (batch, place, byte) => {
      const bytes = encodeOutputBatch(batch);
      const cut = bytes.subarray(0, place % bytes.length);
      const spoilt = Buffer.from(bytes);
      spoilt[place % bytes.length] = byte;
      for (const data of [cut, spoilt]) {
        try {
          decodeOutputBatch(data);
        } catch (error) {
          assert.ok(isFault(error, 'ProtocolError') || error instanceof SyntaxError || error instanceof TypeError, String(error));
        }
      }
    }),
  );
});
