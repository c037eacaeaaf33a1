/**
 * Uploads that are under way: DIR/uploads/ID holds the bytes, ID.json whose they are. What was answered for is in the file, so that an upload goes on after
 * the process was killed; the running digest is made anew then. It is another thread's (`hasher.ts`), of what is in the file.
 */
import { mkdir, open, readdir, readFile, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { createHasher } from './hasher.ts';
import { diskFault, type Room } from './room.ts';

/** `owner`: the repository that it was begun in, in the words of the caller. */
export type UploadInfo = { id: string; owner: string; bytes: number };

export type Uploads = {
  begin(id: string, owner: string): Promise<UploadInfo>;
  /** Throws ResourceNotFound (details.kind `upload`) unless it is this owner's. */
  info(id: string, owner: string): Promise<UploadInfo>;
  /**
   * Adds bytes at the end. `at`: where the sender thinks that the end is, null when it says nothing; throws InvalidParameter (details.kind `range`, `bytes`) when it
   * is elsewhere, Conflict while somebody else adds. What had arrived when a body breaks off stays, and may be asked for; where the disk is full the upload is over.
   */
  append(id: string, owner: string, at: number | null, body: AsyncIterable<Uint8Array>): Promise<UploadInfo>;
  /** Synced to disk, and hashed; `take` may rename the file away. Throws InvalidParameter (details.kind `digest`) when the bytes are others. */
  finish<T>(id: string, owner: string, digest: string, take: (path: string, bytes: number) => Promise<T>): Promise<T>;
  /** Of an ended call: its digest so far. */
  digest(id: string, owner: string): Promise<string>;
  cancel(id: string, owner: string): Promise<void>;
  /** Removes those that nobody has added to since. */
  expire(before: number): Promise<number>;
};

type Live = { bytes: number; busy: boolean };

const CHUNK = 1024 * 1024;

export async function openUploads(dir: string, room: Room): Promise<Uploads> {
  const root = join(dir, 'uploads');
  await mkdir(root, { recursive: true, mode: 0o700 });
  const live = new Map<string, Live>();
  const hasher = createHasher();
  const path = (id: string) => join(root, id);

  const absent = (id: string) => new Fault('ResourceNotFound', `there is no upload ${id.slice(0, 60)}`, { details: { kind: 'upload' } });

  async function find(id: string, owner: string): Promise<Live> {
    if (!/^[0-9a-f-]{36}$/.test(id)) throw absent(id);
    const text = await readFile(`${path(id)}.json`, 'utf8').catch(() => undefined);
    if (text === undefined || (JSON.parse(text) as { owner: string }).owner !== owner) throw absent(id);
    const known = live.get(id);
    if (known !== undefined) return known;
    const again = { bytes: 0, busy: false };
    try {
      again.bytes = (await stat(path(id))).size;
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? absent(id) : error;
    }
    // Somebody else may have looked in the meantime.
    const first = live.get(id) ?? again;
    live.set(id, first);
    return first;
  }

  async function holding<T>(id: string, owner: string, work: (upload: Live) => Promise<T>): Promise<T> {
    const upload = await find(id, owner);
    if (upload.busy) throw new Fault('Conflict', `the upload ${id} is being written to`, { details: { kind: 'busy' } });
    upload.busy = true;
    try {
      return await work(upload);
    } finally {
      upload.busy = false;
    }
  }

  async function forget(id: string): Promise<void> {
    live.delete(id);
    hasher.forget(path(id));
    await rm(`${path(id)}.json`, { force: true });
    await rm(path(id), { force: true });
  }

  return {
    async begin(id, owner) {
      await room.assert(0);
      try {
        await (await open(path(id), 'wx', 0o600)).close();
        await writeFile(`${path(id)}.json`, JSON.stringify({ owner }), { flag: 'wx', mode: 0o600 });
      } catch (error) {
        await forget(id);
        throw diskFault(error);
      }
      live.set(id, { bytes: 0, busy: false });
      return { id, owner, bytes: 0 };
    },
    async info(id, owner) {
      const { bytes } = await find(id, owner);
      return { id, owner, bytes };
    },
    append: (id, owner, at, body) =>
      holding(id, owner, async (upload) => {
        if (at !== null && at !== upload.bytes) {
          const text = `the upload is at byte ${upload.bytes}, and what was sent begins at ${at}`;
          throw new Fault('InvalidParameter', text, { details: { kind: 'range', bytes: upload.bytes } });
        }
        const file = await open(path(id), 'r+');
        try {
          await receive(file, upload, body, { room, written: (bytes) => hasher.advance(path(id), bytes) });
        } catch (error) {
          // Clients begin another one: this one's bytes would be in its way.
          if (isFault(error, 'CapacityUnavailable')) await forget(id);
          throw error;
        } finally {
          await file.close();
        }
        return { id, owner, bytes: upload.bytes };
      }),
    finish: (id, owner, digest, take) =>
      holding(id, owner, async (upload) => {
        const algorithm = digest.startsWith('sha512:') ? 'sha512' : 'sha256';
        const found = `${algorithm}:${await hasher.digest(path(id), upload.bytes, algorithm)}`;
        if (found !== digest) {
          throw new Fault('InvalidParameter', `the bytes have the digest ${found}, not ${digest}`, { details: { kind: 'digest' } });
        }
        const file = await open(path(id), 'r+');
        try {
          // A write that failed halfway may have left more than what counts.
          await file.truncate(upload.bytes);
          await file.datasync();
        } catch (error) {
          throw diskFault(error);
        } finally {
          await file.close();
        }
        const taken = await take(path(id), upload.bytes);
        await forget(id);
        return taken;
      }),
    async digest(id, owner) {
      return `sha256:${await hasher.digest(path(id), (await find(id, owner)).bytes, 'sha256')}`;
    },
    cancel: (id, owner) => holding(id, owner, () => forget(id)),
    async expire(before) {
      let gone = 0;
      for (const name of await readdir(root)) {
        const id = name.replace(/\.json$/, '');
        if (live.get(id)?.busy === true) continue;
        const { mtimeMs } = await stat(path(name)).catch(() => ({ mtimeMs: 0 }));
        // The file of bytes says when it was last added to; a record without one is what a crash left.
        const newest = Math.max(mtimeMs, (await stat(path(id)).catch(() => ({ mtimeMs: 0 }))).mtimeMs);
        if (newest >= before) continue;
        await forget(id);
        gone++;
      }
      return gone;
    },
  };
}

type Around = { room: Room; written(bytes: number): void };

/** While one piece is written, the next one comes. */
async function receive(file: FileHandle, upload: Live, body: AsyncIterable<Uint8Array>, { room, written }: Around): Promise<void> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  let writing: Promise<void> = Promise.resolve();
  let failed: unknown;
  const flush = async (): Promise<void> => {
    await writing;
    if (failed !== undefined) throw failed;
    const pieces = waiting;
    const bytes = size;
    [waiting, size] = [[], 0];
    if (bytes === 0) return;
    writing = writeAt(file, pieces, upload.bytes, bytes).then(
      () => written((upload.bytes += bytes)),
      (error: unknown) => void (failed = diskFault(error)),
    );
  };
  let sinceLook = 0;
  const sync = syncsAhead(file);
  try {
    for await (const chunk of body) {
      waiting.push(chunk);
      size += chunk.length;
      sinceLook += chunk.length;
      if (size >= CHUNK) await flush();
      if (upload.bytes + size > limits.registryBlobBytes) {
        throw new Fault('LimitExceeded', `a layer may have at most ${limits.registryBlobBytes} bytes`, { details: { kind: 'size' } });
      }
      if (sinceLook >= limits.registryRoomLookBytes) {
        sinceLook = 0;
        sync.begin();
        await room.assert(0);
      }
    }
  } finally {
    await flush().finally(() => writing);
    await sync.end();
  }
  if (failed !== undefined) throw failed;
}

/** What is written already goes to the disk while more comes, so that the end needn't wait for all of it. A failure shows in the last sync too. */
function syncsAhead(file: FileHandle): { begin(): void; end(): Promise<void> } {
  let running: Promise<void> | null = null;
  return {
    begin() {
      running ??= file.datasync().then(
        () => void (running = null),
        () => void (running = null),
      );
    },
    end: async () => void (await running),
  };
}

async function writeAt(file: FileHandle, pieces: Uint8Array[], position: number, bytes: number): Promise<void> {
  const { bytesWritten } = await file.writev(pieces, position);
  if (bytesWritten === bytes) return;
  // A short write, on a disk that is nearly full: the rest says why.
  const rest = Buffer.concat(pieces).subarray(bytesWritten);
  for (let done = 0; done < rest.length;) {
    done += (await file.write(rest, done, rest.length - done, position + bytesWritten + done)).bytesWritten;
  }
}
