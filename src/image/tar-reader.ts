/**
 * Streams a tar archive (POSIX.1-2001 pax, ustar, GNU long names and base-256 sizes) without keeping it in memory. It only reads image
 * archives, whose names are keys and never paths; layers are unpacked by the kernel worker.
 */
import { Fault } from '#base/fault.ts';

export type TarEntry = {
  name: string;
  type: 'file' | 'directory' | 'link' | 'symlink' | 'other';
  linkName: string;
  size: number;
};

/** Gets each entry with its content; what of the content is not read is skipped. Stops early when it returns false. */
export type TarVisitor = (entry: TarEntry, content: AsyncIterable<Buffer>) => Promise<boolean | void>;

const BLOCK = 512;
const LONG_NAME_BYTES_MAX = 1024 * 1024;
const types: Record<string, TarEntry['type']> = { '0': 'file', '\0': 'file', '7': 'file', '1': 'link', '2': 'symlink', '5': 'directory' };

/** Throws InvalidParameter when the stream is no tar archive or ends in the middle. */
export async function readTar(source: AsyncIterable<Buffer>, visit: TarVisitor): Promise<void> {
  const input = createInput(source);
  try {
    await readEntries(input, visit);
  } finally {
    await input.close();
  }
}

async function readEntries(input: Input, visit: TarVisitor): Promise<void> {
  let long: { name?: string; linkName?: string; size?: number } = {};
  for (;;) {
    const block = await input.take(BLOCK);
    if (block === null || block.every((byte) => byte === 0)) return;
    const header = parseHeader(block, input.position() - BLOCK);
    if ('xgLK'.includes(header.flag)) {
      const body = await input.take(padded(header.size, LONG_NAME_BYTES_MAX));
      if (body === null) throw cut();
      long = { ...long, ...readLong(header.flag, body.subarray(0, header.size)) };
      continue;
    }
    const entry: TarEntry = {
      name: long.name ?? header.name,
      type: types[header.flag] ?? 'other',
      linkName: long.linkName ?? header.linkName,
      size: long.size ?? header.size,
    };
    long = {};
    const content = input.body(entry.size);
    const goOn = await visit(entry, content);
    if (goOn === false) return;
    for await (const _ of content);
    if ((await input.take(padded(entry.size) - entry.size)) === null) throw cut();
  }
}

function padded(size: number, max = Number.MAX_SAFE_INTEGER): number {
  if (size > max) throw new Fault('InvalidParameter', `the archive has a name of ${size} bytes`, { details: { kind: 'archive' } });
  return Math.ceil(size / BLOCK) * BLOCK;
}

function cut(): Fault {
  return new Fault('InvalidParameter', 'the archive ends in the middle: it was cut', { details: { kind: 'archive' } });
}

type Header = { name: string; linkName: string; size: number; flag: string };

function parseHeader(block: Buffer, at: number): Header {
  const stored = parseNumber(block.subarray(148, 156));
  const sum = block.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
  if (stored !== sum) throw new Fault('InvalidParameter', `not a tar archive: bad header at byte ${at}`, { details: { kind: 'archive' } });
  const ustar = block.toString('latin1', 257, 262) === 'ustar';
  const prefix = ustar && block[262] === 0 ? cString(block.subarray(345, 500)) : '';
  const name = cString(block.subarray(0, 100));
  const size = parseNumber(block.subarray(124, 136));
  const flag = String.fromCharCode(block[156] ?? 0);
  if (!Number.isSafeInteger(size) || size < 0)
    throw new Fault('InvalidParameter', `the archive has an entry of ${size} bytes at byte ${at}`);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: cString(block.subarray(157, 257)),
    size: '12345'.includes(flag) ? 0 : size,
    flag,
  };
}

function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

/** Octal text, or base-256 when the first bit is set (GNU). */
function parseNumber(bytes: Buffer): number {
  const first = bytes[0] ?? 0;
  if ((first & 0x80) === 0) {
    const text = cString(bytes).trim();
    return text === '' ? 0 : /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
  }
  return bytes.subarray(1).reduce((value, byte) => value * 256 + byte, first & 0x7f);
}

/** Pax records (`LENGTH KEY=VALUE\n`), or GNU's long names. Global pax headers carry nothing that is needed here. */
function readLong(flag: string, body: Buffer): { name?: string; linkName?: string; size?: number } {
  if (flag === 'L') return { name: cString(body) };
  if (flag === 'K') return { linkName: cString(body) };
  if (flag === 'g') return {};
  const found: { name?: string; linkName?: string; size?: number } = {};
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(32, at);
    const length = Number(body.toString('latin1', at, space));
    if (space < 0 || !Number.isSafeInteger(length) || length < 5 || at + length > body.length) break;
    const record = body.toString('utf8', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    const value = record.slice(equals + 1);
    const key = record.slice(0, equals);
    if (key === 'path') found.name = value;
    if (key === 'linkpath') found.linkName = value;
    if (key === 'size' && /^\d{1,15}$/.test(value)) found.size = Number(value);
    at += length;
  }
  return found;
}

type Input = {
  take(bytes: number): Promise<Buffer | null>;
  body(bytes: number): AsyncIterable<Buffer>;
  position(): number;
  close(): Promise<unknown>;
};

function createInput(source: AsyncIterable<Buffer>): Input {
  const iterator = source[Symbol.asyncIterator]();
  let rest = Buffer.alloc(0) as Buffer;
  let position = 0;
  const more = async (): Promise<boolean> => {
    const next = await iterator.next();
    if (next.done === true) return false;
    rest = next.value;
    return true;
  };
  return {
    position: () => position,
    /** Lets go of the source when it was not read to its end. */
    close: async () => iterator.return?.(),
    /** null at the end of the stream; throws when it ends within. */
    async take(bytes) {
      const parts: Buffer[] = [];
      let missing = bytes;
      while (missing > 0) {
        if (rest.length === 0 && !(await more())) {
          if (missing === bytes) return null;
          throw cut();
        }
        const part = rest.subarray(0, missing);
        rest = rest.subarray(part.length);
        missing -= part.length;
        position += part.length;
        parts.push(part);
      }
      return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
    },
    /** One iterator however often it is asked for: the rest is skipped from where a reader stopped. */
    body(bytes) {
      let missing = bytes;
      const iterable: AsyncIterableIterator<Buffer> = {
        [Symbol.asyncIterator]: () => iterable,
        async next() {
          while (missing > 0 && rest.length === 0) if (!(await more())) throw cut();
          if (missing === 0) return { done: true, value: undefined };
          const part = rest.subarray(0, missing);
          rest = rest.subarray(part.length);
          missing -= part.length;
          position += part.length;
          return { done: false, value: part };
        },
      };
      return iterable;
    },
  };
}
