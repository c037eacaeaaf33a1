/**
 * Keeps HAProxy in step with the desired endpoints. A change of names writes the configuration and reloads; targets come and go through
 * the runtime API without one. Nothing is remembered that can't be read back: a HAProxy that was killed and started again is recognised by
 * its worker's pid and brought in step as soon as it has bound its socket anew, at the latest at the next look.
 */
import { watch } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { backendName, CHECK, type HaproxySpec, renderHaproxy, serverName } from './render.ts';
import { createRuntimeApi, parseShowStat, type RuntimeApi, type ServerSeen } from './runtime.ts';
import type { Balancer, EndpointDesired, EndpointTarget } from './types.ts';

export type BalancerOptions = {
  listen: string;
  port: number;
  /** Where HAProxy reads its configuration: written whole, then renamed. */
  configPath: string;
  statsSocket: string;
  masterSocket: string;
  activatorSocket: string;
};

export type BalancerDeps = { clock: Clock; log: Log };

export function createBalancer(deps: BalancerDeps, options: BalancerOptions): Balancer & { writeInitial(): Promise<void> } {
  const runtime = createRuntimeApi(options.statsSocket, deps.clock);
  const master = createRuntimeApi(options.masterSocket, deps.clock);
  /** Names in the configuration on disk that a running worker has read; null when that isn't known. */
  let loaded: { pid: string; names: string } | null = null;
  let wish: EndpointDesired[] | null = null;
  let working: Promise<void> | null = null;
  let latest: EndpointDesired[] = [];
  let watching = false;

  const write = (spec: HaproxySpec) => writeWhole(options.configPath, renderHaproxy(spec));

  const step = async (desired: EndpointDesired[]): Promise<void> => {
    const pid = await workerPid(runtime);
    const names = desired.map((e) => e.name).join(' ');
    const seen = parseShowStat(await runtime.run(['show stat']));
    if (loaded === null || loaded.pid !== pid || loaded.names !== names) {
      await write(specOf(options, desired, seen));
      const fresh = await reload(master, runtime, pid, deps.clock);
      loaded = { pid: fresh, names };
      await settleServers(runtime, desired, parseShowStat(await runtime.run(['show stat'])));
    } else {
      await settleServers(runtime, desired, seen);
    }
  };

  /** One worker at a time; while it works only the newest wish is kept. */
  const work = async (): Promise<void> => {
    while (wish !== null) {
      const next = wish;
      wish = null;
      await step(next);
    }
  };

  const apply = async (endpoints: EndpointDesired[]): Promise<void> => {
    latest = endpoints;
    wish = [...endpoints].sort((a, b) => (a.name < b.name ? -1 : 1));
    working ??= work().finally(() => (working = null));
    try {
      await working;
    } catch (error) {
      loaded = null;
      deps.log.warn('balancer.apply-failed', { reason: asFault(error).message });
      throw error;
    }
  };

  /** The socket was bound anew, by a worker that we asked for or by a HAProxy that knows nothing. */
  const lookAgain = async (): Promise<void> => {
    await working?.catch(() => undefined);
    const pid = await waitWorker(runtime, deps.clock);
    if (pid !== undefined && pid !== loaded?.pid) await apply(latest);
  };

  return {
    writeInitial: () => write(specOf(options, [], [])),
    apply(endpoints) {
      if (!watching) {
        watching = true;
        onBound(options.statsSocket, () => void lookAgain().catch(() => undefined)); // logged by apply; the next look tries again
      }
      return apply(endpoints);
    },
  };
}

/** Calls `then` whenever a socket appears at the path. Keeps no process alive. */
function onBound(path: string, then: () => void): void {
  const watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
    // HAProxy binds under a name of its own and renames it.
    if (name === basename(path)) then();
  });
  // The directory went away: there is nothing to see any more.
  watcher.on('error', () => watcher.close());
}

/** undefined when none answers in time. */
async function waitWorker(runtime: RuntimeApi, clock: Clock): Promise<string | undefined> {
  const deadline = clock.now() + limits.haproxyReloadMs;
  while (clock.now() < deadline) {
    const pid = await workerPid(runtime).catch(() => undefined);
    if (pid !== undefined) return pid;
    await clock.sleep(20);
  }
  return undefined;
}

/** Servers that are up now are written as such, so that a reload takes no target out of traffic. */
function specOf(options: BalancerOptions, desired: EndpointDesired[], seen: ServerSeen[]): HaproxySpec {
  const up = new Set(seen.filter((s) => s.up).map((s) => `${s.backend}/${s.name}`));
  return {
    listen: options.listen,
    port: options.port,
    statsSocket: options.statsSocket,
    activatorSocket: options.activatorSocket,
    maxConnections: limits.endpointConnections,
    backends: desired.map((e) => ({
      name: e.name,
      servers: e.targets.filter((t) => up.has(`${backendName(e.name)}/${serverName(t.id)}`)),
    })),
  };
}

/** Adds what is missing and removes what is too much, in one batch each. */
async function settleServers(runtime: RuntimeApi, desired: EndpointDesired[], seen: ServerSeen[]): Promise<void> {
  const have = new Set(seen.map((s) => `${s.backend}/${s.name}`));
  const want = new Map<string, EndpointTarget>(
    desired.flatMap((e) => e.targets.map((t) => [`${backendName(e.name)}/${serverName(t.id)}`, t] as const)),
  );
  const commands: string[] = [];
  for (const path of have) {
    // Its connections are closed with it: the task behind it has ended or is ending.
    if (!want.has(path)) commands.push(`set server ${path} state maint`, `shutdown sessions server ${path}`, `del server ${path}`);
  }
  for (const [path, target] of want) {
    if (have.has(path)) continue;
    // In this order and in one batch the server stays DOWN until its first passed check.
    commands.push(
      `add server ${path} ${target.ip}:${target.port} ${CHECK}`,
      `enable health ${path}`,
      `set server ${path} state ready`,
      `set server ${path} health down`,
    );
  }
  for (let at = 0; at < commands.length; at += limits.haproxyBatchCommands) {
    await runtime.run(commands.slice(at, at + limits.haproxyBatchCommands));
  }
}

async function workerPid(runtime: RuntimeApi): Promise<string> {
  const info = await runtime.run(['show info']);
  const pid = /^Pid: (\d+)$/m.exec(info)?.[1];
  if (pid === undefined) throw new Fault('ProtocolError', `HAProxy's "show info" has no Pid: ${info.slice(0, 200)}`);
  return pid;
}

/** Asks the master for a reload and waits until another worker answers; resolves with its pid. */
async function reload(master: RuntimeApi, runtime: RuntimeApi, oldPid: string, clock: Clock): Promise<string> {
  const deadline = clock.now() + limits.haproxyReloadMs;
  // The master's socket refuses while it executes itself anew for the reload before this one.
  for (;;) {
    try {
      await master.run(['reload']);
      break;
    } catch (error) {
      if (!isFault(error, 'Unavailable') || clock.now() > deadline) throw error;
      await clock.sleep(5);
    }
  }
  while (clock.now() < deadline) {
    // Between two workers the socket may refuse for a moment.
    const pid = await workerPid(runtime).catch(() => oldPid);
    if (pid !== oldPid) return pid;
    await clock.sleep(5);
  }
  throw new Fault(
    'TimedOut',
    `HAProxy's new worker did not answer within ${limits.haproxyReloadMs} ms; see its log for a refused configuration`,
  );
}

async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o644 });
  await rename(`${path}.new`, path);
}
