/**
 * That a sandbox was seen to start here, kept in a file which the instances on a machine share: starting one at each start of a host takes a second of a
 * processor. It holds for this boot of the machine, these namespaces, this runsc and this supervisor; that it didn't start is never kept.
 */
import { mkdir, readFile, readlink, rename, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault } from '#base/fault.ts';

const NAMESPACES = ['user', 'pid', 'mnt', 'cgroup'];

/** Resolves once there is a proof: the file's, or what `prove` has just shown. What it throws is passed on. */
export async function proven(file: string, programs: string[], prove: () => Promise<void>): Promise<void> {
  const key = await keyOf(programs);
  // Not there yet, or half a line: then it is shown again.
  const known = await readFile(file, 'utf8').catch(() => '');
  if (known === key) return;
  await prove();
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.${process.pid}`, key);
  await rename(`${file}.${process.pid}`, file);
}

async function keyOf(programs: string[]): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
  const places = await Promise.all(NAMESPACES.map((name) => readlink(`/proc/self/ns/${name}`)));
  const files = await Promise.all(programs.map(stampOf));
  return JSON.stringify([boot.trim(), ...places, ...files]);
}

async function stampOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  if (found === null) throw new Fault('Unavailable', `there is no ${path}: run 'berth setup'`);
  return `${path} ${found.size}@${found.mtimeMs}`;
}
