/** Whether the disk has room for what comes: a registry that fills it would end tasks, whose disks are on it too. */
import { statfs } from 'node:fs/promises';
import { Fault } from '#base/fault.ts';

export type Room = {
  /** Throws CapacityUnavailable (details.kind `no-space`) where less than the floor would stay free. */
  assert(bytes: number): Promise<void>;
};

export function createRoom(dir: string, floorBytes: (diskBytes: number) => number): Room {
  return {
    async assert(bytes) {
      const { bavail, bsize, blocks } = await statfs(dir);
      if (bavail * bsize - bytes < floorBytes(blocks * bsize)) throw noRoom();
    },
  };
}

function noRoom(cause?: unknown): Fault {
  const text =
    'no space left on the disk of the registry: delete images (aws ecr batch-delete-image, berth image prune) or enlarge the disk';
  return new Fault('CapacityUnavailable', text, { details: { kind: 'no-space' }, cause });
}

/** A full disk in plain words; anything else as it is. */
export function diskFault(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' ? noRoom(error) : error;
}
