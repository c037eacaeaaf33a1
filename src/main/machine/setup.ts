/** Runs tools/setup.sh part by part, so that its steps tick off like all others. */
import { spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import type { Steps } from '#cli/steps.ts';
import { home } from '../paths.ts';
import { compileModules, modulesAreCompiled } from './modules.ts';

/** `optional`: one kind of sandbox needs it. Where it can't be had the others do, and `up` doesn't try again each time: `setup` does. */
const parts = [
  { name: 'packages', title: 'Debian packages', needsRoot: true, optional: false },
  { name: 'supervisor', title: 'Supervisor built', needsRoot: false, optional: false },
  { name: 'user', title: 'System users berth and berth-vm', needsRoot: true, optional: false },
  { name: 'guest', title: 'Kernel of microVMs', needsRoot: false, optional: true },
  { name: 'gvisor', title: 'gVisor', needsRoot: false, optional: true },
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
    if (part.optional) await setUpOptional(part, steps, options);
    else await steps.run(part.title, (progress) => runPart(part.name, progress, options.signal));
  }
  if (!modulesAreCompiled()) await steps.run(MODULES, () => compileModules(clock, options.signal));
  else if (!options.quiet) steps.already(MODULES);
}

async function setUpOptional(part: (typeof parts)[number], steps: Steps, options: { quiet: boolean; signal: AbortSignal }): Promise<void> {
  const tried = join(home, `.berth/${part.name}.tried`);
  if (options.quiet && existsSync(tried)) return;
  let why = '';
  const failed = async (progress: (detail: string) => void): Promise<boolean> => {
    const telling = (detail: string) => progress((why = detail));
    await runPart(part.name, telling, options.signal).catch((error: unknown) => {
      if (options.signal.aborted) throw error;
      why = asFault(error).message.split('\n').at(-1)?.trim() ?? '';
    });
    return !(await partIsThere(part.name));
  };
  if (await steps.run(part.title, failed, (missing) => (missing ? 'could not be had' : ''))) {
    writeFileSync(tried, `${why}\n`);
    steps.without(part.title, `${why}; berth goes on without, and setup tries again`);
  } else rmSync(tried, { force: true });
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
