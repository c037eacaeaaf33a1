/**
 * One template on disk: DIR/KEY holds `memory` (sparse), `state`, and `template.json`, which says what the other two must be. It appears
 * whole or not at all.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import { record, text, whole } from '#supervisor/check.ts';

export type TemplateFiles = { memory: string; state: string; memoryBytes: number; bootMs: number };

export const TEMPLATE_FILES = ['memory', 'state', 'template.json'];

/** Ends the name of a directory that is not a template yet. */
export const HALF_MADE = '.new';

const CHUNK_BYTES = 1024 * 1024;
const checkTemplate = record({ state: text(64), memory: text(64), bootMs: whole() });

/** null when there is none. Throws Fault when there is one that isn't what it was. */
export async function loadTemplate(root: string, key: string): Promise<TemplateFiles | null> {
  const dir = join(root, key);
  const [memory, state] = [join(dir, 'memory'), join(dir, 'state')];
  const said = await readFile(join(dir, 'template.json'), 'utf8').catch(() => null);
  if (said === null) return null;
  const wanted = checkTemplate(JSON.parse(said), 'template.json');
  const [foundMemory, foundState] = [await digestOf(memory), await digestOf(state)];
  if (foundMemory !== wanted.memory || foundState !== wanted.state)
    throw new Fault('Conflict', `the files of the template ${key} have changed`);
  return { memory, state, memoryBytes: await allocatedBytes(memory), bootMs: wanted.bootMs };
}

/** `fill` writes `memory` and `state` into the directory it is given, and gives the milliseconds that the boot took. */
export async function saveTemplate(root: string, key: string, fill: (dir: string) => Promise<number>): Promise<TemplateFiles> {
  const dir = join(root, key);
  const work = `${dir}${HALF_MADE}`;
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true, mode: 0o700 });
  try {
    const bootMs = await fill(work);
    const said = { memory: await digestOf(join(work, 'memory')), state: await digestOf(join(work, 'state')), bootMs };
    // After a loss of power a template is whole, or not one.
    for (const name of ['memory', 'state']) await synced(join(work, name), null);
    await synced(join(work, 'template.json'), JSON.stringify(said));
    await rm(dir, { recursive: true, force: true });
    await rename(work, dir);
    const memory = join(dir, 'memory');
    return { memory, state: join(dir, 'state'), memoryBytes: await allocatedBytes(memory), bootMs };
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    throw error;
  }
}

export async function removeTemplate(root: string, key: string): Promise<void> {
  await rm(join(root, key), { recursive: true, force: true });
}

async function synced(path: string, contents: string | null): Promise<void> {
  const file = await open(path, contents === null ? 'r+' : 'w', 0o600);
  try {
    if (contents !== null) await file.writeFile(contents);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** SHA-256 of the parts that hold anything, and of where they lie: a guest's memory is mostly empty. */
async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  const empty = Buffer.alloc(CHUNK_BYTES);
  const buffer = Buffer.alloc(CHUNK_BYTES);
  const file = await open(path, 'r');
  try {
    for (let at = 0; ;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, at);
      if (bytesRead === 0) return hash.update(`${at}`).digest('hex');
      const part = buffer.subarray(0, bytesRead);
      if (!part.equals(empty.subarray(0, bytesRead))) hash.update(`${at} `).update(part);
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

async function allocatedBytes(path: string): Promise<number> {
  return (await stat(path)).blocks * 512;
}
