import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import * as fc from 'fast-check';
import { isFault } from '#base/fault.ts';
import { readTar, type TarEntry } from './tar-reader.ts';
import { directoryItems, writeTar, type TarItem } from './tar-writer.ts';

const run = promisify(execFile);

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}
async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
async function readAll(source: AsyncIterable<Buffer>): Promise<(TarEntry & { content: string })[]> {
  const found: (TarEntry & { content: string })[] = [];
  await readTar(source, async (entry, content) => {
    found.push({ ...entry, content: (await bytesOf(content)).toString('hex') });
  });
  return found;
}
const item = (name: string, content: Uint8Array): TarItem => ({
  name,
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtimeSeconds: 1,
  size: content.length,
  content: [content],
});

describe('a tar archive', () => {
  it('is read as it was written, however it is cut into pieces and however long its names are', async () => {
    const name = fc.string({ minLength: 1, maxLength: 300, unit: 'grapheme' }).filter((n) => !n.includes('\0'));
    const files = fc.array(fc.tuple(name, fc.uint8Array({ maxLength: 2000 })), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(files, fc.integer({ min: 1, max: 3000 }), async (list, size) => {
        const bytes = await bytesOf(writeTar(list.map(([n, content]) => item(n, content))));
        const found = await readAll(pieces(bytes, size));
        assert.deepEqual(
          found.map((e) => [e.name, e.content]),
          list.map(([n, content]) => [n, Buffer.from(content).toString('hex')]),
        );
      }),
      { numRuns: 200 },
    );
  });

  it('that is damaged ends in a Fault or in fewer entries, never in anything else', async () => {
    const bytes = await bytesOf(
      writeTar([item('a', Buffer.alloc(700, 1)), item('b'.repeat(200), Buffer.from('x')), item('c', Buffer.alloc(0))]),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), async (at, value, length) => {
        const damaged = Buffer.from(bytes.subarray(0, length));
        if (at < damaged.length) damaged[at] = value;
        await readAll(pieces(damaged, 512)).catch((error: unknown) => assert.ok(isFault(error, 'InvalidParameter'), String(error)));
      }),
      { numRuns: 500 },
    );
  });

  it('means the same to GNU tar, both ways', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'berth-tar-'));
    try {
      const long = `${'long-'.repeat(18)}/${'name-'.repeat(30)}`;
      const tree = join(dir, 'tree');
      await mkdir(join(tree, long), { recursive: true });
      await writeFile(join(tree, long, 'file'), 'content');
      await link(join(tree, long, 'file'), join(tree, 'hard'));
      await symlink('t/'.repeat(80), join(tree, 'soft'));
      await symlink('long-', join(tree, 'turn'));
      const ours = join(dir, 'ours.tar');
      await writeFile(ours, writeTar(directoryItems(tree, { mtimeSeconds: 5 })));
      const out = join(dir, 'out');
      await mkdir(out);
      await run('tar', ['-xf', ours, '-C', out]);
      await run('diff', ['-r', '--no-dereference', tree, out]);
      const before = await bytesOf(writeTar(directoryItems(tree, { mtimeSeconds: 5 })));
      assert.deepEqual(await bytesOf(writeTar(directoryItems(out, { mtimeSeconds: 5 }))), before, 'the same files make the same bytes');
      for (const format of ['gnu', 'pax', 'ustar']) {
        const theirs = join(dir, `${format}.tar`);
        await run('tar', [
          `--format=${format}`,
          '--exclude=*name-name*',
          ...(format === 'ustar' ? ['--exclude=soft'] : []),
          '-cf',
          theirs,
          '-C',
          tree,
          '.',
        ]);
        const names = (await readAll(createReadStream(theirs) as AsyncIterable<Buffer>)).map((e) => [e.name, e.linkName, e.type]);
        assert.ok(names.some(([n]) => n === 'hard' || n === './hard'));
        if (format !== 'ustar')
          assert.deepEqual(
            names.find(([n]) => n === './soft'),
            ['./soft', 't/'.repeat(80), 'symlink'],
          );
      }
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
