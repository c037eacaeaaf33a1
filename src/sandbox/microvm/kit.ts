/** All that machines are made of on this host: QEMU's room, the guest's kernel and first file system, an accelerator. Found out once. */
import { access, constants, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import type { Accelerator } from '#domain/task-spec.ts';
import { flag, record, text } from '#supervisor/check.ts';
import { buildGuestImage, readTscKhz } from './guest-image.ts';
import type { GuestImage } from './guest-image.ts';
import { makeRoom } from './room.ts';
import type { Room } from './room.ts';

export type Kit = {
  room: Room;
  guest: GuestImage;
  tscKhz: number | null;
  /** Changes whenever the machine starts, and with it perhaps its processor, its counter's rate or its KVM. */
  bootId: string;
};

export type KitOptions = {
  clock: Clock;
  /** Where rooms, guest images and what was found out about KVM are kept. */
  dir: string;
  /** An unpacked linux-image-*-cloud package. */
  packageDir: string;
  /** The supervisor's binary. */
  supervisor: string;
};

/**
 * Throws Unavailable with what is missing and how to get it. Reading QEMU, its libraries and the kernel takes some 200 ms, so what was
 * found is kept in `kit.json` for as long as the system's packages and the supervisor are the same.
 */
export async function makeKit(options: KitOptions): Promise<Kit> {
  const { clock, dir, packageDir, supervisor } = options;
  await mkdir(dir, { recursive: true, mode: 0o755 });
  const path = join(dir, 'kit.json');
  const key = await stampOf([supervisor, packageDir, '/usr/bin/qemu-system-x86_64', DPKG_STATUS]);
  const [known, tscKhz, bootId] = await Promise.all([readKit(path, key), readTscKhz(clock, supervisor), readFile(BOOT_ID, 'utf8')]);
  if (known !== null) return { ...known, tscKhz, bootId: bootId.trim() };
  const [room, guest] = await Promise.all([
    makeRoom({ clock, dir: join(dir, 'rooms') }),
    buildGuestImage({ packageDir, supervisor, dir: join(dir, 'guests') }),
  ]);
  if (key !== null) await replace(path, JSON.stringify({ key, room, guest }));
  return { room, guest, tscKhz, bootId: bootId.trim() };
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
/** Every change of a package of Debian's shows here. */
const DPKG_STATUS = '/var/lib/dpkg/status';

/** When and how long these files were last; null when one isn't there. */
async function stampOf(paths: string[]): Promise<string | null> {
  const all = await Promise.all(paths.map((path) => stat(path).catch(() => null)));
  return all.includes(null) ? null : all.map((one) => `${one?.size}@${one?.mtimeMs}`).join(' ');
}

const checkKit = record({
  key: text(),
  room: record({ path: text(), program: text(), version: text() }),
  guest: record({ kernel: text(), initrd: text(), version: text(), id: text() }),
});

/** null when it is another's, unreadable, or what it names is gone. */
async function readKit(path: string, key: string | null): Promise<{ room: Room; guest: GuestImage } | null> {
  try {
    const { key: said, room, guest } = checkKit(JSON.parse(await readFile(path, 'utf8')), path);
    await Promise.all([join(room.path, room.program), guest.kernel, guest.initrd].map((file) => access(file)));
    return said === key ? { room, guest } : null;
  } catch {
    return null;
  }
}

async function replace(path: string, contents: string): Promise<void> {
  await writeFile(`${path}.${process.pid}`, contents);
  await rename(`${path}.${process.pid}`, path);
}

const checkVerdict = record({ key: text(), works: flag, reason: text() });

export type KvmVerdict = { works: boolean; reason: string };

/**
 * Whether KVM boots a guest here: a KVM that opens but doesn't is not KVM. The answer holds for this boot of the machine, this QEMU and
 * this guest kernel, and is kept in `kvm.json`, since a guest that never comes up takes seconds to be given up.
 */
export async function askKvm(kit: Kit, dir: string, log: Log, boot: () => Promise<void>): Promise<KvmVerdict> {
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return { works: false, reason: 'there is no /dev/kvm that opens' };
  }
  const path = join(dir, 'kvm.json');
  const key = [kit.bootId, kit.room.version, kit.guest.version].join(' ');
  const known = await readFile(path, 'utf8').then(
    (said) => checkVerdict(JSON.parse(said), path),
    () => null, // not asked yet, or half written
  );
  if (known?.key === key) return { works: known.works, reason: known.reason };
  const verdict = await boot().then(
    (): KvmVerdict => ({ works: true, reason: 'KVM boots a guest' }),
    (error: unknown): KvmVerdict => ({ works: false, reason: `/dev/kvm opens, but boots no guest: ${asFault(error).message}` }),
  );
  log.info('kvm.asked', verdict);
  await mkdir(dirname(path), { recursive: true });
  await replace(path, JSON.stringify({ key, ...verdict }));
  return verdict;
}

/** What `--accel` wants, as far as it goes here. Throws Unavailable when KVM was asked for by name and doesn't work. */
export function chooseAccelerator(wanted: Accelerator | 'auto', kvm: KvmVerdict): Accelerator {
  if (wanted === 'kvm' && !kvm.works) throw new Fault('Unavailable', `KVM was asked for by name: ${kvm.reason}`);
  return wanted === 'tcg' || !kvm.works ? 'tcg' : 'kvm';
}
