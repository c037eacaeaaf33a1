/** The same sandbox and container as berth makes, started by hand with `runsc create` and `start` of each, one after the other. */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runscFlags } from '#sandbox/gvisor/settings.ts';
import { root } from '../test/e2e/platform.ts';

const runsc = join(root, '.berth/gvisor/bin/runsc');
const kinds = ['pid', 'ipc', 'uts', 'mount'];

export type ByHand = {
  /** Milliseconds from before the first `runsc` until the container's first byte is here. */
  run(): Promise<number>;
  end(): void;
};

/** `program`: a static program for both containers, in whose place the sandbox's own one sleeps. */
export function runscByHand(program: string): ByHand {
  const dir = mkdtempSync(join(tmpdir(), 'berth-by-hand-'));
  for (const path of ['empty', 'root', 'sandbox/rootfs', 'app/rootfs']) mkdirSync(join(dir, path), { recursive: true });
  const bundle = (name: string, args: string[], annotations: Record<string, string>) => {
    copyFileSync(program, join(dir, name, 'rootfs/stamp'));
    const config = {
      ociVersion: '1.0.2',
      process: { user: { uid: 0, gid: 0 }, args: ['/stamp', ...args], env: [], cwd: '/', noNewPrivileges: true },
      root: { path: 'rootfs' },
      hostname: 'by-hand',
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
      ],
      annotations,
      linux: {
        namespaces: [...kinds, ...(name === 'sandbox' ? ['network'] : [])].map((type) => ({
          type,
          ...(type === 'network' ? { path: '/proc/self/ns/net' } : {}),
        })),
      },
    };
    writeFileSync(join(dir, name, 'config.json'), JSON.stringify(config));
  };
  bundle('sandbox', ['1000'], { 'io.kubernetes.cri.container-type': 'sandbox' });
  bundle('app', [], { 'io.kubernetes.cri.container-type': 'container', 'io.kubernetes.cri.sandbox-id': 'sandbox' });
  const command = `${runsc} --root=${dir}/root ${runscFlags.join(' ')}`;
  // All that isn't runsc's own comes before the word that the time is taken from.
  const script = `set -e
    mount --make-rslave /; mount -t proc proc /proc; mount --bind ${dir}/empty /proc/sys/net
    ip link set lo up; ip link add eth0 type veth peer name far; ip addr add 10.99.0.2/30 dev eth0; ip link set far up; ip link set eth0 up
    echo ready
    ${command} create --bundle ${dir}/sandbox sandbox </dev/null >/dev/null
    ${command} start sandbox
    ${command} create --bundle ${dir}/app app </dev/null >/dev/null
    # A pipe, where Node has a socket.
    ${command} start app </dev/null | cat
    sleep 60`;
  return {
    run: () => timed(script).finally(() => rmSync(join(dir, 'root'), { recursive: true, force: true })),
    end: () => rmSync(dir, { recursive: true, force: true }),
  };
}

function timed(script: string): Promise<number> {
  // In a PID namespace of its own, which ends with its shell, and everything that it started.
  const child = spawn('unshare', ['--net', '--mount', '--pid', '--fork', '--kill-child', '--ipc', '--uts', 'sh', '-c', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let errors = '';
  let began = 0;
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  return new Promise((resolve, reject) => {
    let took: number | undefined;
    const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
    child.stdout.on('data', (chunk: Buffer) => {
      const now = performance.now();
      said += chunk.toString();
      if (began === 0 && said.startsWith('ready\n')) began = now;
      if (said.length > 'ready\n'.length) {
        took ??= now - began;
        child.kill('SIGKILL');
      }
    });
    child.once('close', () => {
      clearTimeout(timer);
      if (took === undefined) reject(new Error(`runsc by hand: ${errors.slice(0, 1000)}`));
      else resolve(took);
    });
  });
}
