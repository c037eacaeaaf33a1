/** Randomness as an argument: real bytes in production, a seeded stream in simulations. */
import { randomBytes, randomFillSync } from 'node:crypto';

export type Random = {
  bytes(count: number): Uint8Array;
  /** A number in [0, 1). */
  fraction(): number;
};

/** A call into the system's generator costs as much for 16 bytes as for some thousand; a task takes a few dozen ids. */
const POOL_BYTES = 4096;

export function realRandom(): Random {
  const pool = Buffer.alloc(POOL_BYTES);
  let left = 0;
  const bytes = (count: number): Buffer => {
    if (count > POOL_BYTES / 8) return randomBytes(count);
    if (count > left) {
      randomFillSync(pool);
      left = POOL_BYTES;
    }
    const given = Buffer.from(pool.subarray(left - count, left));
    // What was given stands nowhere but with whom it was given to: it may become a key.
    pool.fill(0, left - count, left);
    left -= count;
    return given;
  };
  return { bytes, fraction: () => bytes(4).readUInt32BE(0) / 2 ** 32 };
}

/** mulberry32: small, fast, and good enough to drive a simulation. Never for keys. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return { fraction: next, bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(next() * 256)) };
}
