/** Files that are there whole or not at all, also after a power cut. */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';

const SYNC_MS = 120_000;

/** Writes beside the target, syncs, renames over it, syncs the folder. */
export async function writeDurably(path: string, content: Uint8Array | string, temp: string): Promise<void> {
  try {
    const file = await open(temp, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temp, path);
  } catch (error) {
    await rm(temp, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** syncfs(2) of the file system that holds `path`: Node has no call for it. */
export async function syncFileSystem(clock: Clock, path: string): Promise<void> {
  const result = await runChild(clock, 'sync', ['-f', path], { timeoutMs: SYNC_MS });
  if (result.code !== 0) throw new Fault('Internal', `could not sync the file system of ${path}: ${result.stderr.trim()}`);
}

/** Changes with every boot of the machine: what was not synced before it may be torn. */
export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
