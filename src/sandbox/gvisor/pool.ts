/**
 * Sandboxes that are started ahead of their tasks: a few, each in its own supervisor, which ends with the connection that this host agent
 * holds to it. So nothing is left of them when the agent dies, however it does.
 */
import { existsSync, readFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Timer } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Random } from '#base/random.ts';
import { checkFromPool } from '#supervisor/messages.ts';
import { connectFramed, parseJsonFrame } from '#supervisor/framed-socket.ts';
import type { FramedSocket } from '#supervisor/framed-socket.ts';
import type { SandboxPoolStatus } from '../driver.ts';
import { exists } from '../supervised.ts';
import type { SupervisedDeps } from '../supervised.ts';
import { runscBundle } from './bundle.ts';
import type { GvisorPaths } from './bundle.ts';

/** Where a sandbox's processes and its directory are. */
export type Place = { cgroup: string; room: string };

export type Pool = {
  status(): SandboxPoolStatus;
  /** Gives a waiting sandbox the task whose bundle `write` puts down for its place; false when there is none. What `write` throws is passed on. */
  take(write: (place: Place) => string): Promise<boolean>;
  /** Starts what is missing, in the background; from then on the pool fills itself up. */
  fill(): void;
  /** Starts one sandbox to see whether that works. Throws Fault with the reason. */
  prove(): Promise<void>;
  /** Clears away what a former agent's sandboxes left that were killed themselves. */
  sweep(): Promise<void>;
  close(): Promise<void>;
};

export type PoolDeps = SupervisedDeps & { random: Random };
export type PoolOptions = { instance: string; rooms: string; paths: GvisorPaths };

const PREFIX = 'pool-';
const CLOSE_MS = 5_000;
const LOOK_MS = 10;

type Member = { name: string; place: Place; socket: FramedSocket; memoryBytes: number; answered: (taken: boolean) => void };

export function createPool(deps: PoolDeps, options: PoolOptions): Pool {
  const { worker, clock, random, log } = deps;
  const ready: Member[] = [];
  /** Names of those that were started and neither taken nor cleaned up. */
  const mine = new Set<string>();
  let filling = false;
  /** Somebody wants it to stand ready. */
  let wanted = false;
  let proof: Timer | undefined;
  let pause: Timer | undefined;
  let closed = false;
  let failures = 0;

  const placeOf = (name: string): Place => ({ cgroup: `berth-${options.instance}/${name}`, room: join(options.rooms, name) });

  const clear = async (name: string) => {
    const place = placeOf(name);
    try {
      await worker.taskClean({ dir: place.room, cgroupPath: place.cgroup, routerNetns: null, routerIf: null });
      await rm(place.room, { recursive: true, force: true });
    } catch (error) {
      log.warn('gvisor.pool-clear', { name, reason: asFault(error).message });
    }
    mine.delete(name);
  };

  const startMember = async (): Promise<Member> => {
    const name = `${PREFIX}${hexId(random, 16)}`;
    const place = placeOf(name);
    mine.add(name);
    try {
      const socket = join(place.room, 'pool.sock');
      await worker.poolStart({
        dir: place.room,
        socket,
        cgroup: { path: place.cgroup, cpuMillis: null, cpuShares: null, memoryBytes: limits.gvisorPoolSandboxBytes, pids: limits.taskPids },
        runtime: runscBundle(options.paths, place.room),
      });
      return await untilReady(deps, { name, place, path: socket, gone });
    } catch (error) {
      await clear(name);
      throw error;
    }
  };

  /** One that waits for a task is no more. */
  const gone = (name: string) => {
    const at = ready.findIndex((member) => member.name === name);
    if (at < 0) return;
    ready.splice(at, 1);
    log.warn('gvisor.pool-lost', { name });
    void clear(name).then(() => again());
  };

  const again = () => {
    if (closed || filling || !wanted) return;
    filling = true;
    const backOff = Math.min(limits.gvisorPoolQuietMs * 2 ** failures, 60_000);
    pause = clock.after(backOff, () => void refill());
  };

  const refill = async () => {
    while (!closed && ready.length < limits.gvisorPoolSandboxes) {
      try {
        add(await startMember());
        failures = 0;
      } catch (error) {
        failures += 1;
        log.warn('gvisor.pool-start', { reason: asFault(error).message });
        break;
      }
    }
    filling = false;
    if (ready.length < limits.gvisorPoolSandboxes) again();
  };

  const add = (member: Member) => {
    if (closed) end(member);
    else ready.push(member);
  };

  /** It clears itself away; whether it did is seen to. */
  const end = (member: Member) => {
    member.socket.close();
    if (!closed) void clear(member.name);
  };

  return {
    status: () => ({
      kind: 'gvisor',
      ready: ready.length,
      memoryBytes: ready.reduce((sum, member) => sum + member.memoryBytes, 0),
      templates: 0,
    }),
    async take(write) {
      wanted = true;
      const member = ready.shift();
      again();
      if (member === undefined) return false;
      try {
        const bundle = write(member.place);
        const taken = await takeMember(deps, member, bundle);
        if (taken) mine.delete(member.name);
        else await clear(member.name);
        return taken;
      } catch (error) {
        add(member);
        throw error;
      }
    },
    fill() {
      wanted = true;
      again();
    },
    async prove() {
      add(await startMember());
      proof = clock.after(limits.gvisorPoolProofMs, () => {
        if (!wanted) for (const member of ready.splice(0)) end(member);
      });
    },
    async sweep() {
      const names = (await exists(options.rooms)) ? await readdir(options.rooms) : [];
      const left = names.filter((name) => name.startsWith(PREFIX) && !mine.has(name) && !belongsToTask(placeOf(name).room));
      await Promise.all(left.map(clear));
    },
    async close() {
      closed = true;
      proof?.cancel();
      pause?.cancel();
      for (const member of ready.splice(0)) end(member);
      const until = clock.now() + CLOSE_MS;
      while ([...mine].some((name) => existsSync(placeOf(name).room)) && clock.now() < until) await clock.sleep(LOOK_MS);
    },
  };
}

/** A task that took the sandbox cleans it up itself. */
function belongsToTask(room: string): boolean {
  try {
    return existsSync(readFileSync(join(room, 'taken'), 'utf8'));
  } catch {
    return false;
  }
}

/** Connects, and waits until the sandbox runs. Throws Unavailable or TimedOut. */
function untilReady(deps: PoolDeps, to: { name: string; place: Place; path: string; gone(name: string): void }): Promise<Member> {
  return new Promise((resolve, reject) => {
    let member: Member | undefined;
    let socket: FramedSocket | undefined;
    const fail = (fault: Fault) => {
      timer.cancel();
      socket?.close();
      reject(fault);
    };
    const timer = deps.clock.after(limits.gvisorPoolStartMs, () => fail(new Fault('TimedOut', 'a gVisor sandbox was not ready in time')));
    connectFramed(to.path, {
      frame(frame) {
        const message = checkFromPool(parseJsonFrame(frame.payload), 'a message of the pool');
        if (message.t === 'ready' && socket !== undefined) {
          timer.cancel();
          member = { name: to.name, place: to.place, socket, memoryBytes: message.memoryBytes, answered: () => {} };
          resolve(member);
        } else if (message.t === 'failed') {
          if (member === undefined) fail(new Fault('Unavailable', message.message));
          else member.answered(false);
        } else member?.answered(true);
      },
      closed(cause) {
        if (member === undefined) return fail(cause);
        member.answered(false);
        to.gone(to.name);
      },
    }).then((connected) => void (socket = connected), fail);
  });
}

function takeMember(deps: PoolDeps, member: Member, bundle: string): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (taken: boolean) => {
      timer.cancel();
      member.answered = () => {};
      member.socket.close();
      resolve(taken);
    };
    const timer = deps.clock.after(limits.gvisorPoolStartMs, () => settle(false));
    member.answered = settle;
    member.socket.send({ t: 'take', bundle });
  });
}
