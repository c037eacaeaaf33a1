/** The part of `berth doctor` about sandboxes: what each kind needs, and what the host agent found when it tried them. */
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { describeKind } from '#cli/isolation.ts';
import type { Check } from '#cli/platform.ts';
import { kindFor } from '#domain/isolation.ts';
import type { HostInfo, IsolationInfo } from '#domain/records.ts';
import { readConfig } from '../config.ts';
import { home, runscBinary } from '../paths.ts';
import type { InstancePaths } from '../paths.ts';
import { keeperPid } from './keeper.ts';
import { findProgram, missing, ok, warn } from './checks.ts';

type Deps = { clock: Clock; paths: InstancePaths; self: string };

const VIRTUAL_FIX = 'a machine with virtualization switched on, or a VM with nested virtualization: docs/isolation.md';

export async function checkIsolation(deps: Deps): Promise<Check[]> {
  const tried = triedKinds(deps.paths);
  const microvm = tried.find((entry) => entry.kind === 'microvm');
  const parts = await Promise.all([
    checkProgram(deps, 'QEMU', findProgram('qemu-system-x86_64'), 'microVMs', 'apt-get install qemu-system-x86'),
    checkProgram(deps, 'erofs-utils', findProgram('mkfs.erofs'), 'microVMs', 'apt-get install erofs-utils'),
    checkProgram(deps, 'runsc', runscBinary, 'gVisor', 'out of its Debian package'),
  ]);
  return [checkKvm(microvm), ...parts, checkGuest(deps), ...tried.map(checkTried), ...checkAuto(deps, tried)];
}

/** What the host agent of the running instance found; nothing while none runs. */
function triedKinds(paths: InstancePaths): HostInfo['isolation'] {
  if (keeperPid(paths) === null) return [];
  try {
    return JSON.parse(readFileSync(paths.isolation, 'utf8')) as HostInfo['isolation'];
  } catch {
    return []; // the host agent has not come that far yet
  }
}

/** Only a guest that booted proves it: `microvm` is what the host agent found by booting one. */
export function checkKvm(microvm: IsolationInfo | undefined, opens = deviceOpens()): Check {
  if (microvm?.works === true && microvm.accelerator === 'kvm') return ok('KVM', 'boots a guest (tried when berth started)');
  if (!opens)
    return warn('KVM', 'no usable /dev/kvm: microVMs run only under software emulation, and only when asked for by name', VIRTUAL_FIX);
  if (microvm === undefined) return ok('KVM', '/dev/kvm opens; whether a guest boots is known once berth runs, which tries it');
  const found = microvm.works ? 'microVMs here run under software emulation' : microvm.reason;
  return warn('KVM', `/dev/kvm opens, but no guest was seen to boot on it: ${found}`, VIRTUAL_FIX);
}

function deviceOpens(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** What only one kind of sandbox needs is never `missing`: the others work without. */
async function checkProgram({ clock, self }: Deps, name: string, path: string, use: string, how: string): Promise<Check> {
  try {
    const { stdout, stderr } = await runChild(clock, path, ['--version'], { timeoutMs: 5000 });
    return ok(name, (stdout || stderr).split('\n')[0]?.trim() ?? 'there');
  } catch {
    return warn(name, `not installed: no ${use} without it`, `sudo ${self} setup (${how})`);
  }
}

/** Debian's cloud kernel, which every microVM boots: setup takes it out of its package. */
function checkGuest({ self }: Deps): Check {
  const boot = join(home, '.berth/guest/package/boot');
  const kernel = existsSync(boot) ? readdirSync(boot).find((name) => name.startsWith('vmlinuz-')) : undefined;
  if (kernel !== undefined) return ok('guest kernel', join(boot, kernel));
  return warn('guest kernel', 'not there: no microVMs without it', `sudo ${self} setup takes it out of Debian's cloud kernel package`);
}

function checkTried(entry: IsolationInfo): Check {
  const says = entry.works ? ok : warn;
  return says(entry.kind, entry.works ? `works: ${describeKind(entry)}` : `does not work: ${entry.reason}`);
}

function checkAuto({ paths, self }: Deps, tried: HostInfo['isolation']): Check[] {
  if (tried.length === 0) return [];
  const named = readConfig(paths.config)?.isolation ?? 'auto';
  const kind = kindFor(tried, 'auto');
  const by = named === 'auto' ? 'the strongest that works' : `by up --isolation ${named}`;
  if (kind !== undefined) return [ok('isolation', `a task that asks for none runs in: ${kind} (${by})`)];
  return [
    missing('isolation', `a task that asks for none gets no sandbox (${by})`, `sudo ${self} down --keep-tasks, then up --isolation auto`),
  ];
}
