/** What the host keeps of a file system beside its directory, in STATE/host/buckets/ID: whose it is, who has it, what was agreed on, what is on its way. */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '#base/durable-file.ts';
import { openBaseLog, type BaseLog } from './base-log.ts';
import { identityOf } from './tree.ts';

export type SystemKey = { account: string; region: string; id: string };

/** `directory`: the identity of the one that the log is about. */
export type Kept = { directory: string; log: BaseLog };

export async function openKept(state: string, key: SystemKey, root: string): Promise<Kept> {
  await mkdir(root, { recursive: true, mode: 0o755 });
  for (const part of ['incoming', 'users']) await mkdir(join(state, part), { recursive: true, mode: 0o700 });
  await keepKey(state, key);
  const directory = await identityOf(root);
  return { directory, log: await openAgreed(state, directory) };
}

/** Without it nobody would know after a restart whose bucket lacks what is here. */
async function keepKey(state: string, key: SystemKey): Promise<void> {
  if ((await readKey(state)) !== undefined) return;
  const temporary = join(state, 'system.json.new');
  await rm(temporary, { force: true });
  await writeDurably(join(state, 'system.json'), JSON.stringify(key), temporary);
}

export async function readKey(state: string): Promise<SystemKey | undefined> {
  try {
    return JSON.parse(await readFile(join(state, 'system.json'), 'utf8')) as SystemKey;
  } catch {
    return undefined;
  }
}

/** What was agreed on is worth nothing without the files: it would read as if a task had removed them all. So it is of one directory only. */
async function openAgreed(state: string, directory: string): Promise<BaseLog> {
  const own = `agreed-${directory}.jsonl`;
  for (const name of await readdir(state)) if (name.startsWith('agreed') && !name.startsWith(own)) await rm(join(state, name));
  return await openBaseLog(join(state, own));
}
