/**
 * A block on disk: the statistic sets of one series in as many slots as its span has periods.
 *
 * u8 layout, then a bitmap of the slots that have data, then a column for each of what the layout keeps (values of these slots only), then bins. All
 * of it is zstd (RFC 8878) where that is smaller, told by the layout's high bit.
 *
 * Whole numbers and decimals of up to six places come back as they were. Other doubles keep 28 bits of their mantissa, 8 significant decimal digits: what a
 * measured value has beyond that is noise, and it would be half of the file.
 */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { together } from './statistics.ts';
import type { StatisticSet } from './types.ts';

/** A slot without data has a count of 0. */
export type Columns = {
  slots: number;
  count: Float64Array;
  sum: Float64Array;
  min: Float64Array;
  max: Float64Array;
  bins: Map<number, Map<number, number>>;
};

export function emptyColumns(slots: number): Columns {
  const column = () => new Float64Array(slots);
  return { slots, count: column(), sum: column(), min: column(), max: column(), bins: new Map() };
}

export function addTo(columns: Columns, slot: number, values: StatisticSet): void {
  const { count, sum, min, max, bins } = together(at(columns, slot), values);
  columns.count[slot] = count;
  columns.sum[slot] = sum;
  columns.min[slot] = min;
  columns.max[slot] = max;
  if (bins === undefined) columns.bins.delete(slot);
  else columns.bins.set(slot, bins);
}

export function at(columns: Columns, slot: number): StatisticSet | undefined {
  const count = columns.count[slot] ?? 0;
  if (count === 0) return undefined;
  const [sum = 0, min = 0, max = 0] = [columns.sum[slot], columns.min[slot], columns.max[slot]];
  const bins = columns.bins.get(slot);
  return bins === undefined ? { count, sum, min, max } : { count, sum, min, max, bins };
}

/** What follows from the others isn't kept: of single values the sum alone, of equal ones count and value. */
const layouts = { single: ['sum'], equal: ['count', 'min'], all: ['count', 'sum', 'min', 'max'] } as const;
const layoutNames = Object.keys(layouts) as (keyof typeof layouts)[];
const COMPRESSED = 0x80;

export function encodeColumns(columns: Columns): Uint8Array {
  const present: number[] = [];
  for (let slot = 0; slot < columns.slots; slot++) if ((columns.count[slot] ?? 0) !== 0) present.push(slot);
  const layout = layoutOf(columns, present);
  const bitmap = new Uint8Array(Math.ceil(columns.slots / 8));
  for (const slot of present) bitmap[slot >> 3] = (bitmap[slot >> 3] ?? 0) | (1 << (slot & 7));
  const parts = layouts[layout].map((name) => encodeColumn(Float64Array.from(present, (slot) => columns[name][slot] ?? 0)));
  const body = Buffer.concat([bitmap, ...parts, encodeBins(columns, present)]);
  const packed = zstdCompressSync(body);
  const smaller = packed.length < body.length;
  return Buffer.concat([Uint8Array.of(layoutNames.indexOf(layout) | (smaller ? COMPRESSED : 0)), smaller ? packed : body]);
}

export function decodeColumns(data: Uint8Array, slots: number): Columns {
  const head = data[0] ?? 0;
  const body = Buffer.from((head & COMPRESSED) === 0 ? data.subarray(1) : zstdDecompressSync(data.subarray(1)));
  const layout = layoutNames[head & ~COMPRESSED] ?? 'all';
  const columns = emptyColumns(slots);
  const present: number[] = [];
  for (let slot = 0; slot < slots; slot++) if (((body[slot >> 3] ?? 0) & (1 << (slot & 7))) !== 0) present.push(slot);
  const cursor = { body, at: Math.ceil(slots / 8) };
  for (const name of layouts[layout]) {
    const values = decodeColumn(cursor, present.length);
    for (const [index, slot] of present.entries()) columns[name][slot] = values[index] ?? 0;
  }
  for (const slot of present) complete(columns, slot, layout);
  decodeBins(cursor, columns, present);
  return columns;
}

function layoutOf({ count, sum, min, max }: Columns, present: number[]): keyof typeof layouts {
  if (present.every((slot) => count[slot] === 1 && min[slot] === sum[slot] && max[slot] === sum[slot])) return 'single';
  const equal = (slot: number) => min[slot] === max[slot] && (min[slot] ?? 0) * (count[slot] ?? 0) === sum[slot];
  return present.every(equal) ? 'equal' : 'all';
}

function complete({ count, sum, min, max }: Columns, slot: number, layout: keyof typeof layouts): void {
  if (layout === 'single') {
    count[slot] = 1;
    min[slot] = max[slot] = sum[slot] ?? 0;
  } else if (layout === 'equal') {
    max[slot] = min[slot] ?? 0;
    sum[slot] = (min[slot] ?? 0) * (count[slot] ?? 0);
  }
}

/** A column begins with the decimal places of its whole numbers, with the high bit where they are packed, or with this. */
const DOUBLES = 0x7f;
const PACKED = 0x80;
const MOST_PLACES = 6;
/** Sums of decimals are a little away from what they stand for. */
const TOLERANCE = 1e-12;
/** Of a double's 8 bytes: sign, exponent and 28 bits of mantissa. */
const KEPT_BYTES = 5;

function encodeColumn(values: Float64Array): Uint8Array {
  const places = placesOf(values);
  if (places === undefined) return encodeDoubles(values);
  const whole = Float64Array.from(values, (value) => Math.round(value * 10 ** places));
  const [differences, packed] = [encodeDifferences(whole, places), encodePacked(whole, places)];
  // What repeats or goes up evenly is small as differences, once it is compressed; noise is as small as its bits.
  return zstdCompressSync(differences).length < packed.length ? differences : packed;
}

function encodeDifferences(whole: Float64Array, places: number): Uint8Array {
  const out: number[] = [places];
  let before = 0;
  for (const value of whole) {
    putVarint(out, zigzag(value - before));
    before = value;
  }
  return Uint8Array.from(out);
}

/** The least of all, then of each what it has beyond that, in as many bits as the largest needs. */
function encodePacked(whole: Float64Array, places: number): Uint8Array {
  const least = whole.reduce((a, b) => Math.min(a, b), Infinity);
  const bits = bitsOf(whole.reduce((a, b) => Math.max(a, b - least), 0));
  const out: number[] = [places | PACKED];
  putVarint(out, zigzag(Number.isFinite(least) ? least : 0));
  out.push(bits);
  let [held, filled] = [0, 0];
  for (const value of whole) {
    let rest = value - least;
    for (let left = bits; left > 0;) {
      const taken = Math.min(8 - filled, left);
      held += (rest % 2 ** taken) * 2 ** filled;
      rest = Math.floor(rest / 2 ** taken);
      left -= taken;
      filled += taken;
      if (filled === 8) {
        out.push(held);
        [held, filled] = [0, 0];
      }
    }
  }
  if (filled > 0) out.push(held);
  return Uint8Array.from(out);
}

const bitsOf = (value: number) => (value < 1 ? 0 : Math.floor(Math.log2(value)) + 1);

/** The fewest decimal places that all values have, or undefined where one has more than six or would be too large a number. */
function placesOf(values: Float64Array): number | undefined {
  let places = 0;
  for (const value of values) {
    while (!isDecimal(value, places)) if (++places > MOST_PLACES) return undefined;
  }
  // A value that is fine with fewer places may be too large with more of them.
  return values.every((value) => isDecimal(value, places)) ? places : undefined;
}

function isDecimal(value: number, places: number): boolean {
  const scaled = Math.round(value * 10 ** places);
  // Half of what is safe, so that differences are, too.
  return Math.abs(scaled) < 2 ** 51 && Math.abs(scaled / 10 ** places - value) <= Math.abs(value) * TOLERANCE;
}

/** The first bytes of all, then the second ones, ...: those that hardly change stand together, which compresses. */
function encodeDoubles(values: Float64Array): Uint8Array {
  const out = Buffer.alloc(1 + KEPT_BYTES * values.length);
  out[0] = DOUBLES;
  const one = Buffer.alloc(8);
  for (const [index, value] of values.entries()) {
    one.writeDoubleBE(value);
    // Rounded, not cut off; what would carry over the end of the range is cut.
    const bits = one.readUIntBE(0, KEPT_BYTES) + ((one[KEPT_BYTES] ?? 0) >> 7);
    for (let byte = 0; byte < KEPT_BYTES; byte++) {
      out[1 + byte * values.length + index] = Math.floor(bits / 2 ** (8 * (KEPT_BYTES - 1 - byte))) & 255;
    }
  }
  return out;
}

type Cursor = { body: Buffer; at: number };

function decodeColumn(cursor: Cursor, length: number): Float64Array {
  const { body } = cursor;
  const places = body[cursor.at++] ?? 0;
  const values = new Float64Array(length);
  if (places === DOUBLES) {
    const one = Buffer.alloc(8);
    for (let index = 0; index < length; index++) {
      for (let byte = 0; byte < KEPT_BYTES; byte++) one[byte] = body[cursor.at + byte * length + index] ?? 0;
      values[index] = one.readDoubleBE();
    }
    cursor.at += KEPT_BYTES * length;
    return values;
  }
  const scale = 10 ** (places & ~PACKED);
  if ((places & PACKED) !== 0) {
    decodePacked(cursor, values);
    return values.map((value) => value / scale);
  }
  let before = 0;
  for (let index = 0; index < length; index++) {
    before += unzigzag(takeVarint(cursor));
    values[index] = before / scale;
  }
  return values;
}

function decodePacked(cursor: Cursor, values: Float64Array): void {
  const least = unzigzag(takeVarint(cursor));
  const bits = cursor.body[cursor.at++] ?? 0;
  let taken = 0;
  for (let index = 0; index < values.length; index++) {
    let value = least;
    for (let done = 0; done < bits;) {
      const [byte, from] = [cursor.body[cursor.at + (taken >> 3)] ?? 0, taken & 7];
      const count = Math.min(8 - from, bits - done);
      value += ((byte >> from) & ((1 << count) - 1)) * 2 ** done;
      done += count;
      taken += count;
    }
    values[index] = value;
  }
  cursor.at += Math.ceil(taken / 8);
}

/** For each slot with data: how many bins, then bin and count of each. One 0 byte where no slot has any. */
function encodeBins(columns: Columns, present: number[]): Uint8Array {
  if (columns.bins.size === 0) return Uint8Array.of(0);
  const out: number[] = [1];
  for (const slot of present) {
    const bins = [...(columns.bins.get(slot) ?? [])].sort(([a], [b]) => a - b);
    putVarint(out, bins.length);
    for (const [bin, count] of bins) {
      putVarint(out, zigzag(bin));
      putVarint(out, count);
    }
  }
  return Uint8Array.from(out);
}

function decodeBins(cursor: Cursor, columns: Columns, present: number[]): void {
  if (cursor.body[cursor.at++] !== 1) return;
  for (const slot of present) {
    const size = takeVarint(cursor);
    if (size === 0) continue;
    const bins = new Map<number, number>();
    for (let index = 0; index < size; index++) {
      const bin = unzigzag(takeVarint(cursor));
      bins.set(bin, takeVarint(cursor));
    }
    columns.bins.set(slot, bins);
  }
}

const zigzag = (value: number) => (value >= 0 ? value * 2 : -value * 2 - 1);
const unzigzag = (value: number) => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);

/** LEB128 of a safe whole number. Counts that CloudWatch lets be fractions are rounded. */
function putVarint(out: number[], value: number): void {
  let rest = Math.round(value);
  while (rest >= 128) {
    out.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}

function takeVarint(cursor: Cursor): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = cursor.body[cursor.at++] ?? 0;
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
}
