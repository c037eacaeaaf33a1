/** Files that only the control plane's user may read, there whole or not at all. */
import { rm } from 'node:fs/promises';
import { writeDurably } from '#base/durable-file.ts';

/** What a writer that died left beside the target makes way. One writer for each path at a time. */
export async function writeSecret(path: string, content: string): Promise<void> {
  const temp = `${path}.new`;
  await rm(temp, { force: true });
  await writeDurably(path, content, temp);
}
