/** Brings one blob into a file: verified while it streams, resumed where it was cut, begun anew when its bytes are wrong. */
import { createHash } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { BlobAnswer } from './registry.ts';
import { kindOf, mayRetry, waitBefore } from './retrying.ts';
import { bodyFault, cancelled } from './transport.ts';

export type BlobWish = { digest: string; size: number };
export type BlobSource = (offset: number, signal: AbortSignal) => Promise<BlobAnswer>;

type State = { file: FileHandle; received: number; hash: ReturnType<typeof createHash> };

/** Throws Faults of the source, `details.kind` digest when the bytes are wrong twice, Cancelled; ENOSPC and its like pass through. Leaves no file behind then. */
export async function downloadBlob(
  clock: Clock,
  wish: BlobWish,
  source: BlobSource,
  options: { path: string; signal: AbortSignal; onBytes(received: number): void },
): Promise<void> {
  const file = await open(options.path, 'wx', 0o600);
  const state: State = { file, received: 0, hash: newHash(wish.digest) };
  try {
    await downloadInto(clock, wish, source, state, options);
    await file.close();
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(options.path, { force: true });
    throw error;
  }
}

async function downloadInto(
  clock: Clock,
  wish: BlobWish,
  source: BlobSource,
  state: State,
  options: { signal: AbortSignal; onBytes(received: number): void },
): Promise<void> {
  let idle = 0;
  let wrong = 0;
  for (let tries = 1; ; tries++) {
    if (options.signal.aborted) throw cancelled(options.signal);
    const before = state.received;
    try {
      await receive(wish, source, state, options);
      const found = `${wish.digest.slice(0, wish.digest.indexOf(':'))}:${state.hash.copy().digest('hex')}`;
      if (found === wish.digest) return;
      throw wrongBytes(wish, `unexpected commit digest ${found}, expected ${wish.digest}: failed precondition`);
    } catch (error) {
      if (options.signal.aborted) throw cancelled(options.signal);
      if (!(error instanceof Fault)) throw error;
      const fault = asFault(error);
      if (kindOf(fault) === 'digest') {
        if (++wrong > 1) throw fault;
        await restart(wish, state);
        continue;
      }
      idle = state.received > before ? 0 : idle + 1;
      if (idle >= limits.blobIdleTries || tries >= limits.blobTries || (!mayRetry(fault, idle) && idle > 0)) throw fault;
      await clock.sleep(waitBefore(idle + 1, fault));
    }
  }
}

async function receive(
  wish: BlobWish,
  source: BlobSource,
  state: State,
  options: { signal: AbortSignal; onBytes(received: number): void },
): Promise<void> {
  if (state.received === wish.size) return;
  const { response, offset } = await source(state.received, options.signal);
  try {
    if (response.status === 416 || (offset !== 0 && offset !== state.received)) {
      throw wrongBytes(wish, `the registry can't go on at byte ${state.received}`);
    }
    if (offset !== state.received) await restart(wish, state);
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      if (state.received + chunk.length > wish.size) throw wrongBytes(wish, `the registry sends more than its ${wish.size} bytes`);
      await writeAll(state.file, chunk, state.received);
      state.hash.update(chunk);
      state.received += chunk.length;
      options.onBytes(state.received);
    }
  } catch (error) {
    if (isFileError(error)) throw error;
    throw bodyFault(error, `blob ${wish.digest}`);
  } finally {
    response.body.destroy();
  }
  if (state.received < wish.size) throw bodyFault(new Error('short'), `blob ${wish.digest}`);
}

async function writeAll(file: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    done += (await file.write(chunk, done, chunk.length - done, position + done)).bytesWritten;
  }
}

async function restart(wish: BlobWish, state: State): Promise<void> {
  await state.file.truncate(0);
  state.received = 0;
  state.hash = newHash(wish.digest);
}

function newHash(digest: string): ReturnType<typeof createHash> {
  return createHash(digest.slice(0, digest.indexOf(':')));
}

function wrongBytes(wish: BlobWish, why: string): Fault {
  return new Fault('InvalidParameter', `failed commit on ref "${wish.digest}": ${why}`, { details: { kind: 'digest' } });
}

/** Trouble of our own disk: no retry mends it. */
export function isFileError(error: unknown): error is NodeJS.ErrnoException {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EIO' || code === 'EROFS' || code === 'EFBIG';
}
