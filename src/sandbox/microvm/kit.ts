/** All that machines are made of on this host: QEMU's room, the guest's kernel and first file system, an accelerator. Found out once. */
import { access, constants, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
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

export type Kit = { room: Room; guest: GuestImage; tscKhz: number | null };

export type KitOptions = {
  clock: Clock;
  /** Where rooms, guest images and what was found out about KVM are kept. */
  dir: string;
  /** An unpacked linux-image-*-cloud package. */
  packageDir: string;
  /** The supervisor's binary. */
  supervisor: string;
};

/** Throws Unavailable with what is missing and how to get it. */
export async function makeKit(options: KitOptions): Promise<Kit> {
  const { clock, dir, packageDir, supervisor } = options;
  await mkdir(dir, { recursive: true, mode: 0o755 });
  const [room, guest, tscKhz] = await Promise.all([
    makeRoom({ clock, dir: join(dir, 'rooms') }),
    buildGuestImage({ packageDir, supervisor, dir: join(dir, 'guests') }),
    readTscKhz(clock, supervisor),
  ]);
  return { room, guest, tscKhz };
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
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const key = [bootId, kit.room.version, kit.guest.version].join(' ');
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
  await writeFile(`${path}.${process.pid}`, JSON.stringify({ key, ...verdict }));
  await rename(`${path}.${process.pid}`, path);
  return verdict;
}

/** What `--accel` wants, as far as it goes here. Throws Unavailable when KVM was asked for by name and doesn't work. */
export function chooseAccelerator(wanted: Accelerator | 'auto', kvm: KvmVerdict): Accelerator {
  if (wanted === 'kvm' && !kvm.works) throw new Fault('Unavailable', `KVM was asked for by name: ${kvm.reason}`);
  return wanted === 'tcg' || !kvm.works ? 'tcg' : 'kvm';
}
