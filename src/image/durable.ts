/** What of the machine's disk is known to be written, also after a power cut. */
import { readFile } from 'node:fs/promises';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';

const SYNC_MS = 120_000;

/** syncfs(2) of the file system that holds `path`: Node has no call for it. */
export async function syncFileSystem(clock: Clock, path: string): Promise<void> {
  const result = await runChild(clock, 'sync', ['-f', path], { timeoutMs: SYNC_MS });
  if (result.code !== 0) throw new Fault('Internal', `could not sync the file system of ${path}: ${result.stderr.trim()}`);
}

/** Changes with every boot of the machine: what was not synced before it may be torn. */
export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
