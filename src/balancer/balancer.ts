/**
 * Keeps HAProxy in step with what is wished. Listeners, rules and groups are its configuration: when they change, another HAProxy is started on the same sockets.
 * Targets come and go through the runtime API without one. Nothing is remembered that can't be read back: a HAProxy tells in its description which structure
 * it runs, whoever started it, and the file on disk is kept as what runs, so that one that was killed comes back with its targets.
 */
import { watch } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { readCertificates, withCertificates, writeCertificateLists, writeWhole } from './files.ts';
import { createHolder } from './holder.ts';
import type { HeldSocket, Holder } from './holder.ts';
import { createMetrics } from './metrics.ts';
import { renderHaproxy, structureOf } from './render.ts';
import type { HaproxySpec } from './render.ts';
import { isOpen } from './render-group.ts';
import { createRuntimeApi, parseShowInfo, parseShowStat } from './runtime.ts';
import type { Running, RuntimeApi, StatLine } from './runtime.ts';
import { isUp, planServers, serversOf } from './servers.ts';
import { createSpecs } from './specs.ts';
import type { Balancer, BalancerSeen, TrafficDesired } from './types.ts';

export type BalancerOptions = {
  listen: string;
  port: number;
  /** Where HAProxy reads its configuration: written whole, then renamed. */
  configPath: string;
  statsSocket: string;
  holderSocket: string;
  activatorSocket: string;
  /** Of access logs (access-log.ts). */
  accessSocket: string;
  /** The instance's real domain, for whose names ACME challenges are answered. */
  acmeDomain?: string | null;
  threads: number;
};

export type BalancerDeps = { clock: Clock; log: Log };

export function createBalancer(deps: BalancerDeps, options: BalancerOptions): Balancer {
  const { clock, log } = deps;
  const runtime = createRuntimeApi(options.statsSocket, clock);
  const holder = createHolder(options.holderSocket, clock);
  const metrics = createMetrics(clock);
  let running: Running | null = null;
  /** What stands in the file, and the sockets that are held; null while that isn't known. */
  let written: string | null = null;
  let held: HeldSocket[] | null = null;
  let working: Promise<unknown> = Promise.resolve();

  const look = async (): Promise<Look> => {
    // Maxima begin anew after each look, so that each is of a span that is known; totals and means go on.
    const answer = await runtime.run(['show info', 'show stat', 'clear counters']);
    const lines = parseShowStat(answer.slice(Math.max(0, answer.indexOf('\n# ') + 1)));
    running = parseShowInfo(answer);
    metrics.take(running.pid, lines);
    return { running, lines };
  };

  const keepFile = async (text: string): Promise<void> => {
    if (text === written) return;
    await writeWhole(options.configPath, text);
    written = text;
  };

  const run = async (commands: string[]): Promise<void> => {
    for (let at = 0; at < commands.length; at += limits.haproxyBatchCommands) {
      await runtime.run(commands.slice(at, at + limits.haproxyBatchCommands));
    }
  };

  /** Another HAProxy, when what runs has another structure than what is wished. */
  const restructure = async (before: Look, spec: HaproxySpec): Promise<Look> => {
    if (before.running.structure === structureOf(spec)) return before;
    const text = renderHaproxy(spec);
    await writeCertificateLists(spec);
    await writeFile(`${options.configPath}.new`, text, { mode: 0o600 });
    held = null;
    const pid = await reload(holder, runtime, clock);
    await keepFile(text);
    await holder.settle();
    log.info('balancer.reloaded', { pid });
    const after = await look();
    // Fresh from a file, one failed check would take out what is up.
    const up = serversOf(after.lines).filter((server) => isUp(server) && server.backend.startsWith('tg_') && !isOpen(server.name));
    await run(up.map((server) => `set server ${server.backend}/${server.name} health up`));
    return after;
  };

  const step = async (wish: TrafficDesired): Promise<BalancerSeen> => {
    const { files, missing } = await readCertificates(wish.listeners);
    const traffic = { ...wish, listeners: withCertificates(wish.listeners, missing) };
    held ??= (await holder.status(null)).listeners;
    const specOf = createSpecs(options, traffic, files, held);
    const before = await look();
    const after = await restructure(before, specOf(serversOf(before.lines)));
    const servers = serversOf(after.lines);
    const plan = planServers(traffic, servers, clock.now());
    await run(plan.commands);
    // One that is killed comes back with what is up now.
    await keepFile(renderHaproxy(specOf(servers)));
    return { targets: plan.seen, missing: [...missing], leaving: plan.leaving };
  };

  return {
    apply(traffic) {
      const done = working.catch(() => undefined).then(() => step(traffic));
      working = done;
      return done.catch((error: unknown) => {
        held = null;
        log.warn('balancer.apply-failed', { reason: asFault(error).message });
        throw error;
      });
    },
    onRestart(then) {
      const isOther = async () => {
        await working.catch(() => undefined);
        return parseShowInfo(await runtime.run(['show info'])).pid !== running?.pid;
      };
      onBound(options.statsSocket, () => void isOther().then((other) => other && then(), then));
    },
    metrics: () => metrics.now(),
  };
}

type Look = { running: Running; lines: StatLine[] };

/** Starts another HAProxy and waits until it answers; its process id. */
async function reload(holder: Holder, runtime: RuntimeApi, clock: Clock): Promise<number> {
  const deadline = clock.now() + limits.haproxyReloadMs;
  const pid = await holder.reload();
  while (clock.now() < deadline) {
    // Between two processes the socket may refuse for a moment.
    const answering = await runtime.run(['show info']).then(parseShowInfo, () => null);
    if (answering?.pid === pid) return pid;
    const { running, words } = await holder.status(pid);
    if (running === false) throw new Fault('Unavailable', `HAProxy refused its configuration: ${complaints(words ?? '')}`);
    await clock.sleep(10);
  }
  throw new Fault('TimedOut', `the new HAProxy did not answer within ${limits.haproxyReloadMs} ms`);
}

/** HAProxy's own words about what is wrong. */
function complaints(words: string): string {
  const alerts = words.split('\n').filter((line) => line.startsWith('[ALERT]'));
  return (alerts.length > 0 ? alerts : words.split('\n'))
    .map((line) => line.replace(/^\[\w+\]\s+\(\d+\) : /, ''))
    .join(' ')
    .slice(0, 1000);
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
