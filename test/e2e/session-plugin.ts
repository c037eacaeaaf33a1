/** AWS's own session-manager-plugin, built by Go from its published source, and terminals that it is used in. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { root } from './platform.ts';
import type { Platform } from './platform.ts';

const source = join(root, 'test/e2e/session-manager-plugin');
const cache = join(root, '.berth/cache');
const PACKAGE = 'github.com/aws/session-manager-plugin/src/sessionmanagerplugin-main';
const BUILD_MS = 600_000;
const SHOWN_MS = 30_000;

/** Where Go is, if not in PATH: root's often lacks it. */
const places = () => [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/go/bin', '/usr/lib/go/bin'];
const go = () => places().find((dir) => dir !== '' && existsSync(join(dir, 'go')));

/** Why the plugin can't be had on this machine; undefined when it can. */
export function whyNoPlugin(): string | undefined {
  return existsSync(built()) || go() !== undefined
    ? undefined
    : 'Go is not on this machine, which builds session-manager-plugin: it was not run (apt-get install golang)';
}

/** One build for each state of what pins it. */
function built(): string {
  const digest = createHash('sha256');
  for (const name of ['go.mod', 'go.sum', 'tools.go']) digest.update(readFileSync(join(source, name)));
  return join(cache, `session-manager-plugin-${digest.digest('hex').slice(0, 12)}`);
}

/** The directory to put before PATH. Built once, and kept. */
export function pluginDirectory(): string {
  const dir = built();
  if (existsSync(dir)) return dir;
  mkdirSync(cache, { recursive: true });
  for (const name of readdirSync(cache)) if (name.startsWith('session-manager-plugin-')) rmSync(join(cache, name), { recursive: true });
  const making = `${dir}.new`;
  cpSync(source, making, { recursive: true });
  const args = ['build', '-trimpath', '-ldflags=-s -w', '-o', join(making, 'session-manager-plugin'), PACKAGE];
  const env = { ...process.env, GOFLAGS: '-mod=readonly' };
  execFileSync(join(go() ?? '', 'go'), args, { cwd: making, env, stdio: ['ignore', 'ignore', 'inherit'], timeout: BUILD_MS });
  renameSync(making, dir);
  return dir;
}

/** A program in a terminal of its own, and whoever sits there. */
export type Terminal = {
  /** All that it showed so far, without carriage returns (each terminal on the way adds one) and what asks for the cursor's place. */
  seen(): string;
  type(text: string): void;
  /** Fails with what it showed instead after 30 s, or as long as is said. */
  shows(pattern: RegExp, ms?: number): Promise<void>;
  resize(rows: number, cols: number): void;
  /** Its exit code. */
  end(): Promise<number>;
  kill(): void;
};

/** `words` run under script(1), which makes the terminal; its size is 24 x 80 unless told. */
export function openTerminal(words: readonly string[], env: NodeJS.ProcessEnv, size = { rows: 24, cols: 80 }): Terminal {
  const line = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const child = spawn('script', ['-qec', `tty; stty rows ${size.rows} cols ${size.cols}; exec ${line}`, '/dev/null'], {
    env: { ...process.env, ...env, SHELL: '/bin/sh', TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  const looks = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk.replaceAll('\r', '').replaceAll('\u001b[6n', '')));
  child.stdout.on('data', () => looks.forEach((look) => look()));
  child.stdin.on('error', () => undefined);
  const ended = once(child, 'close') as Promise<[number]>;
  return {
    seen: () => text,
    type: (keys) => void child.stdin.write(keys),
    async shows(pattern, ms = SHOWN_MS) {
      const shown = Promise.withResolvers<void>();
      const look = () => pattern.test(text) && shown.resolve();
      const late = setTimeout(() => shown.reject(new Error(`the terminal doesn't show ${pattern}, but:\n${text.slice(-2000)}`)), ms);
      looks.add(look);
      look();
      try {
        await shown.promise;
      } finally {
        looks.delete(look);
        clearTimeout(late);
      }
    },
    resize(rows, cols) {
      const tty = /\/dev\/pts\/\d+/.exec(text)?.[0] ?? assert.fail('a terminal without a name');
      execFileSync('stty', ['-F', tty, 'rows', String(rows), 'cols', String(cols)], { stdio: 'pipe' });
    },
    async end() {
      const [code] = await ended;
      return code;
    },
    // With it goes the terminal, and what runs there is hung up on.
    kill: () => void child.kill('SIGKILL'),
  };
}

/** Of the stock AWS CLI with the plugin beside it: `aws ecs execute-command ARGS`. */
export function executeCommand(platform: Platform, args: readonly string[], size?: { rows: number; cols: number }): Terminal {
  const words = ['/usr/bin/aws', '--endpoint-url', platform.env['AWS_ENDPOINT_URL'] ?? '', 'ecs', 'execute-command', '--interactive'];
  return openTerminal([...words, ...args], environment(platform), size);
}

/** The plugin alone, as the AWS CLI calls it with a session of ExecuteCommand. */
export function pluginSession(platform: Platform, session: object, target: string): Terminal {
  const endpoint = platform.env['AWS_ENDPOINT_URL'] ?? '';
  const words = ['session-manager-plugin', JSON.stringify(session), 'us-east-1', 'StartSession', '', JSON.stringify({ Target: target })];
  return openTerminal([...words, endpoint], environment(platform));
}

/** Nothing of the machine's own AWS configuration takes part. */
function environment(platform: Platform): NodeJS.ProcessEnv {
  const path = `${pluginDirectory()}${delimiter}${process.env['PATH'] ?? ''}`;
  const none = join(platform.state, 'none');
  return { ...platform.env, PATH: path, AWS_CONFIG_FILE: none, AWS_SHARED_CREDENTIALS_FILE: none, AWS_PAGER: '' };
}

// tools/test.sh asks, for its summary.
if (import.meta.main) process.stdout.write(whyNoPlugin() ?? '');
