/** The keeper of an instance: is it alive, and is it really ours. */
import { readFileSync } from 'node:fs';
import type { InstancePaths } from '../paths.ts';
import { readOr } from './ports.ts';

/** The keeper's pid while it lives; a pid file that a reboot or a crash left behind doesn't count. */
export function keeperPid(paths: InstancePaths): number | null {
  let text: string;
  try {
    text = readFileSync(paths.keeperPid, 'utf8');
  } catch {
    return null;
  }
  const pid = Number.parseInt(text, 10);
  return pid > 0 && readOr(`/proc/${pid}/cmdline`).split('\0').includes(paths.keeperSpec) ? pid : null;
}

/** A process whose parent is the keeper (or its descendant), by what its command line says. */
export function childrenOf(pid: number): { pid: number; command: string }[] {
  return readOr(`/proc/${pid}/task/${pid}/children`)
    .trim()
    .split(' ')
    .filter((child) => child !== '')
    .map((child) => ({ pid: Number(child), command: readOr(`/proc/${child}/cmdline`).replaceAll('\0', ' ').trim() }));
}
