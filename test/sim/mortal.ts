/**
 * Parts that die with the process that holds them: after its death nothing of it runs any more, whatever it was in the middle of. What
 * it had committed stays; what it had under way never comes back to it.
 */
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import type { Random } from '#base/random.ts';
import type { LinkDialer, HostConnection } from '#link/types.ts';
import type { Store } from '#store/types.ts';

export type Life = {
  dead(): boolean;
  die(): void;
  /** A place where the process may be killed: with the chance that was given for it. Never returns from death. */
  step(): Promise<void>;
};

const never = () => new Promise<never>(() => {});

/** `chance` is asked at every step; `onDeath` runs once. */
export function createLife(random: Random, chance: () => number, onDeath: () => void): Life {
  let dead = false;
  const die = () => {
    if (dead) return;
    dead = true;
    onDeath();
  };
  return {
    dead: () => dead,
    die,
    async step() {
      if (!dead && random.fraction() < chance()) die();
      if (dead) await never();
    },
  };
}

export function mortalClock(clock: Clock, life: Life): Clock {
  return {
    now: clock.now,
    after: (delayMs, fn) => clock.after(delayMs, () => life.dead() || fn()),
    async sleep(delayMs) {
      await clock.sleep(delayMs);
      await life.step();
    },
  };
}

/** Killed before a transaction, in the middle of it (nothing is kept) or after its commit (all is kept, and nobody was told). */
export function mortalStore(store: Store, life: Life): Store {
  return {
    async read(fn) {
      await life.step();
      const value = await store.read(fn);
      await life.step();
      return value;
    },
    async write(fn) {
      await life.step();
      try {
        const value = await store.write(async (tx) => {
          const done = await fn(tx);
          if (life.dead()) throw new Fault('Cancelled', 'killed before the commit');
          return done;
        });
        await life.step();
        return value;
      } catch (error) {
        await life.step();
        throw error;
      }
    },
    onChange: (tables, fn) => store.onChange(tables, () => life.dead() || fn()),
    close: async () => {},
  };
}

/** Wraps each function of an object of asynchronous functions. */
export function mortal<T extends object>(part: T, life: Life): T {
  const wrapped = Object.entries(part).map(([name, fn]: [string, (...args: unknown[]) => unknown]) => [
    name,
    async (...args: unknown[]) => {
      await life.step();
      const value = await fn(...args);
      await life.step();
      return value;
    },
  ]);
  return Object.fromEntries(wrapped) as T;
}

/** Its connections break with the process. */
export function mortalDialer(dialer: LinkDialer, life: Life): LinkDialer & { cut(): void } {
  const open = new Set<HostConnection>();
  return {
    async dial() {
      const connection = await dialer.dial();
      if (life.dead()) {
        connection.close('the process was killed');
        await never();
      }
      open.add(connection);
      connection.onClose(() => open.delete(connection));
      return connection;
    },
    cut() {
      for (const connection of open) connection.close('the process was killed');
    },
  };
}
