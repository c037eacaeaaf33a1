/** `berth doctor`: looks, changes nothing, and says for each thing that is missing how to get it. */
import { existsSync, statfsSync } from 'node:fs';
import { freemem, totalmem, release } from 'node:os';
import { dirname } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { runChild } from '#base/child.ts';
import type { Check } from '#cli/platform.ts';
import { formatBytes } from '#cli/format.ts';
import { readConfig, defaultConfig } from '../config.ts';
import { supervisorBinary, USER } from '../paths.ts';
import type { InstancePaths } from '../paths.ts';
import { checkBoot } from './boot.ts';
import { findProgram, missing, ok, warn } from './checks.ts';
import { checkIsolation } from './doctor-isolation.ts';
import { keeperPid } from './keeper.ts';
import { portProblem, readOr } from './ports.ts';
import { reachable } from './reachable.ts';
import { partIsThere } from './setup.ts';
import { checkTrust } from './trust.ts';

const GIB = 1024 ** 3;
const LOW_DISK_BYTES = 2 * GIB;
const LOW_MEMORY_BYTES = GIB;

type Deps = { clock: Clock; paths: InstancePaths; self: string };

export async function runChecks(deps: Deps): Promise<Check[]> {
  const checks = await Promise.all([
    checkRoot(),
    checkNode(),
    checkKernel(),
    checkCgroups(),
    checkNamespaces(),
    checkOverlay(deps),
    checkProgram(deps, 'HAProxy', 'haproxy', ['-v'], 'haproxy'),
    checkProgram(deps, 'nftables', 'nft', ['--version'], 'nftables'),
    checkSupervisor(deps),
    checkUser(deps),
    checkDisk(deps.paths),
    checkTaskDisks(deps),
    checkMemory(),
    checkIsolation(deps),
    checkForwardPolicy(deps),
    checkBoot(deps),
    checkTrust(deps.paths, deps.self),
    ...checkInstance(deps),
  ]);
  return checks.flat();
}

const isRoot = () => process.getuid?.() === 0;

function checkRoot(): Check {
  return isRoot() ? ok('root', 'running as root') : warn('root', 'not root: up, down and demo need it', 'sudo ./berth doctor sees more');
}

function checkNode(): Check {
  return ok('Node', `${process.version} at ${process.execPath}`);
}

function checkKernel(): Check {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const text = `Linux ${release()}`;
  // Overlay mounts of unpacked layers, clone3 into a cgroup, mount_setattr and pidfds: all there from 5.12 on.
  if (major > 5 || (major === 5 && minor >= 12)) return ok('kernel', text);
  return missing('kernel', `${text} is too old`, 'Linux 5.12 or newer (Debian 12 has 6.1)');
}

function checkCgroups(): Check {
  if (existsSync('/sys/fs/cgroup/cgroup.controllers')) {
    const controllers = readOr('/sys/fs/cgroup/cgroup.controllers').trim().split(' ');
    const absent = ['cpu', 'memory', 'pids'].filter((name) => !controllers.includes(name));
    if (absent.length === 0) return ok('cgroups', `v2 (${controllers.join(' ')})`);
    return missing('cgroups', `v2 without ${absent.join(', ')}`, `boot with those controllers (cgroup_enable=${absent[0]})`);
  }
  const mounted = ['cpu', 'memory', 'pids', 'freezer'].filter((name) => existsSync(`/sys/fs/cgroup/${name}`));
  if (mounted.length === 4) return ok('cgroups', 'v1 (hybrid): cpu, memory, pids, freezer');
  return missing(
    'cgroups',
    `v1 with only ${mounted.join(', ') || 'nothing'}`,
    'mount the cpu, memory, pids and freezer hierarchies, or boot with cgroup v2',
  );
}

function checkNamespaces(): Check {
  const wanted = ['mnt', 'pid', 'net', 'ipc', 'uts', 'user', 'cgroup'];
  const absent = wanted.filter((name) => !existsSync(`/proc/self/ns/${name}`));
  if (absent.length === 0) return ok('namespaces', wanted.join(', '));
  return missing('namespaces', `this kernel lacks ${absent.join(', ')}`, 'a kernel with CONFIG_NAMESPACES and all of its kinds');
}

async function checkOverlay({ clock }: Deps): Promise<Check> {
  const overlay = readOr('/proc/filesystems').includes('overlay') || (await succeeds(clock, 'modprobe', ['-n', 'overlay']));
  if (overlay) return ok('overlayfs', 'there');
  return missing('overlayfs', 'this kernel has none', 'a kernel with CONFIG_OVERLAY_FS (every Debian kernel)');
}

async function checkProgram({ clock, self }: Deps, name: string, command: string, args: string[], pack: string): Promise<Check> {
  try {
    const { stdout } = await runChild(clock, findProgram(command), args, { timeoutMs: 5000 });
    return ok(name, stdout.split('\n')[0]?.trim() ?? 'there');
  } catch {
    return missing(name, 'not installed', `sudo ${self} setup (apt-get install ${pack})`);
  }
}

async function checkSupervisor({ self }: Deps): Promise<Check> {
  if (await partIsThere('supervisor')) return ok('supervisor', supervisorBinary);
  const state = existsSync(supervisorBinary) ? 'older than its sources' : 'not built';
  return missing('supervisor', state, `sudo ${self} setup (needs a Rust compiler, which it installs)`);
}

async function checkUser({ clock, self }: Deps): Promise<Check> {
  if (await succeeds(clock, 'getent', ['passwd', USER])) return ok('user', `system user ${USER}`);
  return missing('user', `no system user ${USER}`, `sudo ${self} setup makes it`);
}

function checkDisk(paths: InstancePaths): Check {
  let place = paths.state;
  while (!existsSync(place)) place = dirname(place);
  const { bavail, bsize } = statfsSync(place);
  const free = bavail * bsize;
  const text = `${formatBytes(free)} free at ${place}`;
  return free >= LOW_DISK_BYTES ? ok('disk', text) : warn('disk', text, 'images need room: free some, or use --state on another disk');
}

/** What the host agent of the running instance found; without one, whether loop devices can be had. */
function checkTaskDisks({ paths, self }: Deps): Check {
  const found = keeperPid(paths) === null ? '' : readOr(paths.taskDisks);
  const info = found === '' ? undefined : (JSON.parse(found) as { limited: boolean; reason: string });
  if (info?.limited ?? existsSync('/dev/loop-control'))
    return ok('task disks', `what a task writes is limited to its ephemeral storage: ${info?.reason ?? 'loop devices are there'}`);
  const why = info?.reason ?? '/dev/loop-control is missing';
  const fix = `modprobe loop (in a container: --device /dev/loop-control and the rights of --privileged), then ${self} down --keep-tasks and up --disk-limit`;
  return warn('task disks', `tasks in containers and gVisor can fill the disk, ephemeralStorage is not enforced: ${why}`, fix);
}

function checkMemory(): Check {
  const available = Number(/^MemAvailable:\s+(\d+) kB/m.exec(readOr('/proc/meminfo'))?.[1] ?? freemem() / 1024) * 1024;
  const text = `${formatBytes(available)} available of ${formatBytes(totalmem())}`;
  return available >= LOW_MEMORY_BYTES
    ? ok('memory', text)
    : warn('memory', text, 'tasks are refused once free memory is down to the reserve');
}

/** Docker sets iptables' FORWARD policy to DROP: routed tasks then can't get out unless their traffic is let through there too. */
async function checkForwardPolicy({ clock }: Deps): Promise<Check[]> {
  if (!isRoot()) return [];
  try {
    const { stdout } = await runChild(clock, findProgram('nft'), ['list', 'chain', 'ip', 'filter', 'FORWARD'], { timeoutMs: 5000 });
    if (!/policy drop/.test(stdout)) return [ok('forwarding', 'no rule of another program drops forwarded packets')];
    return [
      warn(
        'forwarding',
        'iptables’ FORWARD policy is DROP (Docker sets it): tasks may not reach the outside',
        'iptables -I DOCKER-USER -i br+ -j ACCEPT; iptables -I DOCKER-USER -o br+ -j ACCEPT',
      ),
    ];
  } catch {
    return []; // no nft, said above
  }
}

/** What only makes sense to ask of this instance: its ports while it is down, its health while it is up. */
function checkInstance({ paths, self }: Deps): Promise<Check>[] {
  const config = readConfig(paths.config) ?? defaultConfig(paths.state);
  if (keeperPid(paths) !== null) return [checkHealth(paths, config.listen, config.apiPort)];
  const port = async (name: string, number: number, option: string): Promise<Check> => {
    const problem = await portProblem(config.listen, number);
    return problem === null ? ok(name, `${number} is free`) : missing(name, problem.text, `end it, or sudo ${self} up ${option} N`);
  };
  return [port('API port', config.apiPort, '--port'), port('URL port', config.endpointPort, '--endpoint-port')];
}

async function checkHealth(paths: InstancePaths, listen: string, port: number): Promise<Check> {
  const name = 'instance';
  try {
    const answer = await fetch(`http://${reachable(listen)}:${port}/_berth/health`, {
      signal: AbortSignal.timeout(2000),
    });
    if (answer.ok) return ok(name, `runs at ${listen}:${port} (${paths.state})`);
    return warn(name, `runs, but its API answers ${answer.status}`, `look into ${paths.log}/control.log`);
  } catch {
    return warn(name, 'runs, but its API does not answer', `look into ${paths.log}/control.log`);
  }
}

async function succeeds(clock: Clock, command: string, args: string[]): Promise<boolean> {
  try {
    return (await runChild(clock, findProgram(command), args, { timeoutMs: 5000 })).code === 0;
  } catch {
    return false;
  }
}
