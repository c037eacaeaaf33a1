/** Values that must stand nowhere in the clear: looks for them wherever a platform could leave them. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Platform } from './platform.ts';

/** Files larger than this are disks and memory of virtual machines, whose contents are the tasks' own. */
const LARGEST = '33554432c';

/** Where one of the values is: files of the state directory and of /run (but for the directory of secrets, which is memory), command lines, environments. */
export function tracesOf(platform: Platform, values: readonly string[]): string[] {
  return [...inFiles(platform, values), ...inProcesses(values)];
}

function inFiles(platform: Platform, values: readonly string[]): string[] {
  const run = `/run/berth/${platform.instance}`;
  const find = [platform.state, run, '-path', `${run}/secrets`, '-prune', '-o', '-type', 'f', '-size', `-${LARGEST}`, '-print0'];
  const files = execFileSync('find', find, { maxBuffer: 64 * 1024 ** 2, stdio: ['ignore', 'pipe', 'ignore'] });
  const patterns = values.flatMap((value) => ['-e', value, '-e', Buffer.from(value).toString('base64').slice(0, -4)]);
  try {
    const args = ['-0', '-r', 'grep', '-l', '-s', '-a', '-F', ...patterns];
    const found = execFileSync('xargs', args, { input: files, stdio: ['pipe', 'pipe', 'ignore'] }).toString();
    return found.split('\n').filter((path) => path !== '');
  } catch (error) {
    // grep finds nothing (1), or a file is gone by now (2): what it found is there all the same.
    const said = String((error as { stdout?: Buffer }).stdout ?? '');
    return said.split('\n').filter((path) => path !== '');
  }
}

/** Of a container's own processes the environment is where the values belong. */
function inProcesses(values: readonly string[]): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    const isOfContainer = /^NSpid:\t\d+\t/m.test(read(`/proc/${pid}/status`));
    const names = isOfContainer ? ['cmdline'] : ['cmdline', 'environ'];
    return names.map((name) => `/proc/${pid}/${name}`).filter((path) => values.some((value) => read(path).includes(value)));
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
