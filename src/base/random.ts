/** Randomness as an argument: real bytes in production, a seeded stream in simulations. */
import { randomBytes } from 'node:crypto';

export type Random = {
  bytes(count: number): Uint8Array;
  /** A number in [0, 1). */
  fraction(): number;
};

export function realRandom(): Random {
  return {
    bytes: (count) => randomBytes(count),
    fraction: () => randomBytes(4).readUInt32BE(0) / 2 ** 32,
  };
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
