/** Runs tools/setup.sh part by part, so that its steps tick off like all others. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import type { Steps } from '#cli/steps.ts';
import { home } from '../paths.ts';
import { compileModules, modulesAreCompiled } from './modules.ts';

const parts = [
  { name: 'packages', title: 'Debian packages', needsRoot: true },
  { name: 'supervisor', title: 'Supervisor built', needsRoot: false },
  { name: 'user', title: 'System users berth and berth-vm', needsRoot: true },
  { name: 'guest', title: 'Kernel of microVMs', needsRoot: false },
  { name: 'gvisor', title: 'gVisor', needsRoot: false },
] as const;

type Part = (typeof parts)[number]['name'];

const script = join(home, 'tools/setup.sh');
const KEPT_LINES = 12;
const MODULES = 'Modules compiled';

/** True when there is nothing to do. */
export function partIsThere(part: Part): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn('sh', [script, 'check', part], { stdio: 'ignore' });
    child.on('error', reject);
    child.on('close', (code) => resolve(code === 0));
  });
}

/** `quiet`: parts that are there already are not mentioned. Throws Fault with the last lines of what failed. */
export async function setUp(clock: Clock, steps: Steps, options: { quiet: boolean; signal: AbortSignal; self: string }): Promise<void> {
  const there = await Promise.all(parts.map((part) => partIsThere(part.name)));
  for (const [index, part] of parts.entries()) {
    // Packages may bring what another part was checked with; each is asked again at its turn by the script itself.
    if (there[index] === true) {
      if (!options.quiet) steps.already(part.title);
      continue;
    }
    if (part.needsRoot && process.getuid?.() !== 0) {
      throw new Fault('AccessDenied', `setting up (${part.title}) needs root: sudo ${options.self} setup`, {
        details: { needsRoot: true },
      });
    }
    await steps.run(part.title, (progress) => runPart(part.name, progress, options.signal));
  }
  if (!modulesAreCompiled()) await steps.run(MODULES, () => compileModules(clock, options.signal));
  else if (!options.quiet) steps.already(MODULES);
}

function runPart(part: Part, progress: (detail: string) => void, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('sh', [script, part], { stdio: ['ignore', 'pipe', 'pipe'], signal });
    const last: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        const text = line.replace(/^berth: /, '');
        if (text.trim() === '') return;
        last.push(text);
        if (last.length > KEPT_LINES) last.shift();
        progress(text);
      });
    }
    child.on('error', (error) =>
      reject(new Fault(signal.aborted ? 'Cancelled' : 'Internal', `setting up (${part}): ${error.message}`, { cause: error })),
    );
    child.on('close', (code, ended) => {
      if (code === 0) resolve();
      else reject(new Fault('Unavailable', `setting up (${part}) failed (${ended ?? `exit code ${code}`}):\n  ${last.join('\n  ')}`));
    });
  });
}
