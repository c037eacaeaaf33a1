/** Reading a file of keys, whose text never stands in an error. */
import { readFileSync } from 'node:fs';
import { Fault } from './fault.ts';

/** Its text; undefined when there is none. Throws Fault Internal. */
export function readKeyText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Fault('Internal', `the key file ${path} can't be read: ${(error as Error).message}`, { cause: error });
  }
}
