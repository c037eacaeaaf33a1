/** What only a container of a microVM may have: the guest's devices, all rights, and containers of its own. In a machine under emulation. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { containerSpec, taskSpec } from '#domain/samples.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import { render } from '#sandbox/container/render.ts';
import type { SandboxPlan } from '#sandbox/driver.ts';
import { bootGuest, makeDisks } from './guest-machine.ts';
import type { GuestMessage } from './guest-machine.ts';

type Ended = { exitCode: number | null; failure: { message: string } | null };

const TASK = '0f1e2d3c4b5a69788796a5b4c3d2e1f0';
const config = { entrypoint: [], cmd: [], env: [], workingDir: '/', user: '', stopSignal: null, labels: {}, exposedPorts: [] };
const image = { ref: 'busybox', digest: 'sha256:0', layers: ['/images/0'], config };

function planOf(container: ContainerSpec): SandboxPlan {
  const network = { ip: '10.0.1.5', mac: '02:00:0a:00:01:05', gatewayIp: '10.0.1.1', gatewayMac: '02:00:0a:00:01:01' };
  return {
    taskId: TASK,
    kind: 'microvm',
    spec: taskSpec({ containers: [container] }),
    dir: '/scratch/task',
    network: { ...network, hostname: 'ip-10-0-1-5', mtu: 1400, routerNetns: '', routerIf: '' },
    images: { [container.name]: image },
    environment: { [container.name]: { PATH: '/bin' } },
    runtimeIds: {},
    files: {},
    volumes: {},
  };
}

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-devices-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

/** Runs a script in one container of a fresh machine, with the bundle that the platform renders for it; its lines, and how it ended. */
async function run(script: string, change: Partial<ContainerSpec>): Promise<{ lines: string[]; ended: Ended }> {
  const container = containerSpec({ command: ['/bin/sh', '-c', script], ...change });
  const { machine, line } = await bootGuest({ files: makeDisks(mkdtempSync(join(dir, 'disks-'))) });
  try {
    const rendered = JSON.stringify(
      render(planOf(container), container, { root: '/run/berth/c/rootfs', files: {}, volumes: {}, nofile: 1024 }),
    );
    line.send({ t: 'file', path: 'c/config.json', mode: 0o600, data: Buffer.from(rendered).toString('base64') });
    const cgroup = { cpuMillis: null, cpuShares: null, memoryBytes: null, pids: null };
    const bundle = {
      taskId: TASK,
      dir: '/scratch/task',
      socket: '',
      hostname: 'ip-10-0-1-5',
      network: null,
      sysctls: {},
      pidMode: 'container',
      cgroup: { ...cgroup, memoryBytes: 128 * 1024 ** 2, pids: 128, path: 'task' },
      spoolBytes: 8 * 1024 ** 2,
      containers: [
        {
          name: container.name,
          runtimeId: 'r',
          bundle: '/run/berth/c',
          layers: image.layers,
          essential: true,
          dependsOn: [],
          stopSignal: 'SIGTERM',
          stopTimeoutMs: 2000,
          startTimeoutMs: null,
          initProcess: false,
          cgroup,
        },
      ],
    };
    const entropy = randomBytes(64).toString('base64');
    const timeNs = `${BigInt(Date.now()) * 1_000_000n}`;
    line.send({ t: 'begin', entropy, timeNs, hostname: 'ip-10-0-1-5', network: null, images: 1, scratch: true, bundle });
    line.send({ t: 'attach', from: 0 });
    const one = (message: GuestMessage) => (message['state'] as { containers: (Ended & { status: string })[] }).containers[0];
    const state = await line.expect('state', (message) => one(message)?.status === 'exited');
    const { spoolEnd } = state['state'] as { spoolEnd: number };
    await line.until('all output', () => spoolEnd === 0 || line.output.reduce((sum, { text }) => sum + 23 + text.length, 0) >= spoolEnd);
    return { lines: line.output.map(({ text }) => text), ended: one(state) as Ended };
  } finally {
    line.close();
    await machine.close();
  }
}

describe('a container of a microVM', () => {
  it('that is privileged has all of its guest, and runs a container of its own inside', async () => {
    // By hand, with nothing but busybox: a root, a control group and namespaces of its own.
    const inside = `/bin/busybox sh -c 'echo "$(/bin/busybox hostname) runs as $$ in"; /bin/busybox ls /; /bin/busybox cat /proc/self/cgroup
      echo gone >/dev/null && echo written; exit 7'`;
    const script = `
      grep -E "CapEff|NoNewPrivs|Seccomp:" /proc/self/status
      for device in fuse net/tun loop-control kmsg vda; do [ -e /dev/$device ] && echo "has $device"; done
      mknod /x c 1 5 && head -c 1 /x | wc -c && echo 1 >/proc/sys/kernel/panic && echo "writes a kernel setting"
      mkdir /sys/fs/cgroup/outer && echo 0 >/sys/fs/cgroup/outer/cgroup.procs && echo +pids >/sys/fs/cgroup/cgroup.subtree_control || exit 20
      mkdir -p /inner/bin /inner/proc /inner/dev /inner/old /sys/fs/cgroup/inner && cp /bin/busybox /inner/bin/ && echo 9 >/sys/fs/cgroup/inner/pids.max || exit 21
      cat >/start <<'END'
        mount --bind /inner /inner && cd /inner && mount -t proc none proc && mount -t tmpfs none dev && mknod dev/null c 1 3 &&
        pivot_root . old && umount -l old && hostname nested && exec ${inside}
END
      (echo 0 >/sys/fs/cgroup/inner/cgroup.procs && exec unshare -m -p -f -u -i -n sh /start)
      echo "ended $?; $(hostname)"`;
    const { lines, ended } = await run(script, { privileged: true });
    assert.deepEqual([ended.failure, ended.exitCode], [null, 0], lines.join('\n'));
    assert.deepEqual(lines, [
      'CapEff:\t000001ffffffffff',
      'NoNewPrivs:\t0',
      'Seccomp:\t0',
      'has fuse',
      'has net/tun',
      'has loop-control',
      'has kmsg',
      'has vda',
      '1',
      'writes a kernel setting',
      'nested runs as 1 in',
      'bin',
      'dev',
      'old',
      'proc',
      '0::/inner',
      'written',
      'ended 7; ip-10-0-1-5',
    ]);
  });

  it('gets the devices that it asks for, and no others', async () => {
    const fuse = [{ hostPath: '/dev/fuse', containerPath: '/dev/my-fuse', permissions: 'rwm' }];
    const script =
      'exec 3<>/dev/my-fuse && echo opens; for d in kmsg vda fuse loop-control; do [ -e /dev/$d ] && echo has $d; done; grep Seccomp: /proc/self/status';
    const { lines, ended } = await run(script, { devices: fuse, capabilities: { add: ['SYS_ADMIN'], drop: [] } });
    assert.deepEqual([ended.failure, ended.exitCode], [null, 0], lines.join('\n'));
    assert.deepEqual(lines, ['opens', 'Seccomp:\t2']);
  });

  it('that asks for a device which the guest lacks does not start, and says which', async () => {
    const nope = [{ hostPath: '/dev/nope', containerPath: '/dev/nope', permissions: 'rwm' }];
    const { ended } = await run('true', { devices: nope });
    assert.match(ended.failure?.message ?? '', /cannot give the device \/dev\/nope: .*No such file/i);
  });
});
