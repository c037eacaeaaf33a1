/**
 * Debian's docker.io as the peer: a daemon of its own with its data in a temporary folder, in network and mount namespaces of its own, so
 * that nothing of it is left on the machine. One that is a client of berth's registry stays in the machine's network, and touches nothing of it.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../test/e2e/platform.ts';

const run = promisify(execFile);
const DOCKER = '/usr/bin/docker';

export type DockerPeer = {
  version: string;
  /** Of the daemon; what belongs to it is in its mount namespace. */
  pid: string;
  docker(args: string[]): Promise<string>;
  /** The same as the words of a command, for a terminal. */
  words(args: string[]): string[];
  end(): Promise<void>;
};

/** Compiles what Debian's runsc needs around it under this docker; gives its path. */
function wrapRunsc(dir: string): string {
  mkdirSync(`${dir}/empty`);
  const env = { ...process.env, RUNSC: join(root, '.berth/gvisor/bin/runsc'), EMPTY: `${dir}/empty` };
  execFileSync('rustc', ['-O', '--edition=2021', '-o', `${dir}/runsc`, join(root, 'bench/runsc-wrap/wrap.rs')], { env });
  return `${dir}/runsc`;
}

/** Its runtimes are runc and runsc; a client's is runc alone, and its containers have no network. */
export async function startDocker(role: 'peer' | 'client' = 'peer'): Promise<DockerPeer> {
  if (!existsSync(DOCKER)) throw new Error('the peer is missing: apt-get install docker.io iptables');
  const dir = mkdtempSync(join(tmpdir(), 'berth-docker-'));
  const cgroupParent = `berth-bench-docker-${process.pid}`;
  const own = `--data-root ${dir}/root --exec-root ${dir}/exec -p ${dir}/pid -H unix://${dir}/sock --cgroup-parent /${cgroupParent}`;
  const command =
    role === 'client'
      ? `exec dockerd ${own} --bridge=none --iptables=false --ip-forward=false --ip-masq=false`
      : `ip link set lo up; exec dockerd --add-runtime runsc=${wrapRunsc(dir)} ${own}`;
  writeFileSync(`${dir}/log`, '');
  const daemon = spawn('unshare', [...(role === 'peer' ? ['--net'] : []), '--mount', 'sh', '-c', `${command} >${dir}/log 2>&1`], {
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => daemon.once('exit', resolve));
  const words = (args: string[]) => [DOCKER, '--config', `${dir}/config`, '-H', `unix://${dir}/sock`, ...args];
  const docker = async (args: string[]) => (await run(DOCKER, words(args).slice(1), { timeout: 120_000 })).stdout.trim();
  const end = async () => {
    daemon.kill('SIGTERM');
    await ended;
    removeCgroups(cgroupParent);
    rmSync(dir, { recursive: true, force: true });
  };
  for (let waited = 0; ; waited++) {
    try {
      return { version: await docker(['version', '--format', '{{.Server.Version}}']), pid: String(daemon.pid), docker, words, end };
    } catch (error) {
      if (waited < 100) await new Promise((resolve) => setTimeout(resolve, 200));
      else {
        await end();
        throw new Error(`dockerd did not start: ${execFileSync('tail', ['-3', `${dir}/log`], { encoding: 'utf8' })}`, { cause: error });
      }
    }
  }
}

function removeCgroups(name: string): void {
  const hierarchies = [
    '/sys/fs/cgroup',
    ...readdirSync('/sys/fs/cgroup', { withFileTypes: true })
      .filter((e) => e.isDirectory())
      .map((e) => `/sys/fs/cgroup/${e.name}`),
  ];
  for (const hierarchy of hierarchies) {
    const path = join(hierarchy, name);
    if (existsSync(path)) rmdirSync(path);
  }
}
