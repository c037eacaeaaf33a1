import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { createCborWriter, decodeCbor } from './cbor.ts';
import { decodeCborBody, encodeCborBody } from './codec-cbor.ts';
import type { Member, Shape } from './shapes.ts';

const bytes = (hex: string) => Buffer.from(hex, 'hex');
/** Without what is no JSON: maps have no prototype here. */
const plain = (value: unknown) => structuredClone(value);

it('reads the examples of RFC 8949, appendix A', () => {
  const examples: [string, unknown][] = [
    ['00', 0],
    ['17', 23],
    ['1818', 24],
    ['1903e8', 1000],
    ['1a000f4240', 1_000_000],
    ['1b000000e8d4a51000', 1_000_000_000_000],
    ['20', -1],
    ['3903e7', -1000],
    ['f90000', 0],
    ['f98000', -0],
    ['f93c00', 1],
    ['fb3ff199999999999a', 1.1],
    ['f97bff', 65_504],
    ['fa47c35000', 100_000],
    ['fb7e37e43c8800759c', 1e300],
    ['f90001', 5.960464477539063e-8],
    ['f9c400', -4],
    ['f97c00', Infinity],
    ['f97e00', NaN],
    ['fbfff0000000000000', -Infinity],
    ['f4', false],
    ['f5', true],
    ['f6', null],
    ['f7', null],
    ['c11a514b67b0', new Date(1_363_896_240_000)],
    ['c1fb41d452d9ec200000', new Date(1_363_896_240_500)],
    ['4401020304', new Uint8Array([1, 2, 3, 4])],
    ['60', ''],
    ['62c3bc', 'ü'],
    ['83010203', [1, 2, 3]],
    ['8301820203820405', [1, [2, 3], [4, 5]]],
    ['a26161016162820203', { a: 1, b: [2, 3] }],
    ['5f42010243030405ff', Buffer.from([1, 2, 3, 4, 5])],
    ['7f657374726561646d696e67ff', 'streaming'],
    ['9f018202039f0405ffff', [1, [2, 3], [4, 5]]],
    ['bf61610161629f0203ffff', { a: 1, b: [2, 3] }],
    ['bf6346756ef563416d7421ff', { Fun: true, Amt: -2 }],
  ];
  for (const [hex, value] of examples) assert.deepEqual(plain(decodeCbor(bytes(hex))), plain(value), hex);
});

it('refuses what is no CBOR, before it makes room for what it says it has', () => {
  const broken = ['', '18', '62c3', '9bffffffffffffffff', 'bb7fffffffffffffff', '9f01', 'a101', 'a10102', '7f4101ff', '7f7f6161ffff', '1c', 'f8ff', 'c16161', 'ff', '0000', '5bffffffffffffffff00']; // prettier-ignore
  for (const hex of broken) assert.throws(() => decodeCbor(bytes(hex)), /^(Range|Type)Error/, hex);
  assert.throws(() => decodeCbor(Buffer.alloc(100_000, 0x81)), RangeError, 'lists in lists');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (input) => {
      try {
        decodeCbor(input);
      } catch (error) {
        assert.ok(error instanceof RangeError || error instanceof TypeError, String(error));
      }
    }),
  );
});

it('reads what it writes', () => {
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(fc.string({ unit: 'grapheme' }), fc.double(), fc.maxSafeInteger(), fc.boolean(), fc.constant(null), fc.uint8Array(), tie('list'), tie('map')), // prettier-ignore
    list: fc.array(tie('value')),
    map: fc.dictionary(fc.string(), tie('value'), { noNullPrototype: true }),
  }));
  fc.assert(
    fc.property(value, (given) => {
      const writer = createCborWriter();
      write(writer, given);
      assert.deepEqual(plain(decodeCbor(writer.end())), plain(given));
    }),
  );
});

function write(writer: ReturnType<typeof createCborWriter>, value: unknown): void {
  if (value === null) return writer.nothing();
  if (typeof value === 'string') return writer.text(value);
  if (typeof value === 'boolean') return writer.boolean(value);
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0) ? writer.integer(value) : writer.double(value);
  if (value instanceof Uint8Array) return writer.bytes(value);
  if (Array.isArray(value)) {
    writer.list(value.length);
    return value.forEach((item) => write(writer, item));
  }
  const entries = Object.entries(value as object);
  writer.map(entries.length);
  for (const [key, item] of entries) {
    writer.text(key);
    write(writer, item);
  }
}

const member = (name: string, shape: Shape): [string, Member] => [name, { name, shape, traits: {} }];
const number: Shape = { kind: 'number' };
const alarm: Shape = {
  kind: 'structure',
  name: 'Alarm',
  members: new Map([
    member('Period', number),
    member('Threshold', number),
    member('At', { kind: 'timestamp' }),
    member('Values', { kind: 'list', item: { shape: number, traits: {} } }),
  ]),
  required: [],
  union: false,
};

it('writes integers as integers, and doubles as doubles also where they are whole: Rust’s client takes neither for the other', () => {
  const written = encodeCborBody(
    alarm,
    { Period: 60, Threshold: 5, At: new Date(1_500), Values: [1, 2.5], More: 'left out' },
    new Set(['Period']),
  );
  const threshold = `69${Buffer.from('Threshold').toString('hex')}`;
  const parts = ['a4', `66${Buffer.from('Period').toString('hex')}`, '183c', threshold, 'fb4014000000000000', '624174', 'c1fb3ff8000000000000', `66${Buffer.from('Values').toString('hex')}`, '82fb3ff0000000000000fb4004000000000000']; // prettier-ignore
  assert.equal(Buffer.from(written).toString('hex'), parts.join(''));
  assert.deepEqual(decodeCborBody(Buffer.from(written), alarm), { Period: 60, Threshold: 5, At: new Date(1_500), Values: [1, 2.5] });
  assert.deepEqual(decodeCborBody(Buffer.alloc(0), alarm), {});
  assert.throws(() => decodeCborBody(bytes('a166506572696f646161'), alarm), { message: 'STRING_VALUE can not be converted to an Integer' });
  assert.throws(() => decodeCborBody(bytes('ff'), alarm), { message: /not valid CBOR/ });
});
