/**
 * What a machine holds that berth could leave behind: mounts (which hold namespaces), cgroups, interfaces, routes, firewall tables, processes. A test
 * takes a snapshot before and compares after; other users' things on the machine are in both, and so don't count.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type MachineState = Record<string, Set<string>>;

/** `tag`: the instance's id, and `state`: its directory; only what carries one of them is looked at. */
export function machineState(tag: string, state = tag): MachineState {
  const ours = (text: string) => text.includes(tag) || text.includes(state);
  return {
    mounts: set(
      lines(readFileSync('/proc/self/mountinfo', 'utf8')).map((l) => l.split(' ')[4] ?? ''),
      (m) => ours(m) && m !== state,
    ),
    cgroups: set(cgroups('/sys/fs/cgroup', 4), (c) => c.includes(tag)),
    links: set(
      lines(run('ip', ['-o', 'link'])).map((l) => (l.split(': ')[1] ?? '').split('@')[0] ?? ''),
      (n) => n.includes(tag),
    ),
    routes: set(lines(run('ip', ['route', 'show', 'table', 'all'])), (r) => r.includes(tag)),
    tables: set(lines(run('nft', ['list', 'tables'])), (t) => t.includes(tag)),
    processes: set(processes(), ours),
    disks: set(loopDevices(), (d) => d.includes(state)),
    run: set(existsSync('/run/berth') ? readdirSync('/run/berth') : [], (d) => d === tag),
  };
}

/** What is there now and was not there before, one line each; empty when nothing was left. */
export function leftBehind(before: MachineState, after: MachineState): string[] {
  return Object.entries(after).flatMap(([kind, items]) => [...items].filter((i) => !before[kind]?.has(i)).map((i) => `${kind}: ${i}`));
}

const lines = (text: string) => text.split('\n').filter((l) => l.length > 0);
const set = (items: string[], keep: (item: string) => boolean) => new Set(items.filter(keep));
const run = (command: string, args: string[]) => execFileSync(command, args, { encoding: 'utf8', timeout: 10_000 });

function cgroups(root: string, depth: number): string[] {
  if (depth === 0) return [];
  return directoriesIn(root).flatMap((name) => [join(root, name), ...cgroups(join(root, name), depth - 1)]);
}

function directoriesIn(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? [e.name] : []));
  } catch {
    return []; // somebody else's, and gone while we looked
  }
}

/** Each with the file behind it. */
function loopDevices(): string[] {
  return readdirSync('/sys/block').flatMap((name) => {
    try {
      return [`${name} ${readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8').trim()}`];
    } catch {
      return []; // no loop device, or one that is free
    }
  });
}

const pids = () => readdirSync('/proc').filter((p) => /^\d+$/.test(p));

function processes(): string[] {
  return pids().flatMap((pid) => {
    try {
      // A process that has ended but that its parent hasn't looked at holds nothing.
      if (/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) return [];
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
      const ours = /berth-[0-9a-f]{6}/.exec(cgroup)?.[0] ?? '';
      const state = /BERTH_STATE=[^\0]*/.exec(readFileSync(`/proc/${pid}/environ`, 'utf8'))?.[0] ?? '';
      return [`${pid} ${command} ${ours} ${state}`];
    } catch {
      return []; // it ended while we looked
    }
  });
}
