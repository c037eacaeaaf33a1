/** The processes of a platform under test, for tests that kill them. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './platform.ts';
import type { Platform } from './platform.ts';

export type Processes = {
  keeper: number;
  control: number;
  host: number;
  /** The kernel worker. */
  worker: number;
  /** It holds the sockets that HAProxy serves. */
  holder: number;
  /** The HAProxy that serves; one that it took over from may finish beside it. */
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
  const holder = child(keeper, ' balance --config ');
  const haproxy = all.findLast((one) => one.parent === holder && one.command.includes('haproxy -db'))?.pid;
  if (keeper === undefined || control === undefined || host === undefined || worker === undefined) return undefined;
  if (holder === undefined || haproxy === undefined) return undefined;
  return { keeper, control, host, worker, holder, haproxy, supervisors: supervisorsOf(platform) };
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

/** What a power cut does, as far as it can be done to one instance: no process gets a chance, and what lives in memory is gone. */
export async function powerOff(platform: Platform): Promise<void> {
  const { keeper } = await until('every process of the platform', async () => processesOf(platform));
  process.kill(keeper, 'SIGKILL');
  await until('silence', async () => {
    const left = everyPidOf(platform).filter((pid) => pid !== process.pid);
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
    return left.length === 0;
  });
  const shell = `
    for mount in $(awk '{print $5}' /proc/self/mountinfo | grep -e ${platform.instance} -e ${platform.state}/ | sort -r); do umount -l "$mount" 2>/dev/null; done
    rm -rf /run/berth/${platform.instance}
    for table in $(nft list tables | grep ${platform.instance} | awk '{print $2":"$3}'); do nft delete table "\${table%%:*}" "\${table##*:}"; done
    for link in $(ip -o link | awk -F'[:@ ]+' '{print $2}' | grep ${platform.instance}); do ip link del "$link"; done
    find /sys/fs/cgroup -depth -type d -path '*berth-${platform.instance}*' -exec rmdir {} + 2>/dev/null
    true`;
  execFileSync('sh', ['-c', shell], { timeout: 20_000 });
}

/** The QEMU of a task in a microVM, and the directory of its machine; undefined when it has none. */
export function machineOf(platform: Platform, taskId: string): { qemu: number; dir: string } | undefined {
  try {
    const { vmId } = JSON.parse(readFileSync(join(platform.state, 'host/tasks', taskId, 'vm.json'), 'utf8')) as { vmId: string };
    const dir = join(platform.state, 'host/vms', vmId);
    const monitor = Number(readFileSync(join(dir, 'sup.pid'), 'utf8').trim());
    const qemu = everyProcess().find((one) => one.parent === monitor)?.pid;
    return qemu === undefined ? undefined : { qemu, dir };
  } catch {
    return undefined;
  }
}

/** The processes that give a task directories of shared file systems as one user, and their keepers. */
export function sharesOf(taskId: string): { pid: number; name: string }[] {
  return pids()
    .filter((pid) => read(pid, 'cgroup').includes(`/share-${taskId}`) && read(pid, 'cmdline') !== '')
    .map((pid) => ({ pid, name: read(pid, 'comm').trim() }));
}

/** The first process in a task's control group, whatever that is called: a sandbox that stood ready keeps its own. */
export function sandboxOf(platform: Platform, taskId: string): number | undefined {
  try {
    const bundle = JSON.parse(readFileSync(join(platform.state, 'host/tasks', taskId, 'task.json'), 'utf8')) as {
      cgroup: { path: string };
    };
    const inside = pids().filter((pid) => read(pid, 'cgroup').includes(bundle.cgroup.path));
    // Not the lowest number: numbers begin again once all have been used.
    return inside.toSorted((a, b) => startOf(a) - startOf(b))[0];
  } catch {
    return undefined;
  }
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

/** In clock ticks since boot (proc_pid_stat(5), field 22). */
const startOf = (pid: number) => Number(read(pid, 'stat').split(') ').at(-1)?.split(' ')[19] ?? Infinity);

const pids = () => readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));

/** Empty for a process that ended meanwhile. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
