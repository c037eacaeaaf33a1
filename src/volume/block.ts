/**
 * `block`: a volume of its own, a sparse file with a file system. Containers and gVisor get the directory where it is mounted by a loop
 * device, once for all tasks that have it; a microVM gets the file, as a disk that nobody else has meanwhile.
 */
import { chown } from 'node:fs/promises';
import { asFault, Fault } from '#base/fault.ts';
import type { Clock } from '#base/clock.ts';
import type { BlockVolume } from '#domain/block-volume.ts';
import type { IsolationKind } from '#domain/task-spec.ts';
import { volumeBytes } from '#domain/volume.ts';
import type { VolumeFileSystem } from '#domain/volume.ts';
import type { VolumeSource } from '#domain/volume-source.ts';
import { createBlockFiles } from './block-files.ts';
import { createBlockTools, isMountPoint } from './block-tools.ts';
import { createTurns } from './turns.ts';

export type BlockVolumes = {
  /** Idempotent. Throws ResourceInitialization: it is in use, of another file system, or can't be made. */
  prepare(taskId: string, volume: BlockVolume, kind: IsolationKind): Promise<VolumeSource>;
  /** Of all of a task's; they stay. Idempotent, and safe without `prepare`. */
  release(taskId: string): Promise<void>;
  /** `tasks`: those that may have volumes. What others left is taken back. */
  recover(tasks: readonly string[]): Promise<void>;
  /** Makes it unless it is there, and at least so large. Throws ResourceNotFound for a snapshot that isn't here. */
  keep(volume: VolumeFile): Promise<void>;
  /** Throws Conflict while a task has it. Idempotent. */
  remove(id: string): Promise<void>;
  /** A copy of the volume as it is at one moment. Idempotent. Throws ResourceNotFound, and what `whileStill` throws. */
  snapshot(id: string, snapshotId: string, whileStill: WhileStill): Promise<{ bytes: number }>;
  removeSnapshot(id: string): Promise<void>;
  /** What each volume has written on the host's disk. */
  usage(): Promise<{ id: string; bytes: number }[]>;
};

/** Holds the microVM of a task still while something is done. */
export type WhileStill = (taskId: string, work: () => Promise<void>) => Promise<void>;

export type VolumeFile = { id: string; sizeGib: number; snapshotId: string | null };

/** What a volume is formatted with that says nothing: as AWS. */
const FILE_SYSTEM: VolumeFileSystem = 'xfs';

/** `hostDir`: STATE/host. `vmUser`: whom QEMU runs as; null where no microVM does. */
export function createBlockVolumes(clock: Clock, hostDir: string, vmUser: { uid: number; gid: number } | null): BlockVolumes {
  const tools = createBlockTools(clock);
  const files = createBlockFiles(hostDir, tools);
  const inTurn = createTurns();
  const isMounted = (id: string) => isMountPoint(files.place(id));

  const keep = async ({ id, sizeGib, snapshotId }: VolumeFile): Promise<void> => {
    const bytes = volumeBytes(sizeGib);
    if (await files.exists('volumes', id)) {
      if ((await files.size(id)) < bytes) await files.enlarge(id, bytes);
    } else if (snapshotId === null) await files.create(id, bytes);
    else {
      if (!(await files.exists('snapshots', snapshotId))) throw new Fault('ResourceNotFound', `snapshot ${snapshotId} is not on this host`);
      await files.copy({ kind: 'snapshots', id: snapshotId }, { kind: 'volumes', id }, bytes);
    }
    // Where it can't be grown in use it is grown when it is mounted the next time.
    if (await isMounted(id)) await growMounted(id).catch(() => {});
  };
  const grown = async (id: string, grow: (type: VolumeFileSystem) => Promise<void>): Promise<void> => {
    const meta = await files.meta('volumes', id);
    if (!meta.grown || meta.fileSystem === null) return;
    await grow(meta.fileSystem);
    await files.setMeta(id, { ...meta, grown: false });
  };
  const growMounted = (id: string) => grown(id, (type) => tools.growMounted(files.place(id), type));
  const mount = async (id: string, type: VolumeFileSystem): Promise<void> => {
    if (await isMounted(id)) return;
    if (type !== 'xfs') await grown(id, () => tools.growExt(files.image('volumes', id)));
    await tools.mount(files.image('volumes', id), files.place(id), type);
    if (type === 'xfs') await growMounted(id);
  };
  const format = async (volume: BlockVolume): Promise<VolumeFileSystem> => {
    const meta = await files.meta('volumes', volume.volumeId);
    const type = meta.fileSystem ?? volume.fileSystem ?? FILE_SYSTEM;
    if (volume.fileSystem !== null && type !== volume.fileSystem) {
      throw refusal(
        `volume ${volume.volumeId} has the file system ${type}, not ${volume.fileSystem}: ask for the one that its snapshot was taken of`,
      );
    }
    if (meta.fileSystem !== null) return type;
    await tools.format(files.image('volumes', volume.volumeId), type);
    await files.setMeta(volume.volumeId, { ...meta, fileSystem: type });
    return type;
  };
  const mounted = async (taskId: string, id: string, type: VolumeFileSystem): Promise<VolumeSource> => {
    if ((await files.meta('volumes', id)).guest) {
      throw refusal(
        `volume ${id} was written to by a microVM, and the host never mounts what a guest made: use the isolation microvm for it (tag berth:isolation)`,
      );
    }
    await files.addUser(id, taskId);
    await mount(id, type);
    return { kind: 'directory', path: files.place(id) };
  };
  const given = async (taskId: string, id: string, type: VolumeFileSystem): Promise<VolumeSource> => {
    const image = files.image('volumes', id);
    const meta = await files.meta('volumes', id);
    // Before the guest can write a byte.
    if (!meta.guest) await files.setMeta(id, { ...meta, guest: true });
    await files.addUser(id, taskId);
    if (vmUser !== null) await chown(image, vmUser.uid, vmUser.gid);
    return { kind: 'disk', path: image, fileSystem: type, bytes: await files.size(id) };
  };
  const drop = async (id: string, taskId: string): Promise<void> => {
    // Unmounted first: a crash in between leaves a user, which `recover` finds.
    const others = (await files.users(id)).filter((user) => user !== taskId);
    if (others.length === 0) await tools.unmount(files.place(id));
    await files.dropUser(id, taskId);
  };
  return {
    prepare: (taskId, volume, kind) =>
      inTurn(volume.volumeId, async () => {
        const id = volume.volumeId;
        await orRefused(keep({ id, sizeGib: volume.sizeGib, snapshotId: volume.snapshotId }));
        const other = (await files.users(id)).find((user) => user !== taskId);
        const guest = (await files.meta('volumes', id)).guest;
        if (other !== undefined && (kind === 'microvm' || guest || volume.from.by === 'launch')) {
          throw refusal(
            `volume ${id} is in use by task ${other}${kind === 'microvm' || guest ? ', and a microVM has its volumes for itself' : ''}`,
          );
        }
        const type = await format(volume);
        return await (kind === 'microvm' ? given(taskId, id, type) : mounted(taskId, id, type));
      }),
    async release(taskId) {
      for (const id of await files.list('volumes')) {
        if ((await files.users(id)).includes(taskId)) await inTurn(id, () => drop(id, taskId));
      }
    },
    async recover(tasks) {
      for (const id of await files.list('volumes')) {
        await inTurn(id, async () => {
          // A former agent may have died in the middle of a snapshot.
          if (await isMounted(id)) await tools.thaw(files.place(id)).catch(() => {});
          for (const user of await files.users(id)) if (!tasks.includes(user)) await drop(id, user);
          if ((await files.users(id)).length === 0) await tools.unmount(files.place(id));
        });
      }
      await files.list('snapshots');
    },
    keep: (volume) => inTurn(volume.id, () => keep(volume)),
    remove: (id) =>
      inTurn(id, async () => {
        const [user] = await files.users(id);
        if (user !== undefined) throw new Fault('Conflict', `volume ${id} is in use by task ${user}`);
        await files.remove('volumes', id);
      }),
    snapshot: (id, snapshotId, whileStill) =>
      inTurn(id, async () => {
        if (!(await files.exists('snapshots', snapshotId))) {
          if (!(await files.exists('volumes', id))) throw new Fault('ResourceNotFound', `volume ${id} is not on this host`);
          const copy = () => files.copy({ kind: 'volumes', id }, { kind: 'snapshots', id: snapshotId }, 0);
          const [user] = await files.users(id);
          if (await isMounted(id)) await frozen(files.place(id), copy);
          else if (user === undefined) await copy();
          else await whileStill(user, copy);
        }
        return { bytes: await files.used('snapshots', snapshotId) };
      }),
    removeSnapshot: (id) => files.remove('snapshots', id),
    async usage() {
      const ids = await files.list('volumes');
      return await Promise.all(ids.map(async (id) => ({ id, bytes: await files.used('volumes', id) })));
    },
  };

  async function frozen(place: string, work: () => Promise<void>): Promise<void> {
    await tools.freeze(place);
    try {
      await work();
    } finally {
      await tools.thaw(place);
    }
  }
}

const refusal = (reason: string) => new Fault('ResourceInitialization', `ResourceInitializationError: ${reason}`);

async function orRefused(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    const fault = asFault(error);
    throw fault.code === 'ResourceInitialization' ? fault : refusal(fault.message);
  }
}
