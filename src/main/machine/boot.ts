/** `berth install`: an instance that is started by systemd when the machine boots. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { runChild } from '#base/child.ts';
import { Fault } from '#base/fault.ts';
import type { Check, InstallResult } from '#cli/platform.ts';
import type { Steps } from '#cli/steps.ts';
import { home } from '../paths.ts';
import type { InstancePaths } from '../paths.ts';
import { environmentFile, renderEnvironment, renderUnit, unitName } from './boot-unit.ts';
import { findProgram, ok, warn } from './checks.ts';
import { passedOn } from './passed-on.ts';

/** Where a machine's own units are. */
const UNITS = '/etc/systemd/system';
/** `up` may have to build the supervisor first. */
const START_MS = 16 * 60_000;
const SYSTEMCTL_MS = 30_000;

type Deps = { paths: InstancePaths; clock: Clock; self: string };

export const unitText = (paths: InstancePaths): string => renderUnit({ home, paths, env: passedOn() });

/** systemd runs this machine (sd_booted(3)). */
const systemdRuns = () => existsSync('/run/systemd/system');

export async function install(deps: Deps, steps: Steps): Promise<InstallResult> {
  const { paths } = deps;
  const path = unitPath(paths);
  needSystemd(deps);
  const before = read(path);
  const text = unitText(paths);
  await steps.run(`Unit ${unitName(paths)} written`, async () => {
    mkdirSync(paths.state, { recursive: true, mode: 0o755 });
    writeFileSync(environmentFile(paths), renderEnvironment({ env: passedOn() }), { mode: 0o600 });
    writeFileSync(path, text, { mode: 0o644 });
    await systemctl(deps, ['daemon-reload']);
  });
  await steps.run('Starts at boot', () => systemctl(deps, ['enable', unitName(paths)]));
  // With a berth that runs already nothing happens but that systemd looks after it from here on.
  await steps.run('Platform started', () => systemctl(deps, ['start', unitName(paths)], START_MS));
  return { unit: unitName(paths), path, changed: before !== text };
}

/** What runs goes on; berth just no longer starts at boot. */
export async function uninstall(deps: Deps, steps: Steps): Promise<InstallResult> {
  const path = unitPath(deps.paths);
  const changed = existsSync(path);
  if (changed) {
    needSystemd(deps);
    await steps.run(`Unit ${unitName(deps.paths)} removed`, async () => {
      await systemctl(deps, ['disable', unitName(deps.paths)]);
      rmSync(path, { force: true });
      rmSync(environmentFile(deps.paths), { force: true });
      await systemctl(deps, ['daemon-reload']);
    });
  }
  return { unit: unitName(deps.paths), path, changed };
}

/** Nothing to say where no systemd runs. */
export async function checkBoot(deps: Deps): Promise<Check[]> {
  if (!systemdRuns()) return [];
  const name = 'at boot';
  const unit = unitName(deps.paths);
  const again = `sudo ${deps.self} install`;
  if (!existsSync(unitPath(deps.paths))) return [warn(name, 'berth stays down after a reboot', again)];
  const { code } = await runChild(deps.clock, findProgram('systemctl'), ['is-enabled', '--quiet', unit], { timeoutMs: SYSTEMCTL_MS });
  if (code !== 0) return [warn(name, `${unit} is there, but not enabled`, again)];
  if (read(unitPath(deps.paths)) !== unitText(deps.paths)) return [warn(name, `${unit} is of another berth, or was changed`, again)];
  return [ok(name, `${unit} starts berth`)];
}

const unitPath = (paths: InstancePaths) => join(UNITS, unitName(paths));

function needSystemd({ self }: Deps): void {
  if (systemdRuns()) return;
  throw new Fault(
    'Unavailable',
    `systemd doesn't run this machine, so there is nothing to install into: let whatever starts its services run '${self} up' as root ` +
      `(${self} install --print shows the unit)`,
  );
}

async function systemctl({ clock }: Deps, args: string[], timeoutMs = SYSTEMCTL_MS): Promise<void> {
  const { code, stderr } = await runChild(clock, findProgram('systemctl'), args, { timeoutMs });
  if (code !== 0) throw new Fault('Unavailable', `systemctl ${args.join(' ')} failed (exit code ${code}): ${stderr.trim()}`);
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
