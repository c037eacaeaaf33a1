/** LZ4's "legacy" frames, in which Linux kernels are packed (lz4 -l): a magic number, then blocks of up to 8 MiB. */
import { Fault } from '#base/fault.ts';

const MAGIC = 0x184c2102;
const MIN_MATCH = 4;

/** Throws Internal when the data is damaged or unpacks to something else than `size` bytes. */
export function unpackLz4Legacy(data: Buffer, size: number): Buffer {
  if (data.length < 4 || data.readUInt32LE(0) !== MAGIC) throw damaged('it has no LZ4 frame');
  const out = Buffer.alloc(size);
  let [at, end] = [4, 0];
  while (end < size) {
    if (at + 4 > data.length) throw damaged('it ends too early');
    const length = data.readUInt32LE(at);
    at += 4;
    if (length > data.length - at) throw damaged('a block is longer than the data');
    end = unpackBlock(data.subarray(at, at + length), out, end);
    at += length;
  }
  return out;
}

/**
 * One block, whose matches reach back no further than its own beginning; answers where its output ends. No counter is shared
 * with an inner function: so written, it once (in some fifty cold runs) put out one byte too many, which the input doesn't explain.
 */
function unpackBlock(block: Buffer, out: Buffer, start: number): number {
  let at = 0;
  let to = start;
  while (at < block.length) {
    const token = block[at] ?? 0;
    at += 1;
    const [literals, first] = lengthAt(block, at, token >> 4);
    at = first;
    if (literals > block.length - at || literals > out.length - to) throw damaged('literals run over the end');
    block.copy(out, to, at, at + literals);
    at += literals;
    to += literals;
    if (at >= block.length) break;
    const distance = (block[at] ?? 0) | ((block[at + 1] ?? 0) << 8);
    const [more, next] = lengthAt(block, at + 2, token & 15);
    at = next;
    const match = more + MIN_MATCH;
    const from = to - distance;
    if (distance === 0 || from < start || match > out.length - to) throw damaged('a match leads nowhere');
    if (distance >= match) out.copy(out, to, from, from + match);
    else for (let i = 0; i < match; i++) out[to + i] = out[from + i] ?? 0;
    to += match;
  }
  return to;
}

/** A length of which the token said `begun`, and where what follows it begins. */
function lengthAt(block: Buffer, at: number, begun: number): [number, number] {
  let length = begun;
  let next = at;
  for (let more = begun < 15 ? 0 : 255; more === 255; next += 1) {
    const byte = block[next];
    if (byte === undefined) throw damaged('a length is cut off');
    more = byte;
    length += byte;
  }
  return [length, next];
}

function damaged(why: string): Fault {
  return new Fault('Internal', `the packed kernel is damaged: ${why}`);
}
