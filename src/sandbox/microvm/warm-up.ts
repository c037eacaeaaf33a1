/**
 * A task for nobody, which a restored machine runs while it waits in the pool: the task that comes finds code translated and pages
 * copied. The guest takes it as it takes a real one, by `{t: 'warm'}` with what `{t: 'begin'}` would say; its image is on the last disk.
 */
import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { containerSpec, taskSpec } from '#domain/samples.ts';
import type { SandboxPlan } from '../driver.ts';

const MKFS_MS = 30_000;
/** Says its version and ends: a program that is on every machine, linked statically. */
const PROGRAM = '/bin/berth-supervisor';
/** A version of our own making: the same disk for the same supervisor. */
const UUID = '00000000-0000-4000-8000-000000000000';

/** The disk (EROFS) of the rehearsal's image, in `dir`; made when it isn't there. Throws Unavailable without mkfs.erofs. */
export async function buildWarmDisk(clock: Clock, supervisor: string, dir: string): Promise<string> {
  const id = createHash('sha256')
    .update(await readFile(supervisor))
    .digest('hex');
  const path = join(dir, `warm-${id}.erofs`);
  if ((await stat(path).catch(() => null)) !== null) return path;
  const scratch = join(dir, `warm-${id}.${process.pid}.new`);
  try {
    for (const name of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp']) await mkdir(join(scratch, 'root', name), { recursive: true });
    await copyFile(supervisor, join(scratch, 'root', PROGRAM));
    const disk = join(scratch, 'disk');
    const args = ['--quiet', '-T0', `-U${UUID}`, '--all-root', disk, join(scratch, 'root')];
    const result = await runChild(clock, 'mkfs.erofs', args, { timeoutMs: MKFS_MS });
    if (result.code !== 0) throw new Fault('Internal', `mkfs.erofs could not make the rehearsal's disk: ${result.stderr.trim()}`);
    // QEMU reads it as a user of its own.
    await chmod(disk, 0o644);
    await rename(disk, path);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return path;
}

/** What the rehearsal runs, with the usual mounts, files, limits and filters. Its address is for documentation (RFC 5737). */
export function warmPlan(): SandboxPlan {
  const name = 'warm';
  const config = { entrypoint: [], cmd: [], env: [], workingDir: '', user: '', stopSignal: null, labels: {}, exposedPorts: [] };
  const image = { ref: name, digest: `sha256:${'0'.repeat(64)}`, layers: [], config };
  return {
    taskId: '0'.repeat(32),
    kind: 'microvm',
    dir: '',
    spec: taskSpec({
      cpuMillis: 1000,
      memoryBytes: 64 * 1024 ** 2,
      ephemeralBytes: 0,
      isolation: 'microvm',
      containers: [containerSpec({ name, image: name, entryPoint: [PROGRAM], command: ['version'], stopTimeoutMs: 1000 })],
    }),
    network: {
      ip: '192.0.2.2',
      mac: '02:00:c0:00:02:02',
      gatewayIp: '192.0.2.1',
      gatewayMac: '02:00:c0:00:02:01',
      hostname: name,
      mtu: 1500,
      routerNetns: '',
      routerIf: '',
    },
    images: { [name]: image },
    environment: { [name]: {} },
    runtimeIds: { [name]: name },
    files: { '/etc/resolv.conf': '\n', '/etc/hosts': '127.0.0.1 localhost\n', '/etc/hostname': `${name}\n` },
    volumes: {},
  };
}
