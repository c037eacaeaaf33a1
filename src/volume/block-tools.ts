/** The programs that work on a volume's file: making file systems, mounting them by a loop device, growing them, copying. */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { VolumeFileSystem } from '#domain/volume.ts';

/**
 * Nothing of a fresh, sparse file has to be zeroed. ext4 as the EBS drivers make it, without a reserve; xfs's log grows with the volume and
 * is written whole, so it is held down.
 */
const make: Record<VolumeFileSystem, readonly string[]> = {
  ext3: ['mkfs.ext3', '-q', '-F', '-m', '0', '-E', 'lazy_itable_init=1,lazy_journal_init=1'],
  ext4: ['mkfs.ext4', '-q', '-F', '-m', '0', '-E', 'lazy_itable_init=1,lazy_journal_init=1'],
  xfs: ['mkfs.xfs', '-q', '-f', '-K', '-l', 'size=64m'],
};
/** Room that files give up goes back to the host. A copy of a volume has its UUID, which xfs refuses to see twice. */
const mountOptions: Record<VolumeFileSystem, string> = {
  ext3: 'loop,nodev,discard',
  ext4: 'loop,nodev,discard,noinit_itable',
  xfs: 'loop,nodev,discard,nouuid',
};

const BUSY_MS = 5000;
const AGAIN_MS = 50;

export type BlockTools = ReturnType<typeof createBlockTools>;

/** Every function throws ResourceInitialization with what the program said. */
export function createBlockTools(clock: Clock) {
  const run = async (command: string, args: readonly string[], timeoutMs: number = limits.volumeCallMs): Promise<string> => {
    const { code, stdout, stderr } = await runChild(clock, command, [...args], { timeoutMs });
    if (code === 0) return stdout;
    throw new Fault('ResourceInitialization', `ResourceInitializationError: ${command} exited ${code}: ${stderr.trim().slice(-300)}`);
  };
  /** Whoever copied the machine's mounts and looks at this one, or is just being started, keeps it busy for a moment. */
  const unmountIdle = async (point: string, deadline = clock.now() + BUSY_MS): Promise<void> => {
    try {
      await run('umount', ['--no-canonicalize', point]);
    } catch (error) {
      if (!/busy/.test(String(error)) || clock.now() > deadline) throw error;
      await clock.sleep(AGAIN_MS);
      await unmountIdle(point, deadline);
    }
  };
  return {
    async format(image: string, type: VolumeFileSystem): Promise<void> {
      const [command = '', ...args] = make[type];
      await run(command, [...args, image]);
    },
    /**
     * The kernel gives the loop device up with the last mount. One that still has the file is used again, never a second one. The directory around the place
     * becomes a mount of its own, and shared: who has a copy of the machine's mounts, as a sandbox that waits for its task, then loses the volume when it is
     * unmounted here, also where the machine's own mounts are private.
     */
    async mount(image: string, place: string, type: VolumeFileSystem): Promise<void> {
      const around = dirname(place);
      if (!(await isMountPoint(around))) await run('mount', ['--no-canonicalize', '--bind', around, around]);
      await run('mount', ['--no-canonicalize', '--make-shared', around]);
      await run('mount', ['--no-canonicalize', '-t', type, '-o', mountOptions[type], image, place]);
    },
    /** Whatever `mount` came to. */
    async unmount(place: string): Promise<void> {
      for (const point of [place, dirname(place)]) if (await isMountPoint(point)) await unmountIdle(point);
    },
    /** Brings the file system of a mounted volume to the size of its file. ext4 allows that to CAP_SYS_RESOURCE alone. */
    async growMounted(place: string, type: VolumeFileSystem): Promise<void> {
      const device = (await mounts()).find((mount) => mount.place === place)?.device;
      if (device === undefined) throw new Fault('Internal', `nothing is mounted on ${place}`);
      await run('losetup', ['--set-capacity', device]);
      await (type === 'xfs' ? run('xfs_growfs', [place]) : run('resize2fs', [device]));
    },
    /** The same of one that nobody has; xfs can't. */
    async growExt(image: string): Promise<void> {
      await run('e2fsck', ['-f', '-p', image]);
      await run('resize2fs', [image]);
    },
    /** What is mounted there holds still: all that was written is on disk, and what would write waits. */
    freeze: (place: string) => run('fsfreeze', ['--freeze', place]),
    thaw: (place: string) => run('fsfreeze', ['--unfreeze', place]),
    /** Shares blocks where the file system can, else copies what isn't a hole. */
    async copy(from: string, to: string): Promise<void> {
      await run('cp', ['--reflink=auto', '--sparse=always', from, to], limits.snapshotCallMs);
    },
  };
}

export async function isMountPoint(dir: string): Promise<boolean> {
  return (await mounts()).some(({ place }) => place === dir);
}

async function mounts(): Promise<{ place: string; device: string }[]> {
  return (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const place = fields[4]?.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const device = fields[fields.indexOf('-') + 2];
    return place === undefined || device === undefined ? [] : [{ place, device }];
  });
}
