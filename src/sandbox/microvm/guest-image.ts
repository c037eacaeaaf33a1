/** What every microVM boots: Debian's cloud kernel and an initramfs that holds the supervisor and modules. Made once, kept by content. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { CHARACTER_DEVICE, DIRECTORY, REGULAR, writeCpio, type CpioItem } from './cpio.ts';
import { kernelVersion, loadModules, unpackKernel, type Module } from './guest-kernel.ts';

export type GuestImage = {
  /** Paths of the two files. */
  kernel: string;
  initrd: string;
  /** The kernel's, as `uname -r`. */
  version: string;
  /** SHA-256 (hex) of all that went in: the same id, the same guest. */
  id: string;
};

export type GuestImageOptions = {
  /** An unpacked linux-image-*-cloud package. */
  packageDir: string;
  /** The supervisor's binary, statically linked. */
  supervisor: string;
  /** Images are kept in DIR/ID; it is made. */
  dir: string;
};

/** Loaded at boot, in this order, each after what it needs. Devices show up (by ACPI) once virtio_mmio is there. */
const bootModules = ['virtio_mmio', 'virtio_blk', 'virtio_net', 'virtio_console', 'virtio_rng', 'erofs', 'overlay'];
/** File systems of volumes; ext4 is in the kernel. */
const volumeModules = ['xfs'];
/** For containers that may have devices (docs/isolation.md): file systems in user space, tunnels, disks in files; 0.6 MiB. */
const deviceModules = ['fuse', 'tun', 'loop'];
/** For faults of the network: latency (net/latency.rs). */
const faultModules = ['sch_prio', 'sch_netem', 'cls_u32'];
/**
 * For volumes on shared file systems (shared.ts). They take as long to load under emulation as all the others, and 5 MiB: so they lie packed (1 MiB)
 * in the initramfs until a task has such a volume.
 */
const sharedModules = ['nfsv4'];
/** Changes when the same input gives another image. */
const FORMAT = '3';
const PROBE_MS = 10_000;

/** Answers the image for this kernel and supervisor, and makes it when it isn't there. Throws Unavailable without a package. */
export async function buildGuestImage(options: GuestImageOptions): Promise<GuestImage> {
  const { packageDir, dir } = options;
  const version = await kernelVersion(packageDir);
  const atBoot = [...bootModules, ...volumeModules, ...deviceModules, ...faultModules];
  const [packed, supervisor, modules, allModules] = await Promise.all([
    readFile(join(packageDir, 'boot', `vmlinuz-${version}`)),
    readFile(options.supervisor),
    loadModules(packageDir, version, atBoot),
    loadModules(packageDir, version, [...atBoot, ...sharedModules]),
  ]);
  const initrd = renderInitramfs(supervisor, modules, allModules.slice(modules.length));
  const hash = createHash('sha256').update(`berth guest ${FORMAT} ${version}\n`);
  const id = hash.update(packed).update(initrd).digest('hex');
  const place = join(dir, id);
  const image = { kernel: join(place, 'vmlinux'), initrd: join(place, 'initramfs'), version, id };
  if ((await stat(place).catch(() => null)) !== null) return image;
  // Renamed into place whole. Two that make the same image at once both succeed.
  const temp = `${place}.${process.pid}.new`;
  await rm(temp, { recursive: true, force: true });
  await mkdir(temp, { recursive: true });
  await writeFile(join(temp, 'vmlinux'), unpackTwice(packed));
  await writeFile(join(temp, 'initramfs'), initrd);
  try {
    await rename(temp, place);
  } catch (error) {
    await rm(temp, { recursive: true, force: true });
    if ((await stat(place).catch(() => null)) === null) throw error;
  }
  return image;
}

const UNPACK_TRIES = 3;

/**
 * Nothing in the package tells a kernel that was unpacked wrongly. One such was seen, with a match of 19 bytes copied from one byte too early: it
 * booted nowhere, and stayed under the name of the right one.
 */
function unpackTwice(packed: Buffer): Buffer {
  for (let tries = 1; tries <= UNPACK_TRIES; tries++) {
    const kernel = unpackKernel(packed);
    if (kernel.equals(unpackKernel(packed))) return kernel;
  }
  throw new Fault('Internal', 'unpacking the kernel gives something else each time: is the memory of this machine sound?');
}

/** `later`: loaded when they are needed. */
function renderInitramfs(supervisor: Buffer, modules: Module[], later: Module[]): Buffer {
  const directory = (name: string): CpioItem => ({ name, mode: DIRECTORY | 0o755 });
  const orderOf = (all: Module[], ending: string) => Buffer.from(all.map(({ name }) => `${name}${ending}\n`).join(''));
  return writeCpio([
    directory('dev'),
    // The supervisor's words before it has mounted anything.
    { name: 'dev/console', mode: CHARACTER_DEVICE | 0o600, device: { major: 5, minor: 1 } },
    { name: 'init', mode: REGULAR | 0o755, data: supervisor },
    directory('modules'),
    { name: 'modules/order', mode: REGULAR | 0o644, data: orderOf(modules, '.ko') },
    ...modules.map(({ name, data }) => ({ name: `modules/${name}.ko`, mode: REGULAR | 0o644, data })),
    directory('later'),
    { name: 'later/order', mode: REGULAR | 0o644, data: orderOf(later, '.ko.gz') },
    ...later.map(({ name, data }) => ({ name: `later/${name}.ko.gz`, mode: REGULAR | 0o644, data: gzipSync(data, { level: 9 }) })),
  ]);
}

export type GuestCommandLineOptions = {
  accel: 'kvm' | 'tcg';
  /** Under emulation: the rate of this machine's time-stamp counter, as `readTscKhz` tells. */
  tscKhz: number | null;
  /** Stamps of the way to a task's start on the console. */
  trace?: boolean;
};

/** The guest kernel's command line. */
export function guestCommandLine({ accel, tscKhz, trace }: GuestCommandLineOptions): string {
  const words = ['console=ttyS0', 'quiet', 'nokaslr', 'cryptomgr.notests'];
  // A dead guest ends at once: by a triple fault, since this machine has no other way to be reset, and QEMU's -no-reboot.
  words.push('panic=-1', 'reboot=t');
  // Mounts and namespaces wait for grace periods, which the timer makes long.
  words.push('rcupdate.rcu_expedited=1');
  // What asks for more memory than the machine has gets it, and ends by the task's limit when it takes it, as on any larger machine.
  words.push('sysctl.vm.overcommit_memory=1');
  if (accel === 'tcg') {
    // Emulation gives nothing to side channels that it doesn't give anyway; with KVM containers are kept apart as on any machine.
    words.push('mitigations=off');
    // The guest would measure the counter against the PIT, fail when the host is busy, and then wait for ever for a tick: this machine
    // has no interrupt of the old kind. Later it would compare it with ticks, which get lost, and take those for its clock.
    if (tscKhz !== null) words.push(`tsc_early_khz=${tscKhz}`, 'tsc=reliable');
  }
  if (trace === true) words.push('berth.trace');
  return words.join(' ');
}

/** The rate of this machine's time-stamp counter in kHz, measured by the supervisor's probe (some 20 ms); null where there is none. */
export async function readTscKhz(clock: Clock, supervisor: string): Promise<number | null> {
  const { stdout } = await runChild(clock, supervisor, ['probe'], { timeoutMs: PROBE_MS });
  const found = (JSON.parse(stdout) as { tscKhz?: unknown }).tscKhz;
  return typeof found === 'number' && Number.isSafeInteger(found) && found > 0 ? found : null;
}
