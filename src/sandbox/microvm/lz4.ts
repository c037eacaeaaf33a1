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

/** One block, whose matches reach back no further than its own beginning; answers where its output ends. */
function unpackBlock(block: Buffer, out: Buffer, start: number): number {
  let [at, to] = [0, start];
  const extended = (length: number): number => {
    if (length < 15) return length;
    for (;;) {
      const more = block[at++];
      if (more === undefined) throw damaged('a length is cut off');
      length += more;
      if (more < 255) return length;
    }
  };
  while (at < block.length) {
    const token = block[at++] ?? 0;
    const literals = extended(token >> 4);
    if (literals > block.length - at || literals > out.length - to) throw damaged('literals run over the end');
    block.copy(out, to, at, at + literals);
    at += literals;
    to += literals;
    if (at >= block.length) break;
    const distance = (block[at] ?? 0) | ((block[at + 1] ?? 0) << 8);
    at += 2;
    const match = extended(token & 15) + MIN_MATCH;
    const from = to - distance;
    if (distance === 0 || from < start || match > out.length - to) throw damaged('a match leads nowhere');
    if (distance >= match) out.copy(out, to, from, from + match);
    else for (let i = 0; i < match; i++) out[to + i] = out[from + i] ?? 0;
    to += match;
  }
  return to;
}

function damaged(why: string): Fault {
  return new Fault('Internal', `the packed kernel is damaged: ${why}`);
}
