/** How berth's own long-running Node programs are started. */
import { join } from 'node:path';
import { home } from '../paths.ts';

export type NodeProgram = 'control' | 'host';

/**
 * A burst of calls makes V8 grow the space for new objects to 3 x 16 MiB, of which it gives little back: 100 tasks started and stopped
 * left 104 MiB behind in the control plane, 43 with 2 MiB semi-spaces, at the same rate.
 */
const v8Flags = ['--max-semi-space-size=2'];

export function nodeProgram(node: string, program: NodeProgram): string[] {
  return [node, '--disable-warning=ExperimentalWarning', ...v8Flags, join(home, 'src/main', `${program}.ts`)];
}

/** One arena of malloc for all threads: none of them allocates much, and each arena keeps what it once had. */
export const nodeMemoryEnv = { MALLOC_ARENA_MAX: '1' };

/**
 * Where Node keeps compiled modules, in a directory per version of Node and user (module.enableCompileCache). Root runs what is in it, so
 * that only root may write there.
 */
export const compileCache = join(home, '.berth/compile-cache');
