/**
 * Admission: does one more task fit, and where. A host normally admits by what is really used: its free memory less its reserve, less
 * what tasks placed a moment ago will still take; CPU is shared. A host with `strictCapacity` counts what was asked for instead.
 * Disks of tasks are sparse: they may be larger together than the host's, which takes no more tasks once little of it is free.
 */
import { isolationOn } from './isolation.ts';
import type { HostRecord } from './records.ts';
import type { IsolationKind, IsolationWish } from './task-spec.ts';

/** AWS's text for Fargate ("API failure reasons", ECS developer guide). */
export const CAPACITY_UNAVAILABLE = 'Capacity is unavailable at this time. Please try again later or in a different availability zone';

/** What a live task asks for, and since when its host has it; `hostId` is null until it is placed. */
export type LiveTask = { hostId: string | null; cpuMillis: number; memoryBytes: number; placedAt?: number | null };
/** A TaskSpec is one. Without `platform` any host's architecture will do. */
export type TaskSize = { cpuMillis: number; memoryBytes: number; platform?: { arch: 'amd64' | 'arm64' } };

export type Pick = { hostId: string; isolation: IsolationKind };
/** `no-host`: none is connected; `isolation`: none runs this kind (on this architecture); `volume`: the one that has its volumes isn't connected; `zone`: none that would do stands there; else what the best host lacks. */
export type Unavailable = { unavailable: 'memory' | 'cpu' | 'disk' | 'zone' | 'isolation' | 'no-host' | 'volume' };

/** The rooms of all hosts, for placing several tasks in a row: `take` counts what was picked. */
export type Capacity = {
  /** `only`: the one host that will do; null: any. `zone`: of the task's subnet; without it any host's will do. */
  pick(size: TaskSize, isolation: IsolationWish, only?: string | null, zone?: string): Pick | Unavailable;
  take(hostId: string, size: TaskSize): void;
};

/**
 * Whether tasks of a zone's subnets may run on the host: where it names a zone, it stands in that one alone of its region. In a region that it names no
 * zone of, it takes all.
 */
export function servesZone({ info }: HostRecord, zone: string): boolean {
  const own = info.zone ?? null;
  return own === null || own === zone || own.slice(0, -1) !== zone.slice(0, -1);
}

/** What changes when a zone gets its first host or loses its last; empty while there is a host for every zone. */
export function servedZones(hosts: readonly HostRecord[]): string {
  const zones = hosts.flatMap(({ status, info }) => (status === 'CONNECTED' ? [info.zone ?? null] : []));
  return zones.includes(null) ? '' : [...new Set(zones)].toSorted().join();
}

/** Those in whose zone a host stands; all of them where there is none. */
export function withHosts<T extends { zone: string }>(subnets: readonly T[], hosts: readonly HostRecord[]): readonly T[] {
  const connected = hosts.filter(({ status }) => status === 'CONNECTED');
  const served = subnets.filter(({ zone }) => connected.some((host) => servesZone(host, zone)));
  return served.length === 0 ? subnets : served;
}

/** How long after its placement a task's memory may not show in its host's free memory yet. */
const STARTING_MS = 10_000;
const MIB = 1024 ** 2;

/**
 * What a task will soon take that the host's free memory doesn't show yet. Most tasks use a small part of what they ask for, and the
 * next heartbeat tells the truth; so this only keeps a burst of starts from being admitted on one stale figure.
 */
export function startingBytes(size: TaskSize): number {
  return Math.min(size.memoryBytes, Math.max(16 * MIB, size.memoryBytes / 32));
}

type Room = { host: HostRecord; memoryBytes: number; cpuMillis: number };

export function createCapacity(hosts: HostRecord[], tasks: LiveTask[], now: number): Capacity {
  const connected = hosts.filter((host) => host.status === 'CONNECTED');
  const rooms = new Map(connected.map((host) => [host.key.hostId, emptyRoom(host)]));
  for (const task of tasks) {
    // A task without a host yet will go to one of them: each bears its part.
    if (task.hostId === null) for (const room of rooms.values()) subtract(room, task, 1 / rooms.size);
    else {
      const room = rooms.get(task.hostId);
      const shows = task.placedAt !== undefined && task.placedAt !== null && now - task.placedAt >= STARTING_MS;
      if (room !== undefined && (room.host.info.strictCapacity || !shows)) subtract(room, task, 1);
    }
  }
  return {
    pick(size, isolation, only = null, zone) {
      const arch = size.platform?.arch;
      if (only !== null && rooms.size > 0 && !rooms.has(only)) return { unavailable: 'volume' };
      const running = [...rooms.values()]
        .filter(({ host }) => only === null || host.key.hostId === only)
        .filter(({ host }) => isolationOn(host, isolation) !== undefined && (arch === undefined || arch === host.info.arch));
      if (running.length === 0) return { unavailable: rooms.size === 0 ? 'no-host' : 'isolation' };
      const able = running.filter(({ host }) => zone === undefined || servesZone(host, zone));
      if (able.length === 0) return { unavailable: 'zone' };
      const fitting = able.filter((room) => lack(room, size) === null);
      const best = fitting.reduce<Room | undefined>((a, b) => (a === undefined || b.memoryBytes > a.memoryBytes ? b : a), undefined);
      const kind = best === undefined ? undefined : isolationOn(best.host, isolation);
      if (best !== undefined && kind !== undefined) return { hostId: best.host.key.hostId, isolation: kind };
      const lacking = able.map((room) => lack(room, size));
      return { unavailable: (['cpu', 'memory'] as const).find((what) => lacking.includes(what)) ?? 'disk' };
    },
    take(hostId, size) {
      const room = rooms.get(hostId);
      if (room !== undefined) subtract(room, size, 1);
    },
  };
}

/** One pick on its own; see createCapacity for several in a row. */
export function pickHost(
  hosts: HostRecord[],
  tasks: LiveTask[],
  spec: TaskSize,
  isolation: IsolationWish,
  now: number,
): Pick | Unavailable {
  return createCapacity(hosts, tasks, now).pick(spec, isolation);
}

function emptyRoom(host: HostRecord): Room {
  const { info, usage } = host;
  const memory = info.strictCapacity ? info.memoryBytes : usage.freeMemoryBytes;
  return { host, memoryBytes: memory - info.reserveBytes, cpuMillis: info.cpuMillis };
}

function subtract(room: Room, size: TaskSize, part: number): void {
  const strict = room.host.info.strictCapacity;
  room.memoryBytes -= part * (strict ? size.memoryBytes : startingBytes(size));
  if (strict) room.cpuMillis -= part * size.cpuMillis;
}

function lack(room: Room, size: TaskSize): 'memory' | 'cpu' | 'disk' | null {
  const { info, usage } = room.host;
  if (usage.freeDiskBytes < (info.diskFloorBytes ?? 0)) return 'disk';
  if (size.memoryBytes > room.memoryBytes) return 'memory';
  return room.host.info.strictCapacity && size.cpuMillis > room.cpuMillis ? 'cpu' : null;
}
