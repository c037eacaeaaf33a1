/** What commands get: the terminal, the client with the instance's address and keys, this machine's side when it is asked for. */
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { realClock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { createClient } from '#cli/client.ts';
import type { Client, Credentials } from '#cli/client.ts';
import type { Context } from '#cli/command.ts';
import { createSteps } from '#cli/steps.ts';
import { createTerminal } from '#cli/terminal.ts';
import { DEFAULT_REGION } from '#domain/scope.ts';
import { readConfig, realState } from './config.ts';
import { reachable } from './machine/reachable.ts';
import { DEFAULT_STATE, home, instancePaths } from './paths.ts';
import type { InstancePaths } from './paths.ts';

export type ContextInput = {
  /** --state, if it was given. */
  state: string | undefined;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  cwd: string;
};

type Access = { endpoint: string; credentials: Credentials };

export function createContext({ state, env, signal, cwd }: ContextInput): Context {
  const paths = instancePaths(realState(state ?? (env['BERTH_STATE'] || DEFAULT_STATE)));
  const clock = realClock();
  const interactive = process.stdout.isTTY && env['TERM'] !== 'dumb';
  const terminal = createTerminal({
    write: (text) => void process.stdout.write(text),
    writeError: (text) => void process.stderr.write(text),
    interactive,
    colours: interactive && (env['NO_COLOR'] ?? '') === '',
    width: () => process.stdout.columns ?? 80,
  });
  let client: Client | undefined;
  return {
    terminal,
    clock,
    steps: createSteps(terminal, clock),
    state: paths.state,
    self: selfCommand(cwd, paths.state, state ?? (env['BERTH_STATE'] || undefined)),
    signal,
    async connect() {
      const { endpoint, credentials } = findAccess(paths, env);
      client ??= createClient({ endpoint, credentials, region: regionOf(env), signal }, clock);
      return client;
    },
    async connectForCleanUp() {
      const { endpoint, credentials } = findAccess(paths, env);
      return createClient({ endpoint, credentials, region: regionOf(env) }, clock);
    },
    async environment(region) {
      const { endpoint, credentials } = findAccess(paths, env);
      return {
        AWS_ENDPOINT_URL: endpoint,
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        AWS_REGION: region ?? regionOf(env),
        AWS_DEFAULT_REGION: region ?? regionOf(env),
        // Else they put `stream-` before the endpoint's name for StartLiveTail, which no resolver knows.
        AWS_DISABLE_HOST_PREFIX_INJECTION: 'true',
      };
    },
    async platform() {
      const { createPlatform } = await import('./machine/platform.ts');
      return createPlatform({ paths, clock, signal, self: selfCommand(cwd, paths.state, state ?? (env['BERTH_STATE'] || undefined)) });
    },
  };
}

function regionOf(env: NodeJS.ProcessEnv): string {
  return env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || DEFAULT_REGION;
}

/** The instance's own address and root key; for a user who may not read them, what `berth env` exported. */
function findAccess(paths: InstancePaths, env: NodeJS.ProcessEnv): Access {
  const config = readConfig(paths.config);
  const secret = config === undefined ? 'absent' : readKeys(paths.keys);
  if (config !== undefined && typeof secret !== 'string') {
    return { endpoint: `http://${reachable(config.listen)}:${config.apiPort}`, credentials: secret };
  }
  // A variable that is set to nothing counts as not set.
  const variable = (name: string) => env[name] || undefined;
  const endpoint = variable('AWS_ENDPOINT_URL');
  const accessKeyId = variable('AWS_ACCESS_KEY_ID');
  const secretAccessKey = variable('AWS_SECRET_ACCESS_KEY');
  const sessionToken = variable('AWS_SESSION_TOKEN');
  if (endpoint !== undefined && accessKeyId !== undefined && secretAccessKey !== undefined) {
    return { endpoint, credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) } };
  }
  if (secret === 'forbidden') {
    throw new Fault('AccessDenied', `only root may read the keys of ${paths.state}: use sudo, or first eval "$(sudo berth env)"`, {
      details: { needsRoot: true },
    });
  }
  throw new Fault('Unavailable', `berth was never started with the state directory ${paths.state}: start it with 'sudo berth up'`, {
    details: { notRunning: true },
  });
}

function readKeys(path: string): Credentials | 'absent' | 'forbidden' {
  try {
    const { keys } = JSON.parse(readFileSync(path, 'utf8')) as { keys: { accessKeyId: string; secretAccessKey: string }[] };
    const [root] = keys;
    return root === undefined ? 'absent' : { accessKeyId: root.accessKeyId, secretAccessKey: root.secretAccessKey };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === 'EACCES' || code === 'EPERM' ? 'forbidden' : 'absent';
  }
}

/** How to call berth again from here: `./berth`, or its path, with --state where it isn't the default. */
function selfCommand(cwd: string, state: string, given: string | undefined): string {
  const path = relative(cwd, join(home, 'berth'));
  const program = path === 'berth' ? './berth' : path.startsWith('..') ? join(home, 'berth') : path;
  const word = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
  return given === undefined || state === DEFAULT_STATE ? word(program) : `${word(program)} --state ${word(state)}`;
}
