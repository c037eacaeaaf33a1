/** The guest by itself, in a real machine under emulation: marks, begin, a container to its end, a new connection at any byte, the ends. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { realClock } from '#base/clock.ts';
import { bundleFiles } from '#sandbox/container/bundle.ts';
import { buildWarmDisk, warmPlan } from '#sandbox/microvm/warm-up.ts';
import { bootGuest, makeDisks, startGuest } from './guest-machine.ts';
import type { GuestLine, GuestMachine, GuestMessage } from './guest-machine.ts';
import { supervisorBinary } from './real-host.ts';

const plain = new URL('../../src/sandbox/container/golden/plain.json', import.meta.url);
const TASK = '0f1e2d3c4b5a69788796a5b4c3d2e1f0';
const network = { ip: '10.0.1.5', mac: '02:00:0a:00:01:05', gatewayIp: '10.0.1.1', gatewayMac: '02:00:0a:00:01:01', mtu: 1400 };

type State = {
  spoolEnd: number;
  failure: null | { message: string };
  containers: { status: string; exitCode: number | null; oomKilled: boolean; failure: null | { message: string } }[];
};
const stateOf = (message: GuestMessage | undefined): State | undefined => message?.['state'] as State | undefined;

/** A container's config.json as the platform renders it, running `script`. */
function config(script: string, change: (linux: Record<string, unknown>) => void = () => undefined): string {
  const config = JSON.parse(readFileSync(plain, 'utf8')) as Record<string, Record<string, unknown>> & { mounts: { type: string }[] };
  Object.assign(config['process'] ?? {}, { args: ['/bin/sh', '-c', script], env: ['PATH=/bin'], cwd: '/' });
  config['annotations'] = {};
  config.mounts = config.mounts.filter((mount) => mount.type !== 'bind');
  change(config['linux'] ?? {});
  return JSON.stringify(config);
}

function sendFile(line: GuestLine, path: string, content: string): void {
  line.send({ t: 'file', path, mode: 0o600, data: Buffer.from(content).toString('base64') });
}

const container = {
  name: 'c',
  runtimeId: 'r',
  bundle: '/run/berth/files/c',
  layers: ['/images/0'],
  essential: true,
  dependsOn: [],
  stopSignal: 'SIGTERM',
  stopTimeoutMs: 2000,
  startTimeoutMs: null,
  initProcess: false,
  cgroup: { cpuMillis: null, cpuShares: null, memoryBytes: null, pids: null },
};
const bundle = {
  taskId: TASK,
  dir: '/scratch/task',
  socket: '',
  hostname: 'ip-10-0-1-5',
  network: null,
  sysctls: {},
  pidMode: 'container',
  cgroup: { cpuMillis: null, cpuShares: null, memoryBytes: 64 * 1024 ** 2, pids: 64, path: 'task' },
  spoolBytes: 8 * 1024 ** 2,
  containers: [container],
};

function beginning(change: Record<string, unknown> = {}): object {
  const timeNs = `${BigInt(Date.now()) * 1_000_000n}`;
  const entropy = randomBytes(64).toString('base64');
  return { t: 'begin', entropy, timeNs, hostname: 'ip-10-0-1-5', network, images: 1, scratch: true, bundle, ...change };
}

async function exited(line: GuestLine): Promise<State> {
  const fits = (message: GuestMessage): boolean => stateOf(message)?.containers.every((one) => one.status === 'exited') === true;
  const state = stateOf(await line.expect('state', fits));
  assert.ok(state);
  await line.until('all output', () => state.spoolEnd === 0 || (line.output.at(-1)?.end ?? 0) >= state.spoolEnd);
  return state;
}

const said = (line: GuestLine): string => line.output.map((one) => one.text).join('\n');

describe('the guest', () => {
  let dir: string;
  let files: { image0: string; scratch: string };
  let open: GuestMachine[] = [];
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'berth-disks-'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  const boot = async (more: Record<string, string> = {}): Promise<{ machine: GuestMachine; line: GuestLine }> => {
    files = makeDisks(mkdtempSync(join(dir, 'disks-')));
    const booted = await bootGuest({ files: { ...files, ...more } });
    open.push(booted.machine);
    return booted;
  };
  const closeAll = async (): Promise<void> => {
    for (const machine of open) await machine.close();
    open = [];
  };

  it('begins a task, gives all of its output to each connection, and powers off when it is released', async () => {
    try {
      const { machine, line } = await boot();
      const script = `hostname; date +%s; cat /proc/meminfo /sys/class/net/eth0/address /sys/class/net/eth0/mtu; ip route; ip addr
        touch /written && i=0; while [ $i -lt 400 ]; do echo "line $i"; i=$((i+1)); done; read x </nowhere; sleep 2; exit 7`;
      sendFile(line, 'files/c/config.json', config(script));
      line.send(beginning());
      line.send({ t: 'attach', from: 0 });
      await line.until('output', () => line.output.length > 100);
      // This host dies amid a frame that claims more than it sends.
      line.write(Buffer.from('0000006400', 'hex'));
      line.write(Buffer.from('{"t":"ki'));
      line.close();

      const second = await machine.dial();
      const hello = await second.expect('guest');
      assert.deepEqual([hello['phase'], hello['taskId']], ['task', TASK]);
      second.send({ t: 'attach', from: 0 });
      const state = await exited(second);
      assert.deepEqual([state.failure, state.containers[0]?.failure, state.containers[0]?.exitCode], [null, null, 7]);
      const text = said(second);
      assert.match(text, /^ip-10-0-1-5\n/);
      assert.ok(Math.abs(Number(text.split('\n')[1]) - Date.now() / 1000) < 30, text.slice(0, 100));
      assert.match(text, /\n02:00:0a:00:01:05\n1400\ndefault via 10.0.1.1 dev eth0/);
      assert.match(text, /inet 10\.0\.1\.5\/32/);
      assert.deepEqual(
        text.split('\n').filter((one) => one.startsWith('line ')),
        Array.from({ length: 400 }, (_, n) => `line ${n}`),
      );
      second.send({ t: 'ack', to: state.spoolEnd });
      second.send({ t: 'release' });
      await second.expect('released');
      await machine.ended;
      assert.doesNotMatch(machine.console(), /berth-guest:|panic/);
    } finally {
      await closeAll();
    }
  });

  it('runs commands inside, with and without a terminal, and kills them when another host comes', async () => {
    try {
      const { machine, line } = await boot();
      sendFile(line, 'files/c/config.json', config('echo up; while :; do sleep 0.1; done'));
      line.send(beginning());
      line.send({ t: 'attach', from: 0 });
      await line.until('it runs', () => said(line) === 'up');
      const exec = (to: GuestLine, id: number, script: string, tty: boolean): void => {
        const command = ['/bin/sh', '-c', script];
        to.send({ t: 'exec', id, container: 'c', command, tty, cols: 120, rows: 40, env: { NAME: 'inside' }, user: null, cwd: '/tmp' });
      };
      exec(line, 1, 'echo $NAME; pwd; hostname; cat; cat /proc/self/cgroup; exit 3', false);
      line.send({ t: 'exec-input', id: 1, data: Buffer.from('ÿ typed\n').toString('base64'), eof: true });
      assert.equal((await line.expect('exec-exit'))['code'], 3);
      assert.equal(line.inside.get(1), 'inside\n/tmp\nip-10-0-1-5\nÿ typed\n0::/\n');
      exec(line, 2, 'tty; stty size; sleep 4321', true);
      await line.until('its terminal', () => line.inside.get(2) === '/dev/pts/0\r\n40 120\r\n');
      line.close();

      const second = await machine.dial();
      await second.expect('guest');
      second.send({ t: 'attach', from: 0 });
      exec(second, 3, 'while ps | grep -q "[s]leep 4321"; do sleep 0.1; done; echo gone', false);
      assert.equal((await second.expect('exec-exit'))['code'], 0);
      assert.equal(second.inside.get(3), 'gone\n');
      second.send({ t: 'kill' });
      const state = await exited(second);
      second.send({ t: 'ack', to: state.spoolEnd });
      second.send({ t: 'release' });
      await second.expect('released');
      await machine.ended;
    } finally {
      await closeAll();
    }
  });

  it('says why it can’t begin, and begins when it is told better', async () => {
    try {
      const { line } = await boot();
      const refusal = async (message: object): Promise<string> => {
        line.send(message);
        const { about, message: why } = await line.expect('error');
        return `${String(about)}: ${String(why)}`;
      };
      assert.match(await refusal({ t: 'stop' }), /^message: "stop" is not known/);
      assert.match(await refusal({ t: 'file', path: '../etc/x', mode: 0o600, data: '' }), /^file: ".*" is not a path of plain names/);
      assert.match(await refusal({ t: 'file', path: 'x', mode: 0o600, data: '!' }), /^file: .* not base64/);
      assert.match(await refusal({ t: 'begin' }), /^begin: missing field/);
      assert.match(await refusal(beginning({ entropy: 'AAAA' })), /^begin: entropy is not base64 of 64 bytes/);
      // The second disk holds nothing.
      assert.match(await refusal(beginning({ images: 2 })), /^begin: cannot mount the disk image1 \(erofs\)/);
      assert.match(await refusal(beginning({ bundle: { ...bundle, containers: [] } })), /^begin: a task has 1 to/);
      assert.match(await refusal({ ...beginning({ images: 2 }), t: 'settle' }), /^begin: cannot mount the disk image1 \(erofs\)/);
      // A task that can't begin unsettles the machine again.
      line.send({ ...beginning(), t: 'settle' });
      assert.match(await refusal({ ...beginning(), t: 'settle' }), /^begin: the machine is settled already/);
      assert.match(await refusal({ t: 'begin', bundle: { ...bundle, containers: [] } }), /^begin: a task has 1 to/);
      assert.match(await refusal({ t: 'begin', bundle }), /^begin: missing field/);
      sendFile(line, 'files/c/config.json', config('echo well'));
      line.send({ ...beginning(), t: 'settle' });
      line.send({ t: 'begin', bundle });
      line.send({ t: 'attach', from: 0 });
      const state = await exited(line);
      assert.deepEqual([said(line), state.containers[0]?.exitCode], ['well', 0]);
    } finally {
      await closeAll();
    }
  });

  it('rehearses a start, and is then as it was before', async () => {
    try {
      const image9 = await buildWarmDisk(realClock(), supervisorBinary(), dir);
      const { line } = await boot({ image9 });
      const plan = { ...warmPlan(), dir: '/run/berth' };
      for (const image of Object.values(plan.images)) image.layers = ['/images/0'];
      const { files: sent } = bundleFiles(plan, {
        cgroup: 'task',
        socket: '',
        nofile: 1024,
        secrets: '/run/berth/secrets',
        storage: { place: '/scratch', disk: undefined },
      });
      for (const scratch of [true, false]) {
        sent.filter(({ path }) => path !== 'task.json').forEach(({ path, contents }) => sendFile(line, path, contents));
        const rehearsed = JSON.parse(sent.find(({ path }) => path === 'task.json')?.contents ?? '') as object;
        const address = { ...network, ip: '192.0.2.2' };
        const warm = { ...rehearsed, dir: '/scratch/task', network: null };
        line.send({ ...beginning({ bundle: warm, network: address, hostname: 'warm', scratch }), t: 'warm' });
        await line.until('the rehearsal', () => line.messages.some(({ t }) => t === 'warmed' || t === 'error'));
        assert.deepEqual(line.messages.splice(0), [{ t: 'warmed' }]);
      }
      sendFile(line, 'files/c/config.json', config('cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max; ip -4 addr; ip route; hostname'));
      line.send(beginning());
      line.send({ t: 'attach', from: 0 });
      const state = await exited(line);
      const text = said(line);
      assert.equal(state.containers[0]?.exitCode, 0, text);
      assert.match(text, /^67108864\nmax 100000\n/);
      assert.doesNotMatch(text, /192\.0\.2|warm/);
      assert.match(text, /inet 10\.0\.1\.5\/32[^]*\ndefault via 10\.0\.1\.1[^\n]*\nip-10-0-1-5$/);
    } finally {
      await closeAll();
    }
  });

  it('lets a task die of its memory limit, and lives', async () => {
    try {
      const { line } = await boot();
      sendFile(line, 'files/c/config.json', config('x=x; while :; do x=$x$x; done'));
      line.send(beginning());
      line.send({ t: 'attach', from: 0 });
      const [one] = (await exited(line)).containers;
      assert.deepEqual([one?.exitCode, one?.oomKilled], [137, true]);
      line.send({ t: 'resumed', entropy: randomBytes(64).toString('base64'), timeNs: '2000000000000000000' });
      line.send({ t: 'stats', id: 5 });
      const { stats } = (await line.expect('stats')) as unknown as { stats: { readAtMs: number; network: object | null } };
      assert.ok(stats.readAtMs >= 2_000_000_000_000 && stats.readAtMs < 2_000_000_030_000, `${stats.readAtMs}`);
      assert.ok(stats.network);
    } finally {
      await closeAll();
    }
  });

  it('ends the machine when the kernel panics, under a task or before', async () => {
    try {
      const { machine, line } = await boot();
      const panic = config('echo c >/proc/sysrq-trigger', (linux) => Object.assign(linux, { readonlyPaths: [], maskedPaths: [] }));
      sendFile(line, 'files/c/config.json', panic);
      line.send(beginning());
      await machine.ended;
      assert.match(machine.console(), /Kernel panic - not syncing: sysrq triggered crash/);

      const other = await startGuest({ files, commandLine: 'rdinit=/nowhere' });
      open.push(other);
      await other.ended;
      assert.match(other.console(), /Kernel panic - not syncing/);
    } finally {
      await closeAll();
    }
  });
});
