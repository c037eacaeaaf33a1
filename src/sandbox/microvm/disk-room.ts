/** Whether the host's disk has room for what a machine is about to write there: a full one breaks QEMU in ways that tell nobody why. */
import { statfs } from 'node:fs/promises';
import { Fault } from '#base/fault.ts';

/** `dir` need not be there yet, its parent must. Throws LimitExceeded: the disk is full. */
export async function needRoom(dir: string, bytes: number, what: string): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  const free = bavail * bsize;
  if (free >= bytes) return;
  const mib = (value: number) => `${Math.floor(value / 1024 ** 2)} MiB`;
  throw new Fault('LimitExceeded', `the host's disk is full: ${what} takes up to ${mib(bytes)}, and ${dir} has ${mib(free)} left`);
}
