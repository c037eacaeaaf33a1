/** This machine's side of the command line: set up, start, stop, look. */
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import type { Check, Platform } from '#cli/platform.ts';
import type { InstancePaths } from '../paths.ts';
import { install, uninstall, unitText } from './boot.ts';
import { bringDown } from './down.ts';
import { childrenOf, keeperPid } from './keeper.ts';
import { setUp } from './setup.ts';
import { bringUp } from './up.ts';

export type PlatformDeps = { paths: InstancePaths; clock: Clock; signal: AbortSignal; self: string };

export function createPlatform(deps: PlatformDeps): Platform {
  return {
    requireRoot: (command) => requireRoot(deps, command),
    setUp: (steps, options) => setUp(deps.clock, steps, { ...options, signal: deps.signal, self: deps.self }),
    async up(options, steps) {
      requireRoot(deps, 'up');
      return bringUp(deps, options, steps);
    },
    async down(steps, options) {
      requireRoot(deps, 'down');
      return bringDown(deps, steps, options);
    },
    bootUnit: () => unitText(deps.paths),
    async install(steps) {
      requireRoot(deps, 'install');
      await setUp(deps.clock, steps, { quiet: true, signal: deps.signal, self: deps.self });
      return install(deps, steps);
    },
    async uninstall(steps) {
      requireRoot(deps, 'install --remove');
      return uninstall(deps, steps);
    },
    async trust(certificate) {
      requireRoot(deps, 'trust');
      const machine = await import('./trust.ts');
      return machine.trust(deps.clock, deps.paths, certificate);
    },
    async distrust() {
      requireRoot(deps, 'trust --remove');
      const machine = await import('./trust.ts');
      return machine.distrust(deps.clock, deps.paths);
    },
    async processes() {
      const keeper = keeperPid(deps.paths);
      const children = keeper === null ? [] : childrenOf(keeper);
      const find = (part: string) => children.find((child) => child.command.includes(part))?.pid ?? null;
      const all: [string, number | null][] = [
        ['keeper', keeper],
        ['control', find('control.ts')],
        ['host agent', find('host.ts')],
        ['haproxy', find('haproxy')],
      ];
      return all.map(([name, pid]) => ({ name, pid, alive: pid !== null }));
    },
    async checks(): Promise<Check[]> {
      const { runChecks } = await import('./doctor.ts');
      return runChecks(deps);
    },
    async registryAnswers() {
      const { dockerHubAnswers } = await import('./nginx.ts');
      return dockerHubAnswers(deps.clock);
    },
    async buildNginx(progress) {
      const { buildNginx } = await import('./nginx.ts');
      return buildNginx(deps.clock, progress);
    },
  };
}

function requireRoot({ self }: PlatformDeps, command: string): void {
  if (process.getuid?.() === 0) return;
  throw new Fault(
    'AccessDenied',
    `berth ${command} needs root (${command.startsWith('trust') ? 'it changes what the whole machine trusts' : 'it makes namespaces, mounts and cgroups'}): sudo ${self} ${command}`,
    {
      details: { needsRoot: true },
    },
  );
}
