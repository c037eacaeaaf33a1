/**
 * What a file system and its bucket last agreed on, kept in a file of lines that is only appended to, and written anew once it has become long. A line is
 * there after what it tells of is on disk; what a kill leaves unsaid is found out by comparing both sides (apply.ts, `meet`).
 */
import { createReadStream } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '#base/durable-file.ts';
import { linesOf } from '#base/lines.ts';
import type { BaseEntry } from './types.ts';

type Line = [name: string, entry: BaseEntry | null];

export type BaseLog = {
  entries: ReadonlyMap<string, BaseEntry>;
  /** On disk when it resolves. */
  add(changes: readonly Line[]): Promise<void>;
};

/** Lines of the file for each that counts, before it is written anew. */
const SLACK = 4;
const SLACK_MIN = 1000;

export async function openBaseLog(path: string): Promise<BaseLog> {
  const entries = new Map<string, BaseEntry>();
  let lines = 0;
  /** The file may end with half a line, behind which none could be read. */
  let isTorn = false;
  const take = ([name, entry]: Line) => void (entry === null ? entries.delete(name) : entries.set(name, entry));
  try {
    for await (const text of linesOf(createReadStream(path))) {
      const line = parsed(text);
      if (line !== undefined) take(line);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const writeAnew = async () => {
    const temporary = `${path}.new`;
    const file = await open(temporary, 'w', 0o600);
    try {
      const all = [...entries];
      for (let at = 0; at < all.length; at += SLACK_MIN)
        await file.appendFile(
          all
            .slice(at, at + SLACK_MIN)
            .map(lineOf)
            .join(''),
        );
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    // What is appended from now on is in this file.
    await syncFolder(dirname(path));
    lines = entries.size;
  };
  await writeAnew();
  return {
    entries,
    async add(changes) {
      if (changes.length === 0) return;
      if (isTorn) await writeAnew();
      isTorn = true;
      const file = await open(path, 'a', 0o600);
      try {
        await file.appendFile(changes.map(lineOf).join(''));
        await file.datasync();
      } finally {
        await file.close();
      }
      isTorn = false;
      changes.forEach(take);
      lines += changes.length;
      if (lines > SLACK_MIN + SLACK * entries.size) await writeAnew();
    },
  };
}

const lineOf = (line: Line) => `${JSON.stringify(line)}\n`;

function parsed(text: string): Line | undefined {
  try {
    const line: unknown = JSON.parse(text);
    return Array.isArray(line) && typeof line[0] === 'string' ? (line as Line) : undefined;
  } catch {
    return undefined;
  }
}
