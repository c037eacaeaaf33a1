/** The names below a directory, sorted, parents first. Never follows links (Node's own recursive readdir does). */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export async function* walkTree(root: string, below = ''): AsyncGenerator<string> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    yield name;
    if (entry.isDirectory()) yield* walkTree(root, name);
  }
}
