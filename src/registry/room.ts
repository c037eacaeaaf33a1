/** Whether the disk has room for what comes: a registry that fills it would end tasks, whose disks are on it too. */
import { statfs } from 'node:fs/promises';
import { Fault } from '#base/fault.ts';

export type Room = {
  /** Throws CapacityUnavailable (details.kind `no-space`) where less than the floor would stay free. */
  assert(bytes: number): Promise<void>;
  /** Whether it was too little at the last look. */
  isShort(): boolean;
  /** Called whenever it is. */
  onShort(listener: () => void): void;
};

export function createRoom(dir: string, floorBytes: (diskBytes: number) => number): Room {
  let short = false;
  const listeners: (() => void)[] = [];
  return {
    async assert(bytes) {
      const { bavail, bsize, blocks } = await statfs(dir);
      short = bavail * bsize - bytes < floorBytes(blocks * bsize);
      if (!short) return;
      for (const listener of listeners) listener();
      throw noRoom();
    },
    isShort: () => short,
    onShort: (listener) => void listeners.push(listener),
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
