/** CBOR as Smithy's RPC v2 protocol has it (RFC 8949; Smithy 2.0, "Smithy RPC v2 CBOR protocol"): maps with texts for keys, and of all tags times alone. */

/** A time is a Date, `undefined` is null; maps have no prototype. */
export type Cbor = number | string | boolean | null | Uint8Array | Date | Cbor[] | { [key: string]: Cbor };

const DEEPEST = 64;
const INDEFINITE = 31;
const BREAK = 0xff;
const TIME = 1;

/** Throws a RangeError or TypeError for what is no CBOR, or more than one value. */
export function decodeCbor(bytes: Uint8Array): Cbor {
  const reader = createReader(bytes);
  const value = reader.value(0);
  if (!reader.isAtEnd()) throw new TypeError('there is more behind the value');
  return value;
}

function createReader(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;

  /** What stands in the low bits of a head, or behind it: a count, a number, a tag. */
  function argument(low: number): number {
    if (low < 24) return low;
    if (low > 27) throw new TypeError(`a head has the length ${low}`);
    const size = 1 << (low - 24);
    at += size;
    if (size === 1) return view.getUint8(at - 1);
    if (size === 2) return view.getUint16(at - 2);
    return size === 4 ? view.getUint32(at - 4) : Number(view.getBigUint64(at - 8));
  }

  function take(length: number): Uint8Array {
    if (length > bytes.length - at) throw new RangeError('a text is longer than what is there');
    at += length;
    return bytes.subarray(at - length, at);
  }

  /** Of texts and bytes; in pieces where their length wasn't known. */
  function chunk(major: number, low: number): Uint8Array {
    if (low !== INDEFINITE) return take(argument(low));
    const pieces: Uint8Array[] = [];
    while (!isBreak()) {
      const head = view.getUint8(at++);
      if (head >> 5 !== major || (head & 31) === INDEFINITE) throw new TypeError('a piece is of another kind than the whole');
      pieces.push(take(argument(head & 31)));
    }
    return Buffer.concat(pieces);
  }

  function isBreak(): boolean {
    if (view.getUint8(at) !== BREAK) return false;
    at++;
    return true;
  }

  /** Each member is a byte at least: what says that it has more than are left is refused before room is made for it. */
  function* members(low: number): Generator<void> {
    if (low === INDEFINITE) {
      while (!isBreak()) yield;
      return;
    }
    const count = argument(low);
    if (count > bytes.length - at) throw new RangeError('a list is longer than what is there');
    for (let index = 0; index < count; index++) yield;
  }

  function map(low: number, depth: number): Cbor {
    const out = Object.create(null) as { [key: string]: Cbor };
    for (const _ of members(low)) {
      const key = value(depth);
      if (typeof key !== 'string') throw new TypeError('a map has a key that is no text');
      out[key] = value(depth);
    }
    return out;
  }

  function simple(low: number): Cbor {
    if (low === 20 || low === 21) return low === 21;
    if (low === 22 || low === 23) return null;
    if (low < 25 || low > 27) throw new TypeError(`the simple value ${low} has no meaning here`);
    const size = 1 << (low - 24);
    at += size;
    if (size === 2) return halfFloat(view.getUint16(at - 2));
    return size === 4 ? view.getFloat32(at - 4) : view.getFloat64(at - 8);
  }

  function tagged(low: number, depth: number): Cbor {
    const tag = argument(low);
    const content = value(depth);
    if (tag !== TIME) return content;
    const time = typeof content === 'number' ? new Date(Math.round(content * 1000)) : undefined;
    if (time === undefined || Number.isNaN(time.getTime())) throw new TypeError('a time is no number of seconds');
    return time;
  }

  function value(depth: number): Cbor {
    if (depth > DEEPEST) throw new RangeError(`it is deeper than ${DEEPEST}`);
    const head = view.getUint8(at++);
    const [major, low] = [head >> 5, head & 31];
    if (major === 0) return argument(low);
    if (major === 1) return -1 - argument(low);
    if (major === 2) return chunk(major, low);
    if (major === 3) return Buffer.from(chunk(major, low)).toString('utf8');
    if (major === 4) return Array.from(members(low), () => value(depth + 1));
    if (major === 5) return map(low, depth + 1);
    return major === 6 ? tagged(low, depth + 1) : simple(low);
  }

  return { value, isAtEnd: () => at === bytes.length };
}

/** IEEE 754's of 16 bits, which DataView of older engines lacks. */
function halfFloat(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 === 0 ? 1 : -1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

export type CborWriter = {
  map(size: number): void;
  list(size: number): void;
  text(value: string): void;
  bytes(value: Uint8Array): void;
  boolean(value: boolean): void;
  integer(value: number): void;
  double(value: number): void;
  time(value: Date): void;
  nothing(): void;
  /** All that was written. */
  end(): Buffer;
};

export function createCborWriter(): CborWriter {
  let out = Buffer.allocUnsafe(1024);
  let at = 0;
  const room = (size: number) => {
    if (at + size <= out.length) return;
    const larger = Buffer.allocUnsafe(Math.max(out.length * 2, at + size));
    out.copy(larger, 0, 0, at);
    out = larger;
  };
  const head = (major: number, argument: number) => {
    room(9);
    const kind = major << 5;
    if (argument < 24) at = out.writeUInt8(kind | argument, at);
    else if (argument < 2 ** 8) at = out.writeUInt8(argument, out.writeUInt8(kind | 24, at));
    else if (argument < 2 ** 16) at = out.writeUInt16BE(argument, out.writeUInt8(kind | 25, at));
    else if (argument < 2 ** 32) at = out.writeUInt32BE(argument, out.writeUInt8(kind | 26, at));
    else at = out.writeBigUInt64BE(BigInt(argument), out.writeUInt8(kind | 27, at));
  };
  const double = (value: number) => {
    room(9);
    at = out.writeDoubleBE(value, out.writeUInt8(0xfb, at));
  };
  const bytes = (major: number, value: Uint8Array) => {
    head(major, value.length);
    room(value.length);
    out.set(value, at);
    at += value.length;
  };
  return {
    map: (size) => head(5, size),
    list: (size) => head(4, size),
    text: (value) => bytes(3, Buffer.from(value, 'utf8')),
    bytes: (value) => bytes(2, value),
    boolean: (value) => head(7, value ? 21 : 20),
    integer: (value) => (value < 0 ? head(1, -1 - value) : head(0, value)),
    double,
    time(value) {
      head(6, TIME);
      double(value.getTime() / 1000);
    },
    nothing: () => head(7, 22),
    end: () => out.subarray(0, at),
  };
}
