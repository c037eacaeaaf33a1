/** Runs an outside program to its end: bounded in time and in output, its errors made plain. */
import { spawn } from 'node:child_process';
import type { Clock } from './clock.ts';
import { Fault } from './fault.ts';
import { limits } from './limits.ts';

export type ChildOptions = {
  /** Written to its standard input, which is then closed. */
  input?: string;
  timeoutMs: number;
  cwd?: string;
  /** Added to the environment that berth itself runs with. */
  env?: Record<string, string>;
  signal?: AbortSignal;
};

export type ChildResult = {
  /** null when it was ended by a signal. */
  code: number | null;
  stdout: string;
  stderr: string;
};

/**
 * Resolves with the exit code whatever it is. Throws Fault: Unavailable when the program isn't there or can't be started, TimedOut,
 * Cancelled, LimitExceeded when it writes more than `limits.childOutputBytes`.
 */
export function runChild(clock: Clock, command: string, args: string[], options: ChildOptions): Promise<ChildResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env === undefined ? undefined : { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out: Buffer[][] = [[], []];
    let total = 0;
    let failure: Fault | null = null;
    const end = (fault: Fault): void => {
      failure ??= fault;
      child.kill('SIGKILL');
    };
    const timer = clock.after(options.timeoutMs, () =>
      end(new Fault('TimedOut', `${command} did not end within ${options.timeoutMs / 1000} s and was killed`)),
    );
    const onAbort = (): void => end(new Fault('Cancelled', `${command} was cancelled`));
    options.signal?.addEventListener('abort', onAbort, { once: true });
    if (options.signal?.aborted === true) onAbort();
    const settle = (): void => {
      timer.cancel();
      options.signal?.removeEventListener('abort', onAbort);
    };
    [child.stdout, child.stderr].forEach((stream, index) =>
      stream.on('data', (chunk: Buffer) => {
        total += chunk.length;
        if (total > limits.childOutputBytes)
          return end(new Fault('LimitExceeded', `${command} wrote more than ${limits.childOutputBytes} bytes`));
        out[index]?.push(chunk);
      }),
    );
    child.on('error', (error: NodeJS.ErrnoException) => {
      settle();
      const why = error.code === 'ENOENT' ? 'it is not installed' : error.message;
      reject(new Fault('Unavailable', `can't run ${command}: ${why}`, { details: { errno: error.code ?? '' }, cause: error }));
    });
    child.on('close', (code) => {
      settle();
      if (failure !== null) return reject(failure);
      const [stdout = [], stderr = []] = out;
      resolve({ code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() });
    });
    // A child that doesn't read its input closes the pipe: its exit code says what happened.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}
