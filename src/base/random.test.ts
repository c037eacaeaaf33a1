import assert from 'node:assert/strict';
import { test } from 'node:test';
import { realRandom } from './random.ts';

test('bytes come once each, of any count, and stay what they were', () => {
  const random = realRandom();
  const sizes = [1, 4, 16, 40, 511, 512, 513, 5000];
  const given = Array.from({ length: 4000 }, (_, i) => {
    const bytes = random.bytes(sizes[i % sizes.length] ?? 0);
    return { bytes, text: Buffer.from(bytes).toString('hex') };
  });
  for (const [i, { bytes, text }] of given.entries()) {
    assert.equal(bytes.length, sizes[i % sizes.length]);
    assert.equal(Buffer.from(bytes).toString('hex'), text, 'later ones were written over it');
  }
  const long = given.filter(({ bytes }) => bytes.length >= 16).map(({ text }) => text);
  assert.equal(new Set(long).size, long.length);
  const all = Buffer.concat(given.map(({ bytes }) => bytes));
  for (let byte = 0; byte < 256; byte++) {
    // Of some three million bytes each value has its 256th part; a tenth of it is 150 standard deviations off.
    const share = all.filter((one) => one === byte).length / (all.length / 256);
    assert.ok(share > 0.9 && share < 1.1, `${byte} came ${share} times as often as it should`);
  }
});

test('fractions are spread over [0, 1)', () => {
  const random = realRandom();
  const tenths = new Map<number, number>();
  for (let i = 0; i < 10_000; i++) {
    const fraction = random.fraction();
    assert.ok(fraction >= 0 && fraction < 1);
    tenths.set(Math.floor(fraction * 10), (tenths.get(Math.floor(fraction * 10)) ?? 0) + 1);
  }
  for (let tenth = 0; tenth < 10; tenth++) assert.ok((tenths.get(tenth) ?? 0) > 700, `${tenth}/10 came ${tenths.get(tenth)} times`);
});
