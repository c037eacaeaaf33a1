/** What an instance holds of the machine, and how large its processes are: for tests that nothing of either grows. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { machineState } from '../e2e/machine-state.ts';
import { until } from '../e2e/platform.ts';
import type { Platform } from '../e2e/platform.ts';
import { everyPidOf, processesOf, supervisorsOf } from '../e2e/processes.ts';

/** What a garbage-collected heap and a database's page cache may take more without it being a leak. */
const GROWTH_BYTES = 48 * 1024 * 1024;
const GROWTH_FDS = 8;

export type Census = { machine: Record<string, string>; sizes: Sizes };
type Sizes = Record<'control' | 'host' | 'worker' | 'keeper', Size>;

/** Once nothing of a task is left. */
export async function takeCensus(platform: Platform): Promise<Census> {
  await until('nothing of the tasks is left', async () => readdirSync(join(platform.state, 'host/tasks')).length === 0, 60_000);
  return { machine: census(platform), sizes: sizesOf(platform) };
}

/** Fails unless the machine comes to be as it was, and no process has grown. What stands ready for tasks may be others, as many. */
export async function assertAsBefore(platform: Platform, before: Census): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { machine } = await takeCensus(platform);
    if (JSON.stringify(machine) === JSON.stringify(before.machine)) break;
    if (Date.now() > deadline) assert.deepEqual(machine, before.machine);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  for (const [name, now] of Object.entries(sizesOf(platform))) {
    const then = before.sizes[name as keyof Sizes];
    console.log(
      `  ${name}: ${(then.rssBytes / 2 ** 20).toFixed(0)} -> ${(now.rssBytes / 2 ** 20).toFixed(0)} MiB, ${then.fds} -> ${now.fds} descriptors`,
    );
    assert.ok(now.fds <= then.fds + GROWTH_FDS, `${name} holds ${now.fds} descriptors, ${then.fds} before`);
    assert.ok(now.rssBytes <= then.rssBytes + GROWTH_BYTES, `${name} grew from ${then.rssBytes} to ${now.rssBytes} bytes`);
    assert.ok(now.threads <= then.threads + 4, `${name} has ${now.threads} threads, ${then.threads} before`);
  }
}

/** Everything of this instance on the machine, as text, one kind a key. */
function census(platform: Platform): Record<string, string> {
  const run = (...words: string[]) => execFileSync(words[0] ?? '', words.slice(1), { encoding: 'utf8', timeout: 20_000 });
  const runDir = `/run/berth/${platform.instance}`;
  const inRouters = (...words: string[]) =>
    readdirSync(join(runDir, 'ns'))
      .filter((name) => name.startsWith('vpc-'))
      .map((name) => run('nsenter', `--net=${join(runDir, 'ns', name)}`, ...words))
      .join('\n');
  const ours = (text: string) =>
    text
      .split('\n')
      .filter((line) => line.includes(platform.instance) || line.includes(platform.state))
      .join('\n');
  const names = (dir: string) => (existsSync(dir) ? readdirSync(dir) : []);
  const all = {
    links: ours(run('ip', '-o', 'link')),
    routes: ours(run('ip', 'route')),
    routerLinks: inRouters('ip', '-o', 'link').replaceAll(/link-netnsid \d+/g, ''),
    routerRoutes: inRouters('ip', 'route', 'show', 'table', 'all'),
    routerNeighbours: inRouters('ip', 'neigh', 'show', 'nud', 'permanent'),
    rules: inRouters('nft', '-s', 'list', 'ruleset'),
    machineRules: ours(run('nft', '-s', 'list', 'tables')),
    mounts: ours(readFileSync('/proc/self/mountinfo', 'utf8')),
    cgroups: [...(machineState(platform.instance, platform.state).cgroups ?? [])].join('\n'),
    disks: String(machineState(platform.instance, platform.state)['disks']?.size),
    tasks: names(join(platform.state, 'host/tasks')).join('\n'),
    sockets: names(join(runDir, 'sup')).join('\n'),
    rooms: names(join(runDir, 'gv')).join('\n'),
    machines: names(join(platform.state, 'host/vms')).join('\n'),
    machineSockets: names(join(runDir, 'vm')).join('\n'),
    templates: names(join(platform.state, 'host/vm-templates')).join('\n'),
    hostFiles: names(join(platform.state, 'host')).join('\n'),
    supervisors: processesOf(platform) === undefined ? 'the platform is not whole' : String(supervisorsOf(platform).length),
    processes: String(everyPidOf(platform).length),
  };
  return Object.fromEntries(Object.entries(all).map(([name, text]) => [name, alike(text)]));
}

/** What stands ready for tasks has names that it was given by chance. */
function alike(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{32}|(?<=pool-)[0-9a-f]{16}/g, 'ID')
    .split('\n')
    .toSorted()
    .join('\n');
}

type Size = { rssBytes: number; fds: number; threads: number };

function sizesOf(platform: Platform): Sizes {
  const processes = processesOf(platform);
  assert.ok(processes);
  const of = (pid: number): Size => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
    return { rssBytes: field('VmRSS') * 1024, fds: readdirSync(`/proc/${pid}/fd`).length, threads: field('Threads') };
  };
  return { control: of(processes.control), host: of(processes.host), worker: of(processes.worker), keeper: of(processes.keeper) };
}
