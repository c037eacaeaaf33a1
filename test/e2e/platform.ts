/** One berth of its own for a test: state directory, ports and range apart from everything else; down and gone afterwards. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, readdir, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '#base/testing.ts';
import { AWS, forkAws } from './aws-forks.ts';
import { leftBehind, machineState } from './machine-state.ts';
import { makeStateDirectory } from './state-directory.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

export type Ran = { code: number; stdout: string; stderr: string };
export type Platform = {
  /** The berth that `berth` runs: this one, unless a test puts another in its place. */
  home: string;
  state: string;
  instance: string;
  apiPort: number;
  endpointPort: number;
  /** Variables that point the AWS tools here. */
  env: Record<string, string>;
  /** `./berth ARGS`; never throws. */
  berth(args: string[], options?: RunOptions): Promise<Ran>;
  /** The same, and the test fails unless it exits 0. */
  ok(args: string[], options?: RunOptions): Promise<string>;
  /** Any command with `env` set. */
  command(file: string, args: string[], options?: RunOptions): Promise<Ran>;
  /** Takes it down, removes its state, and fails when anything of it is left on the machine. */
  end(): Promise<void>;
};
export type StartOptions = {
  home?: string;
  upArgs?: string[];
  parent?: string;
  isolation?: 'auto' | 'container' | 'gvisor' | 'microvm';
  place?: number;
};
export type RunOptions = { timeoutMs?: number; env?: Record<string, string>; cwd?: string };

/**
 * `home`: the tree of berth that is started. `parent`: where the state directory is made (default: the temporary directory). `isolation`: what `auto` means there; `container` unless a
 * test says otherwise, so that a test measures the same on a machine where a stronger kind works. `place`: where the search for a range begins.
 */
export async function startPlatform(options: StartOptions = {}): Promise<Platform> {
  const { state, instance } = await makeStateDirectory(options.parent, options.place);
  const before = machineState(instance, state);
  const [apiPort, endpointPort] = [await freePort(), await freePort()];
  const platform: Platform = {
    home: options.home ?? root,
    state,
    instance,
    apiPort,
    endpointPort,
    env: {},
    berth: (args, o = {}) =>
      runCommand(join(platform.home, 'berth'), args, { ...o, env: { BERTH_STATE: state, ...platform.env, ...o.env } }),
    async ok(args, o) {
      const ran = await platform.berth(args, o);
      assert.equal(ran.code, 0, `berth ${args.join(' ')} exited ${ran.code}\n${ran.stdout}\n${ran.stderr}`);
      return ran.stdout;
    },
    async command(file, args, o = {}) {
      const options = { ...o, env: { ...platform.env, ...o.env } };
      const ran = file === AWS ? await forkAws(settled(args, options)) : null;
      return ran ?? runCommand(file, args, options);
    },
    async end() {
      await platform.berth(['down'], { timeoutMs: 120_000 });
      await keepLogs(state);
      const [tasks, machines] = await Promise.all(['tasks', 'vms'].map((name) => filesIn(join(state, 'host', name))));
      const sandboxes = await filesIn(join('/run/berth', instance, 'vm'));
      await rm(state, { recursive: true, force: true });
      // The kernel clears a disk a moment after its last user's end.
      const left = () => leftBehind(before, machineState(instance, state));
      for (let tries = 0; tries < 100 && left().length > 0; tries++) await new Promise((resolve) => setTimeout(resolve, 100));
      assert.deepEqual(left(), [], 'left behind on the machine');
      assert.deepEqual({ tasks, machines, sandboxes }, { tasks: [], machines: [], sandboxes: [] }, 'left behind by down');
    },
  };
  try {
    const ports = ['--port', String(apiPort), '--endpoint-port', String(endpointPort)];
    const args = ['up', ...ports, '--isolation', options.isolation ?? 'container', ...(options.upArgs ?? [])];
    await platform.ok(args, { timeoutMs: 120_000 });
    platform.env = parseExports(await platform.ok(['env']));
  } catch (error) {
    const logs = await Promise.all(
      ['control.log', 'host.log', 'keeper.log'].map((f) => readFile(join(state, 'log', f), 'utf8').catch(() => '')),
    );
    await platform.end().catch(() => undefined);
    throw new Error(`berth up failed; its logs:\n${logs.map((l) => l.slice(-3000)).join('\n')}`, { cause: error });
  }
  return platform;
}

/** With BERTH_E2E_LOGS, a directory, the platform's own logs are kept there. */
async function keepLogs(state: string): Promise<void> {
  const dir = process.env['BERTH_E2E_LOGS'];
  if (dir !== undefined) await cp(join(state, 'log'), join(dir, basename(state)), { recursive: true });
}

const filesIn = (dir: string) => readdir(dir).catch(() => [] as string[]);

function settled(args: string[], options: RunOptions) {
  const env = { ...process.env, NO_COLOR: '1', AWS_PAGER: '', ...options.env };
  return { args, env, cwd: options.cwd ?? root, timeoutMs: options.timeoutMs ?? 60_000 };
}

function runCommand(file: string, args: string[], options: RunOptions): Promise<Ran> {
  const { env, cwd, timeoutMs } = settled(args, options);
  return new Promise((resolve) => {
    execFile(
      file,
      args,
      {
        encoding: 'utf8',
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: 64 * 1024 * 1024,
        cwd,
        env,
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

/** `export NAME=value` or `export NAME='value'` lines. */
export function parseExports(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(/^export (\w+)=(.*)$/gm)) found[name] = value.replace(/^(['"])(.*)\1$/, '$2');
  return found;
}

/** Waits for a condition, looking again every 50 ms; fails with `what` after the time is up. */
export async function until<T>(what: string, check: () => Promise<T | false | undefined>, timeoutMs = 30_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value !== false && value !== undefined) return value;
    if (Date.now() > deadline) assert.fail(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What the endpoint NAME answers from outside; undefined when nobody does. */
export function endpoint(platform: Platform, name: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const call = request({ host: '127.0.0.1', port: platform.endpointPort, headers: { host: `${name}.localhost` } }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      answer.on('end', () => resolve(body.trim()));
    });
    call.setTimeout(2000, () => call.destroy());
    call.on('error', () => resolve(undefined)).end();
  });
}
