/** What a machine is, and what of it is free. */
import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism, hostname, loadavg, machine } from 'node:os';
import { Fault } from '#base/fault.ts';
import type { HostInfo, HostUsage } from '#domain/records.ts';

const MIN_RESERVE_BYTES = 256 * 1024 * 1024;
const RESERVE_SHARE = 0.05;

export type HostInfoInput = {
  isolation: HostInfo['isolation'];
  strictCapacity: boolean;
  /** IPv4 ranges that the machine uses now (network/machine.ts). */
  occupiedCidrs: string[];
  /** Six hex digits: the instance's own order of ranges follows from it. */
  instance: string;
};

export async function readHostInfo(input: HostInfoInput): Promise<HostInfo> {
  const memoryBytes = memoryOf(await readFile('/proc/meminfo', 'utf8'), 'MemTotal');
  return {
    hostname: hostname(),
    arch: archOf(machine()),
    cpuMillis: availableParallelism() * 1000,
    memoryBytes,
    reserveBytes: reserveOf(memoryBytes),
    isolation: input.isolation,
    strictCapacity: input.strictCapacity,
    occupiedCidrs: input.occupiedCidrs,
    cidrSeed: parseInt(input.instance, 16),
  };
}

/** `dir`: a directory on the file system that the tasks use. */
export async function readHostUsage(dir: string): Promise<Omit<HostUsage, 'tasks' | 'sandboxes'>> {
  const [meminfo, disk] = await Promise.all([readFile('/proc/meminfo', 'utf8'), statfs(dir)]);
  return {
    freeMemoryBytes: memoryOf(meminfo, 'MemAvailable'),
    freeDiskBytes: disk.bavail * disk.bsize,
    loadPercent: Math.round(((loadavg()[0] ?? 0) / availableParallelism()) * 100),
  };
}

/** What tasks never get: 256 MiB, or a twentieth of a large machine. */
export function reserveOf(memoryBytes: number): number {
  return Math.max(MIN_RESERVE_BYTES, Math.floor(memoryBytes * RESERVE_SHARE));
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
