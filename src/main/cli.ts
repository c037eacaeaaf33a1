/** Entry of the command line: reads arguments, environment and the terminal, and hands over to src/cli. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommandLine } from '#cli/index.ts';
import { createContext } from './cli-context.ts';
import { home } from './paths.ts';

// A reader that goes away (| head) is no error; neither is it a reason to go on.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const interrupt = new AbortController();
let interrupts = 0;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    interrupt.abort(signal);
    // A second Ctrl-C means now.
    if (++interrupts > 1) process.exit(130);
  });
}

const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { version: string };
process.exitCode = await runCommandLine(process.argv.slice(2), version, (state) =>
  createContext({ state, env: process.env, signal: interrupt.signal, cwd: process.cwd() }),
);
// What may still hang (a kept-alive connection, standard input) has nothing more to say.
process.stdout.write('', () => process.exit());
