/** A bounded number of things at the same time; the rest wait in line. */
import { Fault } from '#base/fault.ts';

export type Slots = {
  /** Runs `fn` once a slot is free. Throws Cancelled when `signal` aborts while it still waits. */
  with<T>(signal: AbortSignal, fn: () => Promise<T>): Promise<T>;
};

export function createSlots(count: number): Slots {
  let free = count;
  const line: (() => void)[] = [];
  const take = (signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      if (signal.aborted) return reject(cancelled());
      if (free > 0) {
        free--;
        return resolve();
      }
      const go = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        line.splice(line.indexOf(go), 1);
        reject(cancelled());
      };
      signal.addEventListener('abort', leave, { once: true });
      line.push(go);
    });
  const give = () => {
    const next = line.shift();
    if (next === undefined) free++;
    else next();
  };
  return {
    async with(signal, fn) {
      await take(signal);
      try {
        return await fn();
      } finally {
        give();
      }
    },
  };
}

function cancelled(): Fault {
  return new Fault('Cancelled', 'it was cancelled while it waited in line');
}
