/** What a machine is, and what of it is free. */
import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism, hostname, loadavg, machine } from 'node:os';
import { Fault } from '#base/fault.ts';
import type { HostInfo, HostUsage } from '#domain/records.ts';

const MIN_RESERVE_BYTES = 256 * 1024 * 1024;
const RESERVE_SHARE = 0.05;
const MAX_DISK_FLOOR_BYTES = 2 * 1024 ** 3;
const DISK_FLOOR_SHARE = 0.05;

export type HostInfoInput = {
  isolation: HostInfo['isolation'];
  taskDisks?: HostInfo['taskDisks'];
  strictCapacity: boolean;
  zone?: string | null;
  /** IPv4 ranges that the machine uses now (network/machine.ts). */
  occupiedCidrs: string[];
  /** On the file system that the tasks use. */
  dir: string;
  /** Six hex digits: the instance's own order of ranges follows from it. */
  instance: string;
};

export async function readHostInfo(input: HostInfoInput): Promise<HostInfo> {
  const [meminfo, disk] = await Promise.all([readFile('/proc/meminfo', 'utf8'), statfs(input.dir)]);
  const memoryBytes = memoryOf(meminfo, 'MemTotal');
  return {
    hostname: hostname(),
    arch: archOf(machine()),
    cpuMillis: availableParallelism() * 1000,
    memoryBytes,
    reserveBytes: reserveOf(memoryBytes),
    isolation: input.isolation,
    diskFloorBytes: diskFloorOf(disk.blocks * disk.bsize),
    taskDisks: input.taskDisks,
    strictCapacity: input.strictCapacity,
    zone: input.zone ?? null,
    occupiedCidrs: input.occupiedCidrs,
    cidrSeed: parseInt(input.instance, 16),
  };
}

/** `dir`: a directory on the file system that the tasks use. */
export async function readHostUsage(dir: string): Promise<Omit<HostUsage, 'tasks' | 'sandboxes'>> {
  const [meminfo, freeDiskBytes] = await Promise.all([readFile('/proc/meminfo', 'utf8'), readFreeDisk(dir)]);
  return {
    freeMemoryBytes: memoryOf(meminfo, 'MemAvailable'),
    freeDiskBytes,
    loadPercent: Math.round(((loadavg()[0] ?? 0) / availableParallelism()) * 100),
  };
}

export async function readFreeDisk(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}

/** What tasks never get: 256 MiB, or a twentieth of a large machine. */
export function reserveOf(memoryBytes: number): number {
  return Math.max(MIN_RESERVE_BYTES, Math.floor(memoryBytes * RESERVE_SHARE));
}

/** What of a disk is to stay free: a twentieth, but no more than 2 GiB. */
export function diskFloorOf(totalBytes: number): number {
  return Math.min(MAX_DISK_FLOOR_BYTES, Math.floor(totalBytes * DISK_FLOOR_SHARE));
}

/** One line of /proc/meminfo, in bytes. */
export function memoryOf(meminfo: string, name: 'MemTotal' | 'MemAvailable'): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo);
  if (found?.[1] === undefined) throw new Fault('Internal', `/proc/meminfo has no line ${name}`);
  return Number(found[1]) * 1024;
}

function archOf(name: string): 'amd64' | 'arm64' {
  if (name === 'x86_64') return 'amd64';
  if (name === 'aarch64' || name === 'arm64') return 'arm64';
  throw new Fault('Unsupported', `berth runs on x86_64 and aarch64 machines, and this one is ${name}`);
}
