/**
 * A systemd of a test's own: PID 1 of namespaces and control groups that no other process is in, with no units but a few empty targets. The
 * machine's network and files are shared with it; what it writes to /etc/systemd and /run is its own.
 */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './platform.ts';

const PROGRAM = '/lib/systemd/systemd';
const targets = 'sysinit basic multi-user network-online shutdown umount final local-fs';

export type Systemd = {
  /** Runs a command beside it. */
  run(file: string, args: string[], timeoutMs?: number): string;
  /** Cuts the power; its control groups are gone with it. The units that were installed are there again at the next boot. */
  cut(): Promise<void>;
  boot(): Promise<void>;
  end(): Promise<void>;
};

/** `options`: of `mount`. */
type Hierarchy = { mount: string; options: string };

/** Why there can be none here; undefined when there can. */
export function systemdMissing(): string | undefined {
  if (!existsSync(PROGRAM)) return 'this machine has no systemd to try the unit with';
  return hierarchies().some((one) => one.options.endsWith('none,name=systemd'))
    ? undefined
    : 'control groups of version 2 alone: the test knows the hybrid layout';
}

/** The machine's control groups. */
function hierarchies(): Hierarchy[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => {
      if (line.includes(' - cgroup2 ')) return [{ mount: line.split(' ')[4] ?? '', options: '-t cgroup2' }];
      const [mount = '', options = ''] = [line.split(' ')[4], / - cgroup \S+ (\S+)$/.exec(line)?.[1]];
      const kind = options
        .split(',')
        .filter((word) => word !== 'rw' && word !== 'ro')
        .join(',');
      return kind === '' ? [] : [{ mount, options: `-t cgroup -o ${kind.startsWith('name=') ? 'none,' : ''}${kind}` }];
    });
}

/** `dir`: for its scripts and units. `group`: name of its control groups. */
export async function startSystemd(dir: string, group: string, env: Record<string, string>): Promise<Systemd> {
  const all = hierarchies().filter((one) => one.options !== '-t cgroup -o cpuset');
  const join_ = all.map(({ mount }) => `mkdir -p ${mount}/${group}; echo $$ > ${mount}/${group}/cgroup.procs`).join('\n');
  mkdirSync(join(dir, 'units'), { recursive: true });
  writeFileSync(join(dir, 'inner'), inner(dir, all));
  let outer: ChildProcess | undefined;
  let pid = 0;

  const systemd: Systemd = {
    run(file, args, timeoutMs = 120_000) {
      const enter = `${join_}\nexec nsenter -t ${pid} -m -p -C -u -i -- "$0" "$@"`;
      return execFileSync('sh', ['-ec', enter, file, ...args], {
        encoding: 'utf8',
        timeout: timeoutMs,
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    },
    async cut() {
      if (outer === undefined || outer.exitCode !== null) return;
      const ended = new Promise((resolve) => outer?.once('close', resolve));
      process.kill(pid, 'SIGKILL');
      await ended;
      outer = undefined;
      for (const { mount } of all) {
        if (existsSync(`${mount}/${group}`))
          execFileSync('find', [`${mount}/${group}`, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', '+']);
      }
    },
    async boot() {
      const namespaces = '--mount --pid --cgroup --uts --ipc --fork --kill-child --mount-proc';
      outer = spawn('sh', ['-ec', `${join_}\nexec unshare ${namespaces} sh -e ${dir}/inner`], { stdio: 'ignore' });
      await until('systemd', async () => {
        pid = Number(readFileSync(`/proc/${outer?.pid}/task/${outer?.pid}/children`, 'utf8').trim());
        if (!(pid > 0 && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'systemd')) return false;
        try {
          return /running|starting/.test(systemd.run('systemctl', ['is-system-running']));
        } catch {
          return false; // not yet, or not all is well
        }
      });
    },
    end: () => systemd.cut(),
  };
  await systemd.boot();
  return systemd;
}

/** What becomes PID 1 sees only its own part of the control groups, and keeps its units in `dir`. */
function inner(dir: string, all: Hierarchy[]): string {
  const mounts = all.map(({ mount, options }) => `mkdir -p ${mount}; mount ${options} cgroup ${mount}`).join('\n');
  return `mount --make-rprivate /
umount -l /sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
${mounts}
# Other instances' namespaces: hidden below the new /run, they could not be let go of.
for below in $(awk '$5 ~ "^/run" {print $5}' /proc/self/mountinfo | sort -r); do umount -l $below; done
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /etc/systemd
mkdir /etc/systemd/system
mount --bind ${dir}/units /etc/systemd/system
cd /etc/systemd/system
for target in ${targets}; do printf '[Unit]\\nDefaultDependencies=no\\n' > $target.target; done
export container=test SYSTEMD_UNIT_PATH=/etc/systemd/system
exec ${PROGRAM} --system --unit=multi-user.target --show-status=no
`;
}
