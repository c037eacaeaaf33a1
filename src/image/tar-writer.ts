/** Writes tar archives that come out the same for the same input: sorted, with fixed times. Pax headers where ustar's fields are too short. */
import { createReadStream } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { walkTree } from './tree-walk.ts';

export type TarItem = {
  name: string;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  mtimeSeconds: number;
} & (
  | { type: 'file'; size: number; content: AsyncIterable<Uint8Array> | Iterable<Uint8Array> }
  | { type: 'directory' }
  | { type: 'symlink' | 'link'; linkName: string }
);

const BLOCK = 512;
const OCTAL_12_MAX = 0o77777777777;
const flags = { file: '0', link: '1', symlink: '2', directory: '5' } as const;

/** The archive's bytes, with the two empty blocks at its end. */
export async function* writeTar(items: AsyncIterable<TarItem> | Iterable<TarItem>): AsyncGenerator<Uint8Array> {
  for await (const item of items) {
    const linkName = 'linkName' in item ? item.linkName : '';
    const size = item.type === 'file' ? item.size : 0;
    const records: [string, string][] = [];
    if (Buffer.byteLength(item.name) > 100) records.push(['path', item.name]);
    if (Buffer.byteLength(linkName) > 100) records.push(['linkpath', linkName]);
    if (size > OCTAL_12_MAX) records.push(['size', String(size)]);
    if (records.length > 0) {
      const body = Buffer.from(records.map(paxRecord).join(''));
      yield header({ ...item, name: 'pax', mode: 0o644 }, 'x', body.length, '');
      yield body;
      yield padding(body.length);
    }
    yield header(item, flags[item.type], size, linkName);
    if (item.type !== 'file') continue;
    yield* item.content;
    yield padding(size);
  }
  yield Buffer.alloc(2 * BLOCK);
}

function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function paxRecord([key, value]: [string, string]): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

function header(item: TarItem, flag: string, size: number, linkName: string): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number): void => {
    block.write(
      `${Math.min(value, 8 ** (width - 1) - 1)
        .toString(8)
        .padStart(width - 1, '0')}\0`,
      at,
      'latin1',
    );
  };
  block.write(item.name, 0, 100);
  octal(item.mode & 0o7777, 100, 8);
  octal(item.uid, 108, 8);
  octal(item.gid, 116, 8);
  octal(size, 124, 12);
  octal(item.mtimeSeconds, 136, 12);
  block.write(flag, 156);
  block.write(linkName, 157, 100);
  block.write('ustar\x0000', 257, 'latin1');
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

export type TreeOptions = {
  mtimeSeconds: number;
  /** Who owns a file in the archive, by its name there; the default is what it has on disk. */
  owner?: (name: string) => { uid: number; gid: number } | null;
};

/** A directory's contents in a fixed order: files, directories, symbolic and hard links. Other kinds of file are left out. */
export async function* directoryItems(root: string, options: TreeOptions): AsyncGenerator<TarItem> {
  const byInode = new Map<number, string>();
  for await (const name of walkTree(root)) {
    const path = join(root, name);
    const info = await lstat(path);
    const owner = options.owner?.(name) ?? { uid: info.uid, gid: info.gid };
    const common = { name, mode: info.mode & 0o7777, ...owner, mtimeSeconds: options.mtimeSeconds };
    const first = byInode.get(info.ino);
    if (info.isDirectory()) yield { ...common, name: `${name}/`, type: 'directory' };
    else if (info.isSymbolicLink()) yield { ...common, type: 'symlink', linkName: await readlink(path) };
    else if (!info.isFile()) continue;
    else if (first !== undefined) yield { ...common, type: 'link', linkName: first };
    else {
      if (info.nlink > 1) byInode.set(info.ino, name);
      yield { ...common, type: 'file', size: info.size, content: createReadStream(path) as AsyncIterable<Buffer> };
    }
  }
}
