/** Waits until an instance that was just started can run a task; says what its processes wrote when it can't. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import { createClient } from '#cli/client.ts';
import { DEFAULT_REGION } from '#domain/scope.ts';
import type { InstanceConfig } from '../config.ts';
import type { InstancePaths } from '../paths.ts';
import { keeperPid } from './keeper.ts';
import { reachable } from './reachable.ts';

const POLL_MS = 25;
const START_WITHIN_MS = 60_000;

type Deps = { paths: InstancePaths; config: InstanceConfig; clock: Clock; signal: AbortSignal };

/** Until the API answers and a host is connected. Throws Fault with the last errors of the logs. */
export async function waitReady(deps: Deps, progress: (detail: string) => void): Promise<void> {
  const { paths, clock, signal } = deps;
  const began = clock.now();
  for (;;) {
    if (signal.aborted) throw new Fault('Cancelled', 'interrupted');
    const state = await look(deps);
    if (state === 'ready') return;
    progress(state);
    if (keeperPid(paths) === null && clock.now() - began > 1000) throw failed(paths, 'berth’s keeper ended');
    if (clock.now() - began > START_WITHIN_MS) throw failed(paths, `berth did not come up within ${START_WITHIN_MS / 1000} s (${state})`);
    await clock.sleep(POLL_MS);
  }
}

type Where = Pick<Deps, 'paths' | 'config' | 'clock'>;

/** Hosts as DescribeHosts answers them. Throws a Fault while the API or its keys aren't there. */
export async function hostsOf({ paths, config, clock }: Where): Promise<{ status: string }[]> {
  const endpoint = `http://${reachable(config.listen)}:${config.apiPort}`;
  const { keys } = JSON.parse(readFileSync(paths.keys, 'utf8')) as { keys: { accessKeyId: string; secretAccessKey: string }[] };
  const [credentials] = keys;
  if (credentials === undefined) throw new Fault('Unavailable', `${paths.keys} has no key`);
  const client = createClient({ endpoint, region: DEFAULT_REGION, credentials }, clock);
  return (await client.call('berth', 'DescribeHosts', {})).hosts;
}

/** One look: `ready`, or what it still waits for. */
export async function look(deps: Where): Promise<string> {
  try {
    return (await hostsOf(deps)).some((host) => host.status === 'CONNECTED') ? 'ready' : 'waiting for the host agent';
  } catch (error) {
    const fault = asFault(error);
    // Somebody else's program on our port, or keys of another instance: no use to wait, but the next look may find ours.
    return fault.code === 'AccessDenied' ? `the API refuses the instance's own key: ${fault.message}` : 'waiting for the control plane';
  }
}

const TAIL_BYTES = 4000;
const TAIL_LINES = 6;

function failed(paths: InstancePaths, what: string): Fault {
  return new Fault('Unavailable', `${what}; the last lines of ${paths.log}:\n${lastLines(paths)}`);
}

function lastLines(paths: InstancePaths): string {
  const files = readdirSync(paths.log).filter((name) => name.endsWith('.log'));
  const lines = files.flatMap((name) => {
    const text = readFileSync(join(paths.log, name), 'utf8').slice(-TAIL_BYTES);
    const tail = text.split('\n').filter((line) => line.trim() !== '');
    return tail.slice(-TAIL_LINES).map((line) => `  ${name}: ${line.slice(0, 400)}`);
  });
  return lines.join('\n') || '  (nothing was written)';
}
