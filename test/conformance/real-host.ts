/** A machine of a test's own: the real kernel worker, a VPC, and a root file system of busybox. Needs root. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { realClock } from '#base/clock.ts';
import type { Clock } from '#base/clock.ts';
import { hexId } from '#base/ids.ts';
import { silentLog } from '#base/log.ts';
import type { Log } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { containerSpec, taskSpec } from '#domain/samples.ts';
import type { ContainerSpec, IsolationKind, TaskSpec } from '#domain/task-spec.ts';
import { projectedFiles } from '#host/hooks/environment.ts';
import type { PreparedImage } from '#image/types.ts';
import { instanceId } from '#main/paths.ts';
import { readOccupiedRanges } from '#network/machine.ts';
import { createNetwork } from '#network/network.ts';
import type { Network } from '#network/types.ts';
import { createContainerDriver } from '#sandbox/container/driver.ts';
import type { SandboxDriver, SandboxPlan } from '#sandbox/driver.ts';
import { createWorkerClient } from '#supervisor/worker-client.ts';
import type { WorkerClient } from '#supervisor/worker-client.ts';
import { createHostVolumes } from '#volume/kinds.ts';
import { createOneUser } from '#volume/one-user.ts';
import type { Volumes } from '#volume/volumes.ts';
import type { Inside, KindLimits, Life, SandboxUnderTest } from './sandbox.ts';
import { PATIENCE_MS } from './witness.ts';

/** How long the kernel may take to let go of a disk that nobody has mounted any more. */
const DISK_GONE_MS = 20_000;
const home = fileURLToPath(new URL('../..', import.meta.url));
const binaries = ['.berth/bin/berth-supervisor', 'supervisor/target/x86_64-unknown-linux-gnu/release/berth-supervisor'];
/** A range that no VPC of the product takes (RFC 6598), another one for each test process, so that several may run side by side. */
const RANGE = `100.${await freeOctet()}`;
export const VPC = {
  id: 'vpc-0123456789abcdef0',
  cidr: `${RANGE}.0.0/16`,
  gatewayIp: `${RANGE}.0.1`,
  address: (n: number) => `${RANGE}.0.${n}`,
};

export type RealHost = {
  dir: string;
  instance: string;
  runDir: string;
  worker: WorkerClient;
  network: Network;
  volumes: Volumes;
  driver: SandboxDriver;
  image: PreparedImage;
  plan(containers: ContainerSpec[], change?: Partial<TaskSpec>): Promise<SandboxPlan>;
  /** What a task left on the machine: mounts, cgroups, processes' sockets, files. */
  leftovers(taskId: string): Promise<string[]>;
  /** Connects to a task's port from the VPC's router, and gives all that is said there; empty when nobody answers. */
  dial(plan: SandboxPlan, port: number): Promise<string>;
  close(): Promise<void>;
};

/**
 * Of 100.64.0.0/10, the second octet of a /16 that no other process of the tests has and nothing on this machine is routed to: two begin at the same moment, before
 * either has a route. It is this process' for as long as that lives, by a socket in the abstract namespace.
 */
async function freeOctet(): Promise<number> {
  for (let n = 0; n < 64; n++) {
    const octet = 64 + ((process.pid + n) % 64);
    if (!(await isOurs(`\0berth-test-range-${octet}`))) continue;
    // The destination's bytes in the machine's order: 100.X.0.0 is 0000XX64.
    const destination = `\t0000${octet.toString(16).toUpperCase().padStart(2, '0')}64\t`;
    if (!readFileSync('/proc/net/route', 'utf8').includes(destination)) return octet;
  }
  throw new Error('every range of 100.64.0.0/10 is taken already');
}

function isOurs(name: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer().unref();
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)));
    server.listen(name, () => resolve(true));
  });
}

export function supervisorBinary(): string {
  const found = binaries.map((path) => join(home, path)).find((path) => existsSync(path));
  if (found === undefined)
    throw new Error(`the supervisor isn't built: none of ${binaries.join(', ')} is there; run tools/setup.sh supervisor`);
  return found;
}

/** What a driver may be made of. */
export type DriverParts = { worker: WorkerClient; clock: Clock; log: Log; instance: string; dir: string; runDir: string };

const containerDriver = ({ worker, clock, log, instance, dir, runDir }: DriverParts) =>
  createContainerDriver({ worker, clock, log }, { instance, runDir, models: join(dir, 'models') });

/** `makeDriver`: the kind that tasks of this machine run in; `container` unless another is given. */
export async function createRealHost(
  makeDriver: (parts: DriverParts) => SandboxDriver | Promise<SandboxDriver> = containerDriver,
): Promise<RealHost> {
  const clock = realClock();
  const random = realRandom();
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'berth-host-')));
  const instance = instanceId(dir);
  const runDir = join('/run/berth', instance);
  mkdirSync(runDir, { recursive: true, mode: 0o755 });
  const socket = join(runDir, 'worker.sock');
  const child = spawn(supervisorBinary(), ['serve', '--socket', socket], { stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const worker = createWorkerClient({ path: socket, clock });
  await worker.ping();
  const occupied = () => readOccupiedRanges(instance);
  const network = createNetwork(
    { worker, log: silentLog, occupied },
    { instance, runDir, ports: { dns: null, metadata: null, api: null }, mtu: 1500 },
  );
  const end = async () => {
    worker.close();
    child.kill('SIGTERM');
    await ended;
    for (const path of [dir, runDir]) rmSync(path, { recursive: true, force: true });
  };
  const driver = await Promise.resolve(makeDriver({ worker, clock, log: silentLog, instance, dir, runDir })).catch(
    async (error: unknown) => {
      await end();
      throw error;
    },
  );
  const volumes = createHostVolumes({ clock, oneUser: createOneUser(worker, instance) }, dir, null);
  const image = busybox(join(dir, 'layer'));
  let address = 10;
  return {
    dir,
    instance,
    runDir,
    worker,
    network,
    volumes,
    driver,
    image,
    async plan(containers, change = {}) {
      const taskId = hexId(random);
      const spec = taskSpec({ containers, ...change });
      const taskDir = join(dir, 'tasks', taskId);
      const n = address++;
      const ip = VPC.address(n);
      const mac = `02:00:0a:d5:00:${n.toString(16).padStart(2, '0')}`;
      const joined = { vpcId: VPC.id, vpcCidr: VPC.cidr, gatewayIp: VPC.gatewayIp, ip, mac, hostname: `ip-${ip.replaceAll('.', '-')}` };
      return {
        taskId,
        kind: kindOf(driver),
        spec,
        dir: taskDir,
        network: await network.taskNetwork(taskId, joined),
        images: Object.fromEntries(containers.map((one) => [one.name, image])),
        environment: Object.fromEntries(containers.map((one) => [one.name, { ...one.environment }])),
        runtimeIds: Object.fromEntries(containers.map((one) => [one.name, `${hexId(random)}-0000000001`])),
        files: projectedFiles(joined.hostname, ip),
        volumes: await volumes.prepare(taskId, spec.volumes, { kind: kindOf(driver), usersOf: () => [] }),
      };
    },
    leftovers: (taskId) => leftovers(taskId, dir, runDir),
    dial,
    async close() {
      await network.down();
      await worker.cgroupClean(`berth-${instance}`);
      await end();
    },
  };
}

function kindOf(driver: SandboxDriver): IsolationKind {
  if (driver.kind === 'fake') throw new Error('a real machine runs no fake sandboxes');
  return driver.kind;
}

function dial(plan: SandboxPlan, port: number): Promise<string> {
  const args = [`--net=${plan.network.routerNetns}`, '/bin/busybox', 'nc', '-w', '5', plan.network.ip, String(port)];
  const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.on('error', reject);
    child.on('close', () => resolve(text));
  });
}

async function leftovers(taskId: string, dir: string, runDir: string): Promise<string[]> {
  const found: string[] = [];
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  for (const line of mounts.split('\n')) if (line.includes(taskId)) found.push(`mount ${line.split(' ')[4] ?? ''}`);
  const groups = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '');
  for (const root of groups) {
    for (const name of await readdir(root)) {
      if (name.startsWith('berth-') && existsSync(join(root, name, taskId))) found.push(`cgroup ${join(root, name, taskId)}`);
    }
  }
  for (const path of [join(dir, 'tasks', taskId), join(runDir, 'sup', `${taskId}.sock`)]) if (existsSync(path)) found.push(`file ${path}`);
  return [...found, ...(await disksOf(taskId))];
}

/** Loop devices that a task's disk still stands behind; the kernel clears them a moment after the supervisor's end. */
async function disksOf(taskId: string): Promise<string[]> {
  const backing = async (device: string) => {
    const file = await readFile(`/sys/block/${device}/loop/backing_file`, 'utf8').catch(() => '');
    return file.includes(taskId) ? [`loop device ${device}`] : [];
  };
  for (let left = DISK_GONE_MS; ; left -= 50) {
    const found = (await Promise.all((await readdir('/sys/block')).filter((name) => name.startsWith('loop')).map(backing))).flat();
    if (found.length === 0 || left <= 0) return found;
    await sleep(50);
  }
}

/** One layer: a static busybox with its names, and the files that a user is looked up in. */
function busybox(layer: string): PreparedImage {
  for (const path of ['bin', 'etc', 'tmp', 'root', 'home/web']) mkdirSync(join(layer, path), { recursive: true });
  copyFileSync('/bin/busybox', join(layer, 'bin/busybox'));
  chmodSync(join(layer, 'bin/busybox'), 0o755);
  chmodSync(join(layer, 'tmp'), 0o1777);
  const names =
    'sh cat echo sleep id ls grep head tail touch mount umount nc ping dd wc stat env pwd hostname mknod chroot unshare kill ps true false ip tr seq yes stty tty date df sort';
  for (const name of names.split(' ')) symlinkSync('busybox', join(layer, 'bin', name));
  // What the image declares by VOLUME, with an owner and a mode of its own.
  mkdirSync(join(layer, 'declared/below'), { recursive: true });
  writeFileSync(join(layer, 'declared/below/file'), 'of the image\n', { mode: 0o640 });
  symlinkSync('below/file', join(layer, 'declared/link'));
  chownSync(join(layer, 'declared'), 1001, 1002);
  chmodSync(join(layer, 'declared'), 0o750);
  chownSync(join(layer, 'declared/below/file'), 1001, 1002);
  writeFileSync(join(layer, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nweb:x:1001:1002::/home/web:/bin/sh\n');
  writeFileSync(join(layer, 'etc/group'), 'root:x:0:\nweb:x:1002:\nstaff:x:1003:web\n');
  return {
    ref: 'docker.io/library/busybox:latest',
    digest: `sha256:${'0'.repeat(64)}`,
    layers: [layer],
    config: {
      entrypoint: [],
      cmd: ['/bin/sh', '-c', 'echo from the image'],
      env: ['PATH=/bin', 'FROM=image'],
      workingDir: '',
      user: '',
      stopSignal: null,
      labels: {},
      exposedPorts: [],
      volumes: ['/declared'],
    },
  };
}

/** A container that runs a shell script. */
export function scripted(text: string, change: Partial<ContainerSpec> = {}): ContainerSpec {
  return containerSpec({ entryPoint: ['/bin/sh', '-c'], command: [text], ...change });
}

/** For a shell: leaves a process that ends without a parent, and says so once nothing of it is left, also no zombie. */
export const untilReaped =
  "(sh -c 'echo $$ > /tmp/orphan' &); until [ -s /tmp/orphan ]; do sleep 0.05; done; while [ -e /proc/$(cat /tmp/orphan) ]; do sleep 0.05; done; echo reaped";

/** A life of the conformance suite as a container that really runs. */
export function living(life: Life, change: Partial<ContainerSpec> = {}): ContainerSpec {
  if (life.broken) return scripted('', { entryPoint: ['/no/such/command'], command: null, ...change });
  const prints = (life.prints ?? []).map((line) => `echo '${line}'`);
  const trap = life.deaf ? `trap '' TERM` : `trap 'exit 143' TERM`;
  const appears = (file: string, ms: number | null | undefined) =>
    typeof ms === 'number' ? [ms === 0 ? `> ${file}` : `(sleep ${ms / 1000}; > ${file}) &`] : [];
  const health = [...appears('/tmp/well', life.health?.wellAfterMs), ...appears('/tmp/sick', life.health?.sickAfterMs)];
  const end = life.exits === undefined ? 'while :; do sleep 0.05; done' : `exit ${life.exits}`;
  return scripted([trap, ...health, ...prints, end].join('\n'), change);
}

/** The same for a command that is run inside. */
export function acting(inside: Inside): string[] {
  if (inside.broken) return ['/no/such/command'];
  const parts = [...(inside.prints ?? []).map((line) => `echo '${line}'`), ...(inside.errors ?? []).map((line) => `echo '${line}' >&2`)];
  if (inside.echoes) parts.push('cat');
  // Asked for again and again: SIGWINCH isn't a part of every kind.
  if (inside.tellsSize) parts.push('told=; while :; do now=$(stty size); [ "$now" = "$told" ] || echo "$now"; told=$now; sleep 0.05; done');
  if (inside.waits) parts.push('while :; do sleep 0.05; done');
  return ['/bin/sh', '-c', [...parts, `exit ${inside.exits ?? 0}`].join('\n')];
}

/** Takes its memory in one read; piece by piece a quarter of a processor may take a minute over it. A guest's kernel gives nobody more than it has. */
export const HOG_AT_ONCE = 'exec dd if=/dev/zero of=/dev/null bs=1000M count=1';

/** What the suite wants to know of a kind that runs on a real machine. */
export function realSandbox(
  host: RealHost,
  options: { patienceMs?: number; limits?: Partial<KindLimits>; hog?: string } = {},
): SandboxUnderTest {
  return {
    driver: host.driver,
    container: living,
    command: acting,
    script: scripted,
    plan: host.plan,
    leftovers: host.leftovers,
    dial: host.dial,
    patienceMs: options.patienceMs ?? PATIENCE_MS,
    limits: { terminalName: true, ...options.limits },
    hog: options.hog ?? 'exec tail /dev/zero',
    close: host.close,
  };
}
