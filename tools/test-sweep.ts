/**
 * Takes away what a run of the tests that was broken off has left on this machine: `node tools/test-sweep.ts DIR`, where DIR is the run's directory for temporary
 * files (tools/test.sh), which every process of the run has in its environment and every state directory lies in. Prints a line for each thing.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { instanceId } from '#main/paths.ts';

const CGROUPS = '/sys/fs/cgroup';
/** State directories lie no deeper in the run's directory. */
const DEPTH = 4;
const TRIES = 100;

/** Gives what it found, a line each. */
export async function sweep(dir: string): Promise<string[]> {
  const instances = instancesOf(dir);
  const gone = [
    ...(await endProcesses(dir, instances)),
    ...unmount(dir, instances),
    ...instances.flatMap((id) => [...dropTables(id), ...dropLinks(id)]),
    ...detachDisks(dir),
    ...(await removeCgroups(instances)),
  ];
  for (const path of [...instances.map((id) => join('/run/berth', id)), dir]) {
    if (existsSync(path)) execFileSync('rm', ['-rf', '--one-file-system', path]);
  }
  return gone;
}

/** Ids of instances whose state directory lies here, and of those that a process of the run works for. */
function instancesOf(dir: string): string[] {
  const below = new Set([dir, ...directories(dir, DEPTH)].map(instanceId));
  const named = ours(dir, []).flatMap((pid) => [...read(pid, 'cmdline').matchAll(/\/run\/berth\/([0-9a-f]{6})\//g)].map(([, id]) => id));
  const known = [
    ...namesIn('/run/berth'),
    ...cgroups().flatMap((path) => /berth-(?:test-)?([0-9a-f]{6})$/.exec(path)?.[1] ?? []),
    ...tables().flatMap((line) => /berth_([0-9a-f]{6})_/.exec(line)?.[1] ?? []),
  ];
  return [...new Set(known)].filter((id) => below.has(id) || named.includes(id));
}

function directories(dir: string, depth: number): string[] {
  if (depth === 0) return [];
  const found = entriesOf(dir).flatMap((entry) => (entry.isDirectory() ? [join(dir, entry.name)] : []));
  return [...found, ...found.flatMap((path) => directories(path, depth - 1))];
}

/** Again until there are none: a keeper starts what ended. */
async function endProcesses(dir: string, instances: string[]): Promise<string[]> {
  const ended = new Map<number, string>();
  for (let tries = 0; tries < TRIES; tries++) {
    const pids = ours(dir, instances);
    if (pids.length === 0) break;
    for (const pid of pids) {
      const command = read(pid, 'cmdline').replaceAll('\0', ' ').slice(0, 120);
      // One without a command is about to end.
      if (command !== '') ended.set(pid, `process ${pid}: ${command}`);
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
    await sleep(50);
  }
  return [...ended.values()];
}

/** Processes of the run, but for this one and those it was called by. */
function ours(dir: string, instances: string[]): number[] {
  const callers = new Set([process.pid, ...ancestors(process.pid)]);
  const marks = [`${dir}/`, ...instances.map((id) => `/run/berth/${id}/`)];
  return namesIn('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!/^\d+$/.test(name) || callers.has(pid) || /\) Z /.test(read(pid, 'stat'))) return [];
    const said = `${read(pid, 'cmdline')}\0${read(pid, 'environ')}`;
    const groups = read(pid, 'cgroup');
    const isOurs =
      said.includes(`TMPDIR=${dir}\0`) ||
      marks.some((mark) => said.includes(mark)) ||
      instances.some((id) => new RegExp(`/berth-(test-)?${id}(/|$)`, 'm').test(groups));
    return isOurs ? [pid] : [];
  });
}

function ancestors(pid: number): number[] {
  const parent = Number(/\) \S (\d+)/.exec(read(pid, 'stat'))?.[1] ?? 0);
  return parent === 0 ? [] : [parent, ...ancestors(parent)];
}

/** The last first: one may lie on another. Namespaces that only a mount holds end with it. */
function unmount(dir: string, instances: string[]): string[] {
  const roots = [`${dir}/`, ...instances.map((id) => `/run/berth/${id}/`)];
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '))
    .filter((point) => roots.some((root) => `${point}/`.startsWith(root)));
  for (const point of points.toReversed()) attempt('umount', ['-l', point]);
  return points.map((point) => `mount ${point}`);
}

function dropTables(id: string): string[] {
  const found = tables().filter((line) => line.includes(`berth_${id}_`));
  for (const line of found) attempt('nft', ['delete', 'table', ...line.split(' ')]);
  return found.map((line) => `table ${line}`);
}

function dropLinks(id: string): string[] {
  const links = output('ip', ['-o', 'link']).split('\n');
  const found = links.map((line) => (line.split(': ')[1] ?? '').split('@')[0] ?? '').filter((name) => name.includes(id));
  // With one end of a pair the other is gone.
  for (const name of found) if (existsSync(`/sys/class/net/${name}`)) attempt('ip', ['link', 'del', name]);
  return found.map((name) => `link ${name}`);
}

function detachDisks(dir: string): string[] {
  const backing = (name: string) => `/sys/block/${name}/loop/backing_file`;
  const found = namesIn('/sys/block').filter((name) => existsSync(backing(name)) && readText(backing(name)).startsWith(`${dir}/`));
  for (const name of found) attempt('losetup', ['-d', `/dev/${name}`]);
  return found.map((name) => `disk ${name}`);
}

async function removeCgroups(instances: string[]): Promise<string[]> {
  const find = () =>
    cgroups().filter((path) => instances.some((id) => path.endsWith(`/berth-${id}`) || path.endsWith(`/berth-test-${id}`)));
  const found = find();
  // The kernel takes a moment to see the last process of a group gone.
  for (let tries = 0; tries < TRIES && find().length > 0; tries++) {
    for (const path of find()) removeTree(path);
    if (find().length > 0) await sleep(50);
  }
  return found.map((path) => `cgroup ${path}`);
}

function removeTree(path: string): void {
  for (const entry of entriesOf(path)) if (entry.isDirectory()) removeTree(join(path, entry.name));
  try {
    rmdirSync(path);
  } catch {
    // Looked at again.
  }
}

/** Of every hierarchy, those that an instance's own may be among. */
const cgroups = (): string[] => directories(CGROUPS, 2).filter((path) => path.includes('/berth-'));
const tables = (): string[] => output('nft', ['list', 'tables']).split('\n').map((line) => line.replace(/^table /, '')); // prettier-ignore
const read = (pid: number, file: string): string => readText(`/proc/${pid}/${file}`);
const namesIn = (dir: string): string[] => entriesOf(dir).map((entry) => entry.name);

function entriesOf(dir: string) {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch {
    return []; // It is gone meanwhile.
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // It is gone meanwhile.
  }
}

/** Empty where the machine hasn't the tool: then there is nothing of its kind either. */
function output(file: string, args: string[]): string {
  try {
    return execFileSync(file, args, { encoding: 'utf8', timeout: 20_000, stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

function attempt(file: string, args: string[]): void {
  try {
    execFileSync(file, args, { timeout: 20_000, stdio: 'ignore' });
  } catch (error) {
    console.error(`${file} ${args.join(' ')}: ${(error as Error).message}`);
  }
}

if (import.meta.main) {
  const [dir] = process.argv.slice(2);
  if (dir === undefined) throw new Error('usage: node tools/test-sweep.ts DIR');
  if (existsSync(dir)) for (const line of await sweep(realpathSync(dir))) console.log(`left behind: ${line}`);
  rmSync(dir, { recursive: true, force: true });
}
