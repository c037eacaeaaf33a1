/** The directory of berth's own registry. */
import { mkdir } from 'node:fs/promises';
import { limits } from '#base/limits.ts';
import { openBlobs, type Blobs } from './blobs.ts';
import { createRoom, type Room } from './room.ts';
import { openUploads, type Uploads } from './uploads.ts';

export type RegistryFiles = { blobs: Blobs; uploads: Uploads; room: Room };

export async function openRegistryFiles(dir: string, floorBytes: (diskBytes: number) => number = defaultFloor): Promise<RegistryFiles> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const room = createRoom(dir, floorBytes);
  return { room, blobs: await openBlobs(dir, room), uploads: await openUploads(dir, room) };
}

/** As where a host takes no more tasks (`host/info.ts`). */
const defaultFloor = (diskBytes: number): number => Math.min(diskBytes * limits.registryFloorShare, limits.registryFloorBytes);
