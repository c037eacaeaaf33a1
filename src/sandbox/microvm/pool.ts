/**
 * Machines that were restored ahead and wait for a task: for each shape that was lately asked for, a few. Taking one makes it start another,
 * some time later, so that the task that took it has the processors for its own start.
 */
import { readFileSync } from 'node:fs';
import type { Clock, Timer } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Machine, Machines } from './machine.ts';
import { shapeName } from './shape.ts';
import type { Shape } from './shape.ts';
import type { Templates } from './templates.ts';

export type Pool = {
  /** A machine of the pool, or null when none is ready; either way the shape counts as asked for. */
  take(shape: Shape): Machine | null;
  /** As `take`, without taking one. */
  want(shape: Shape): void;
  status(): { ready: number; memoryBytes: number };
  /** Ends all that wait. */
  close(): Promise<void>;
};

export type PoolDeps = {
  machines: Machines;
  templates: Templates;
  clock: Clock;
  log: Log;
  /** Brings a machine's own caches up before it is put by; may fail, which costs only time later. */
  warm(machine: Machine): Promise<void>;
};

type Line = { shape: Shape; ready: Machine[]; making: number; wantedUntil: number };

export function createPool(deps: PoolDeps): Pool {
  const { machines, templates, clock, log } = deps;
  const lines = new Map<string, Line>();
  let timer: Timer | undefined;
  let closed = false;

  const lineOf = (shape: Shape): Line => {
    const name = shapeName(shape);
    const line = lines.get(name) ?? { shape, ready: [], making: 0, wantedUntil: 0 };
    lines.set(name, line);
    line.wantedUntil = clock.now() + limits.poolKeepMs;
    return line;
  };

  const total = () => [...lines.values()].reduce((sum, line) => sum + line.ready.length + line.making, 0);

  const discard = async (machine: Machine): Promise<void> => {
    machine.link.close();
    machine.monitor.close();
    await machines.remove(machine).catch((error: unknown) => log.error('pool.leak', { vmId: machine.vmId }, error));
  };

  const add = async (line: Line): Promise<void> => {
    line.making++;
    try {
      const machine = await templates.restore(line.shape);
      await deps.warm(machine).catch((error: unknown) => log.info('pool.cold', { vmId: machine.vmId, reason: asFault(error).message }));
      if (closed || !machine.link.alive()) return await discard(machine);
      line.ready.push(machine);
    } catch (error) {
      log.warn('pool.refill', { shape: shapeName(line.shape), reason: asFault(error).message });
    } finally {
      line.making--;
    }
  };

  let inMaking: Promise<void> | undefined;
  /** One machine at a time: who waits for a start needs the processors more. */
  const refill = async (): Promise<void> => {
    const now = clock.now();
    for (const [name, line] of lines) {
      if (line.wantedUntil > now) continue;
      line.ready.forEach((one) => void discard(one));
      lines.delete(name);
    }
    for (const line of lines.values()) {
      while (!closed && line.ready.length + line.making < limits.poolPerShape && total() < limits.poolMachines) {
        const before = line.ready.length;
        inMaking = add(line);
        await inMaking;
        if (line.ready.length === before) return schedule(limits.poolRetryMs);
      }
    }
    if (lines.size > 0) schedule(limits.poolLookMs);
  };

  let busy = false;
  let dueAt = 0;
  /** The sooner of two wishes counts: a look now and then must not put off what was just asked for. */
  const schedule = (afterMs: number): void => {
    const at = clock.now() + afterMs;
    if (closed || (timer !== undefined && dueAt <= at)) return;
    timer?.cancel();
    dueAt = at;
    timer = clock.after(afterMs, () => {
      timer = undefined;
      if (busy) return schedule(limits.poolRefillMs);
      busy = true;
      void refill().finally(() => void (busy = false));
    });
  };

  return {
    take(shape) {
      const line = lineOf(shape);
      // One that ended while it waited is no use to anybody.
      line.ready.filter((one) => !one.link.alive()).forEach((one) => void discard(one));
      line.ready = line.ready.filter((one) => one.link.alive());
      const machine = line.ready.shift() ?? null;
      schedule(limits.poolRefillMs);
      return machine;
    },
    want(shape) {
      lineOf(shape);
      schedule(0);
    },
    status() {
      const waiting = [...lines.values()].flatMap((line) => line.ready);
      return { ready: waiting.length, memoryBytes: waiting.reduce((sum, machine) => sum + ownBytes(machine.qemuPid), 0) };
    },
    async close() {
      closed = true;
      timer?.cancel();
      const waiting = [...lines.values()].flatMap((line) => line.ready.splice(0));
      for (const machine of waiting) {
        machine.link.close();
        machine.monitor.close();
      }
      await Promise.all(waiting.map((machine) => machines.remove(machine)));
      // The one that is being made is removed as soon as it is there.
      await inMaking;
    },
  };
}

/** What a process has for itself: of a machine's RAM only the pages that it changed. */
function ownBytes(pid: number): number {
  try {
    const anonymous = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(anonymous ?? 0) * 1024;
  } catch {
    return 0; // it just ended
  }
}
