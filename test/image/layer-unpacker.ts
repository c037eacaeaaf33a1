/** A LayerUnpacker over GNU tar, for tests of the image store alone. Whiteouts become overlay's device files, as the worker makes them. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { PassThrough } from 'node:stream';
import { Fault } from '#base/fault.ts';
import type { LayerUnpacker } from '#image/types.ts';

export type CountingUnpacker = LayerUnpacker & { unpacked: string[] };

export function tarUnpacker(): CountingUnpacker {
  const unpacked: string[] = [];
  return {
    unpacked,
    async unpack({ blob, compression, into, diffId }) {
      await mkdir(into, { mode: 0o755 });
      const tar = spawn('tar', ['-x', '--numeric-owner', '-C', into, '-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
      let said = '';
      tar.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
      // By its exit what it said need not have been read.
      const exited = once(tar, 'close');
      const hash = createHash('sha256');
      let bytes = 0;
      const unpack = compression === 'none' ? new PassThrough() : compression === 'gzip' ? createGunzip() : createZstdDecompress();
      const failure = await pipeline(
        createReadStream(blob),
        unpack,
        async function* (source: AsyncIterable<Buffer>) {
          for await (const chunk of source) {
            hash.update(chunk);
            bytes += chunk.length;
            yield chunk;
          }
        },
        tar.stdin,
      ).catch((error: unknown) => error as Error);
      const [code] = (await exited) as [number];
      if (/No space left|Wrote only/.test(said)) throw new Fault('LimitExceeded', said.trim(), { details: { worker: 'no-space' } });
      if (failure instanceof Error || code !== 0)
        throw new Fault('InvalidParameter', `tar: ${said.trim()} ${failure instanceof Error ? failure.message : ''}`, {
          details: { worker: 'invalid' },
        });
      const found = `sha256:${hash.digest('hex')}`;
      if (diffId !== null && found !== diffId)
        throw new Fault('InvalidParameter', `layer has the diff id ${found}, not ${diffId}`, { details: { worker: 'digest' } });
      unpacked.push(found);
      return { diffId: found, bytes, entries: (await readdir(into, { recursive: true })).length };
    },
    async removeTree(path, below) {
      if (!path.startsWith(`${below}/`)) throw new Fault('InvalidParameter', `${path} is not below ${below}`);
      const gone = `${path}.gone`;
      await rename(path, gone).catch(() => undefined);
      await rm(gone, { recursive: true, force: true });
    },
  };
}
