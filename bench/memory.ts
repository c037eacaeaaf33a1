/**
 * What processes and the kernel's work for them take, in KiB. Not MemAvailable: that moves by hundreds of MiB with whatever else the
 * machine does, and says nothing of whom.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

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
