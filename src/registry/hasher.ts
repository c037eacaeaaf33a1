/**
 * Digests of files that grow, in a thread of their own: the event loop only receives and writes. The thread is there while there are such files.
 */
import { Worker } from 'node:worker_threads';
import { Fault } from '#base/fault.ts';
import type { HashAnswer, HashOrder } from './hash-thread.ts';

export type Hasher = {
  /** The file has `to` bytes now: they may be hashed ahead. A failure shows in `digest`. */
  advance(path: string, to: number): void;
  /** Hex, of the first `to` bytes; `to` never shrinks. Throws Fault Internal when they can't be read. */
  digest(path: string, to: number, algorithm: 'sha256' | 'sha512'): Promise<string>;
  forget(path: string): void;
};

type Waiting = { resolve(digest: string): void; reject(fault: Fault): void };

export function createHasher(): Hasher {
  let thread: Worker | null = null;
  const paths = new Set<string>();
  let calls = 0;
  const waiting = new Map<number, Waiting>();

  const lost = (which: Worker, why: string): void => {
    if (thread !== which) return;
    thread = null;
    for (const one of waiting.values()) one.reject(new Fault('Internal', `the thread that hashes uploads ended: ${why}`));
    waiting.clear();
  };

  const begin = (): Worker => {
    const made = new Worker(new URL('./hash-thread.ts', import.meta.url));
    made.on('message', ({ call, digest, error }: HashAnswer) => {
      const one = waiting.get(call);
      waiting.delete(call);
      if (digest !== null) one?.resolve(digest);
      else one?.reject(new Fault('Internal', `what was uploaded could not be read: ${error ?? 'nothing was asked'}`));
    });
    made.on('error', (error) => lost(made, error instanceof Error ? error.message : String(error)));
    made.on('exit', (code) => lost(made, `exit code ${code}`));
    // Behind the listeners: one for messages takes hold of the process again.
    made.unref();
    return made;
  };

  const post = (order: Extract<HashOrder, { call: number }>): void => {
    paths.add(order.path);
    thread ??= begin();
    thread.postMessage(order);
  };

  return {
    advance: (path, to) => post({ call: ++calls, path, to, algorithm: null }),
    async digest(path, to, algorithm) {
      const call = ++calls;
      const answer = new Promise<string>((resolve, reject) => waiting.set(call, { resolve, reject }));
      post({ call, path, to, algorithm });
      // A process that has nothing else to do waits for it.
      thread?.ref();
      try {
        return await answer;
      } finally {
        if (waiting.size === 0) thread?.unref();
      }
    },
    forget(path) {
      if (!paths.delete(path)) return;
      const last = paths.size === 0;
      thread?.postMessage({ forget: path, last } satisfies HashOrder);
      // It ends by itself; who comes next gets another one.
      if (last) thread = null;
    },
  };
}
