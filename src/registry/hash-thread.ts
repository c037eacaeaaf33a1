/** The thread that hashes uploads (`hasher.ts`). It reads what was written, which the page cache still has, so that bytes needn't change hands. */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

/** `to`: hash up to this byte. `algorithm`: and tell the digest of all so far. `last`: there is nothing more, and the thread ends. */
export type HashOrder =
  { call: number; path: string; to: number; algorithm: 'sha256' | 'sha512' | null } | { forget: string; last: boolean };
export type HashAnswer = { call: number; digest: string | null; error: string | null };

const PIECE = 1024 * 1024;
const piece = Buffer.allocUnsafe(PIECE);
/** By path. */
const running = new Map<string, { hash: Hash; at: number }>();

/** Hashes from byte `at` to byte `to`. */
function read(path: string, hash: Hash, at: number, to: number): void {
  const file = openSync(path, 'r');
  try {
    for (let done = at; done < to;) {
      const bytes = readSync(file, piece, 0, Math.min(PIECE, to - done), done);
      if (bytes === 0) throw new Error(`${path} ends at byte ${done}, before ${to}`);
      hash.update(piece.subarray(0, bytes));
      done += bytes;
    }
  } finally {
    closeSync(file);
  }
}

function carryOut({ path, to, algorithm }: Extract<HashOrder, { call: number }>): string | null {
  if (algorithm === 'sha512') {
    const whole = createHash('sha512');
    read(path, whole, 0, to);
    return whole.digest('hex');
  }
  const known = running.get(path) ?? { hash: createHash('sha256'), at: 0 };
  // What failed halfway begins anew.
  running.delete(path);
  read(path, known.hash, known.at, to);
  running.set(path, { hash: known.hash, at: Math.max(known.at, to) });
  return algorithm === null ? null : known.hash.copy().digest('hex');
}

parentPort?.on('message', (order: HashOrder) => {
  if ('forget' in order) {
    running.delete(order.forget);
    if (order.last) parentPort?.close();
    return;
  }
  const answer: HashAnswer = { call: order.call, digest: null, error: null };
  try {
    answer.digest = carryOut(order);
  } catch (error) {
    answer.error = error instanceof Error ? error.message : String(error);
  }
  parentPort?.postMessage(answer);
});
