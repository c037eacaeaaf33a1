/** The processes of a platform under test, for tests that kill them. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Platform } from './platform.ts';

export type Processes = {
  keeper: number;
  control: number;
  host: number;
  /** The kernel worker. */
  worker: number;
  /** HAProxy's master. */
  haproxy: number;
  /** One supervisor per task. */
  supervisors: number[];
};

type Process = { pid: number; parent: number; name: string; command: string };

/** undefined while one of them is away. */
export function processesOf(platform: Platform): Processes | undefined {
  const all = everyProcess();
  const keeper = all.find((one) => one.command.includes(` keep --spec ${platform.state}/`))?.pid;
  const child = (parent: number | undefined, part: string) => all.find((one) => one.parent === parent && one.command.includes(part))?.pid;
  const control = child(keeper, 'main/control.ts');
  const host = child(keeper, 'main/host.ts');
  const worker = child(host, ' serve --socket ');
  const haproxy = child(keeper, 'haproxy -W');
  if (keeper === undefined || control === undefined || host === undefined || worker === undefined || haproxy === undefined)
    return undefined;
  return { keeper, control, host, worker, haproxy, supervisors: supervisorsOf(platform) };
}

/** Also while the rest is away. */
export function supervisorsOf(platform: Platform): number[] {
  const socket = `/run/berth/${platform.instance}/worker.sock`;
  return everyProcess().flatMap((one) => (one.name === 'berth-task' && one.command.includes(socket) ? [one.pid] : []));
}

/** The supervisor of one task: the last of its name on the way up from a container (an init of ours is a fork of it). */
export function supervisorOf(platform: Platform, taskId: string): number | undefined {
  const parents = new Map(everyProcess().map((one) => [one.pid, one.parent]));
  const ours = supervisorsOf(platform);
  const way: number[] = [];
  for (let pid = containersOf(taskId)[0]; pid !== undefined && pid > 1; pid = parents.get(pid)) way.push(pid);
  return way.findLast((pid) => ours.includes(pid));
}

/** The first process of each of the task's containers: the one that is pid 1 in its own namespace. */
export function containersOf(taskId: string): number[] {
  return inTask(taskId).filter((pid) => /^NSpid:.*\t1$/m.test(read(pid, 'status')));
}

/** Every process in the task's cgroups; one that has ended, and that only its parent hasn't looked at, is none any more. */
export function inTask(taskId: string): number[] {
  return pids().filter((pid) => read(pid, 'cgroup').includes(taskId) && !/^State:\tZ/m.test(read(pid, 'status')));
}

/** Every process that has to do with the instance: its own, its tasks', and their supervisors. */
export function everyPidOf(platform: Platform): number[] {
  return pids().filter((pid) =>
    [
      read(pid, 'cgroup').includes(`berth-${platform.instance}`),
      read(pid, 'cmdline').includes(platform.state),
      read(pid, 'cmdline').includes(platform.instance),
      read(pid, 'environ').includes(`BERTH_STATE=${platform.state}`),
    ].some(Boolean),
  );
}

function everyProcess(): Process[] {
  return pids().flatMap((pid) => {
    const stat = read(pid, 'stat');
    const [, name = '', parent = '0'] = /\((.*)\) \S (\d+)/s.exec(stat) ?? [];
    return stat === '' || /\) Z /.test(stat)
      ? []
      : [{ pid, parent: Number(parent), name, command: read(pid, 'cmdline').replaceAll('\0', ' ') }];
  });
}

const pids = () => readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));

/** Empty for a process that ended meanwhile. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
