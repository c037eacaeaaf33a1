/**
 * Where the secrets of tasks lie while these run: files in memory that root alone may read, since a container that is started again, and a new host agent, must
 * find the values that the task began with. They are gone with the task, and with the machine's memory.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';

export type LogSecrets = Record<string, Record<string, string>>;

export type SecretFiles = {
  /** What the host itself needs: options of log drivers, by container. */
  keepLogOptions(taskId: string, options: LogSecrets): void;
  logOptions(taskId: string): LogSecrets;
  remove(taskId: string): void;
  /** Removes those of tasks that are not among these. */
  sweep(living: readonly string[]): void;
};

const LOG_OPTIONS = 'log-options.json';

/** `dir`: as `mountMemory` made it. */
export function createSecretFiles(dir: string): SecretFiles {
  return {
    keepLogOptions(taskId, options) {
      mkdirSync(join(dir, taskId), { recursive: true, mode: 0o700 });
      writeFileSync(join(dir, taskId, LOG_OPTIONS), JSON.stringify(options), { mode: 0o600 });
    },
    logOptions(taskId) {
      try {
        return JSON.parse(readFileSync(join(dir, taskId, LOG_OPTIONS), 'utf8')) as LogSecrets;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
        // Never what the parser says: it may quote a value.
        throw new Fault('Internal', `the log options of task ${taskId} can't be read`);
      }
    },
    remove: (taskId) => rmSync(join(dir, taskId), { recursive: true, force: true }),
    sweep(living) {
      const known = new Set(living);
      for (const taskId of namesIn(dir)) if (!known.has(taskId)) rmSync(join(dir, taskId), { recursive: true, force: true });
    },
  };
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

const MOUNT_MS = 10_000;

/** /run is a tmpfs on most machines and not on all: this is one of its own, which isn't swapped out where the kernel can promise that (6.4). */
export async function mountMemory(clock: Clock, dir: string): Promise<void> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (await isMounted(dir)) return;
  const options = `mode=0700,nosuid,nodev,noexec,size=${limits.secretsMemoryMib}m`;
  for (const more of [',noswap', '']) {
    const { code } = await runChild(clock, 'mount', ['-t', 'tmpfs', '-o', options + more, 'berth-secrets', dir], { timeoutMs: MOUNT_MS });
    if (code === 0) return;
  }
  throw new Fault('Unavailable', `no memory could be mounted on ${dir}, where the secrets of tasks lie: the kernel's log may say why`);
}

export async function unmountMemory(clock: Clock, dir: string): Promise<void> {
  if (await isMounted(dir)) await runChild(clock, 'umount', ['--lazy', dir], { timeoutMs: MOUNT_MS });
}

async function isMounted(dir: string): Promise<boolean> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.some((line) => line.split(' ')[4] === dir);
}
