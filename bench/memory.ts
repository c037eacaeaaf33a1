/**
 * What processes and the kernel's work for them take, in KiB. Not MemAvailable: that moves by hundreds of MiB with whatever else the
 * machine does, and says nothing of whom.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { median } from './promises.ts';

const LOOKS = 7;
const LOOK_MS = 500;
const REST_KIB = 2048;
const LOOKS_AT_MOST = 40;

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it ended while we looked
  }
};

export const pids = (): string[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

/** `found` and all that descend from them. */
export function withDescendants(found: string[]): string[] {
  const parents = new Map(pids().map((pid) => [pid, /\) \S (\d+)/.exec(read(`/proc/${pid}/stat`))?.[1] ?? '']));
  const all = new Set(found);
  for (let size = 0; size !== all.size;) {
    size = all.size;
    for (const [pid, parent] of parents) if (all.has(parent)) all.add(pid);
  }
  return [...all];
}

/** Those in the mount namespace of `pid`. */
export function namespaceMates(pid: string): string[] {
  const namespace = (of: string) => {
    try {
      return readlinkSync(`/proc/${of}/ns/mnt`);
    } catch {
      return '';
    }
  };
  const own = namespace(pid);
  return pids().filter((other) => own !== '' && namespace(other) === own);
}

/** User and system time that it took so far, in ms; the kernel counts in hundredths of a second. 0 once it ended. */
export function cpuMs(pid: string): number {
  const [, utime = 0, stime = 0] = /\) (?:\S+ ){11}(\d+) (\d+)/.exec(read(`/proc/${pid}/stat`)) ?? [];
  return (Number(utime) + Number(stime)) * 10;
}

export function pssKib(pid: string, kind = 'Pss'): number {
  return Number(new RegExp(`^${kind}:\\s+(\\d+)`, 'm').exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
}

/** Their own pages; files they map can be dropped and read again. */
export function processesKib(of: string[]): number {
  return of.reduce((sum, pid) => sum + pssKib(pid, 'Pss_Anon') + pssKib(pid, 'Pss_Shmem'), 0);
}

/** What the kernel holds and can't drop: namespaces, groups, sockets, page tables, stacks, compiled filters. Of the whole machine. */
export function kernelKib(): number {
  const meminfo = read('/proc/meminfo');
  const kinds = ['SUnreclaim', 'KernelStack', 'PageTables', 'Percpu', 'VmallocUsed'];
  return kinds.reduce((sum, kind) => sum + Number(new RegExp(`^${kind}:\\s+(\\d+)`, 'm').exec(meminfo)?.[1] ?? 0), 0);
}

/** What an emulator wrote to run it: memory of nobody's file that is writable and executable. */
export function translatedKib(pid: string): number {
  const mappings = read(`/proc/${pid}/smaps`).split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/);
  const found = mappings.filter((mapping) => /^\S+ rwxp \S+ \S+ 0\s*$/m.test(mapping.split('\n')[0] ?? ''));
  return found.reduce((sum, mapping) => sum + Number(/^Pss:\s+(\d+)/m.exec(mapping)?.[1] ?? 0), 0);
}

export type Memory = { processesKib: number; kernelKib: number };

/** The kernel's part is the median of several looks in a row that agree: what ended tasks held is freed some seconds later. */
export async function settled(of: () => string[]): Promise<Memory> {
  const seen: number[] = [];
  for (let look = 0; ; look++) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    seen.push(kernelKib());
    const last = seen.slice(-LOOKS).sort((one, other) => one - other);
    const spread = (last.at(-1) ?? 0) - (last[0] ?? 0);
    if (last.length === LOOKS && (spread < REST_KIB || look > LOOKS_AT_MOST)) {
      return { processesKib: processesKib(of()), kernelKib: median(last) };
    }
  }
}

export type Grown = { processes: number; kernel: number; all: number };

/** Per task, MiB. */
export function grownMib(before: Memory, after: Memory, tasks: number): Grown {
  const processes = (after.processesKib - before.processesKib) / 1024 / tasks;
  const kernel = (after.kernelKib - before.kernelKib) / 1024 / tasks;
  return { processes, kernel, all: processes + kernel };
}

export const told = (of: Grown) => `${of.processes.toFixed(2)} + ${of.kernel.toFixed(2)}`;

/** The instance's processes of this kind, told by the environment that all of them inherit. */
export function pidsOf(state: string, isKind: (pid: string) => boolean): string[] {
  return pids().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`BERTH_STATE=${state}`) && isKind(pid);
    } catch {
      return false; // it ended while we looked
    }
  });
}
