/** Starts an instance: directories, configuration, keeper; then waits until a task could run. */
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { renderHaproxy } from '#balancer/render.ts';
import { runChild } from '#base/child.ts';
import { Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { UpOptions, UpResult } from '#cli/platform.ts';
import { explainIsolation } from '#cli/isolation.ts';
import type { Steps } from '#cli/steps.ts';
import { isDomainName } from '#domain/domain-name.ts';
import type { IsolationWish } from '#domain/task-spec.ts';
import { defaultConfig, readConfig, writeConfig } from '../config.ts';
import type { InstanceConfig } from '../config.ts';
import { supervisorBinary } from '../paths.ts';
import { readRanges } from '../webhook-addresses.ts';
import type { InstancePaths } from '../paths.ts';
import { findProgram } from './checks.ts';
import { stopKeeper } from './down.ts';
import { haproxyAddresses } from '../haproxy-addresses.ts';
import { hostsOf, look, waitReady } from './health.ts';
import { keeperPid } from './keeper.ts';
import { keeperSpec } from './keeper-spec.ts';
import type { PlatformDeps } from './platform.ts';
import { reachable } from './reachable.ts';
import { passedOn } from './passed-on.ts';
import { portProblem } from './ports.ts';
import { changesCredentials, keepCredentials, s3Options } from './s3-option.ts';
import { userIds } from './user.ts';

const KEEPER_START_MS = 45_000;

export async function bringUp(deps: PlatformDeps, options: UpOptions, steps: Steps): Promise<UpResult> {
  const { paths, clock, signal } = deps;
  const before = readConfig(paths.config) ?? defaultConfig(paths.state);
  const config = withOptions(before, options);
  const result = async (already: boolean): Promise<UpResult> => ({
    endpoint: `http://${reachable(config.listen)}:${config.apiPort}`,
    endpointPort: config.endpointPort,
    state: paths.state,
    already,
    isolation: explainIsolation('auto', await hostsOf({ paths, config, clock }), config.isolation),
    notes: notes(config),
  });
  if (keeperPid(paths) !== null) {
    refuseChange(deps, before, config);
    if (changesCredentials(paths, options)) throw runningWith(deps, 'the keys of --s3-endpoint');
    if ((await look({ paths, config, clock })) === 'ready') {
      steps.already('Platform', 'runs already');
      return result(true);
    }
  } else {
    await steps.run(
      'Ports free',
      () => checkPorts(deps, config),
      () => `${config.apiPort}, ${config.endpointPort}`,
    );
    await prepare(paths, config, options);
  }
  try {
    await steps.run('Platform started', async (progress) => {
      if (keeperPid(paths) === null) await startKeeper(deps, config);
      await waitReady({ paths, config, clock, signal }, progress);
    });
  } catch (error) {
    // A start that failed or was interrupted leaves nothing running.
    await stopKeeper(deps);
    throw error;
  }
  return result(false);
}

function withOptions(config: InstanceConfig, options: UpOptions): InstanceConfig {
  return {
    ...config,
    ...acmeOptions(config, options),
    ...s3Options(config, options),
    apiPort: options.port ?? config.apiPort,
    listen: options.listen ?? config.listen,
    endpointPort: options.endpointPort ?? config.endpointPort,
    strictCapacity: options.strictCapacity ?? config.strictCapacity,
    diskLimit: options.diskLimit ?? config.diskLimit,
    zone: zoneOf(config, options),
    isolation: (options.isolation as IsolationWish | undefined) ?? config.isolation,
    dns: options.dns ?? config.dns,
    execIdleSeconds: options.execIdleSeconds ?? config.execIdleSeconds,
    eventHours: options.eventHours ?? config.eventHours,
    webhooksTo: options.webhooksTo === undefined ? config.webhooksTo : options.webhooksTo === null ? [] : readRanges(options.webhooksTo),
    accel: (options.accel as InstanceConfig['accel'] | undefined) ?? config.accel,
  };
}

/** Throws InvalidParameter for what no zone is called. */
function zoneOf(config: InstanceConfig, { zone = config.zone }: UpOptions): string | null {
  if (zone !== null && !/^[a-z]{2}(-[a-z]+)+-\d[a-z]$/.test(zone)) {
    throw new Fault('InvalidParameter', `--zone '${zone}' is no availability zone: give one like us-east-1a`);
  }
  return zone;
}

/** Throws InvalidParameter for what no ACME server could use. */
function acmeOptions(config: InstanceConfig, options: UpOptions): Pick<InstanceConfig, 'domain' | 'acmeEmail' | 'acmeDirectory'> {
  const domain = options.domain === undefined ? config.domain : (options.domain?.toLowerCase() ?? null);
  const { acmeEmail = config.acmeEmail, acmeDirectory = config.acmeDirectory } = options;
  if (domain !== null && (!isDomainName(domain) || domain.startsWith('*'))) {
    throw new Fault('InvalidParameter', `--domain '${domain}' is no domain name: give one like example.org, without a wildcard`);
  }
  if (acmeEmail !== null && !/^[^@\s]+@[^@\s]+$/.test(acmeEmail)) {
    throw new Fault('InvalidParameter', `--acme-email '${acmeEmail}' is no mail address`);
  }
  if (acmeDirectory !== null && !/^https:\/\/[^/\s]+/.test(acmeDirectory)) {
    throw new Fault('InvalidParameter', `--acme-directory '${acmeDirectory}' is no https:// URL`);
  }
  if (domain === null && (options.acmeEmail ?? options.acmeDirectory) !== undefined) {
    throw new Fault('InvalidParameter', '--acme-email and --acme-directory need a domain: up --domain NAME');
  }
  return { domain, acmeEmail, acmeDirectory };
}

function refuseChange(deps: PlatformDeps, before: InstanceConfig, wanted: InstanceConfig): void {
  const changed = (Object.keys(wanted) as (keyof InstanceConfig)[]).filter((name) => wanted[name] !== before[name]);
  if (changed.length === 0) return;
  const what = changed.map((name) => `${name} ${String(before[name])} -> ${String(wanted[name])}`).join(', ');
  throw runningWith(deps, what);
}

function runningWith({ self }: PlatformDeps, what: string): Fault {
  return new Fault('Conflict', `berth runs already; to change ${what}: sudo ${self} down --keep-tasks, then up again with these options`);
}

async function checkPorts({ self }: PlatformDeps, config: InstanceConfig): Promise<void> {
  if (isIP(config.listen) === 0) {
    throw new Fault(
      'InvalidParameter',
      `--listen ${config.listen} is no IP address; choose one of this machine's, or 127.0.0.1 for it alone`,
    );
  }
  if (config.apiPort === config.endpointPort) {
    throw new Fault('InvalidParameter', `--port and --endpoint-port are both ${config.apiPort}: they need two different ports`);
  }
  for (const [port, option] of [
    [config.apiPort, '--port'],
    [config.endpointPort, '--endpoint-port'],
  ] as const) {
    if (port < unprivilegedFrom()) {
      throw new Fault(
        'InvalidParameter',
        `${option} ${port}: berth listens as the user berth, which may use ports from ${unprivilegedFrom()} on; choose a higher one, or: sysctl net.ipv4.ip_unprivileged_port_start=${port}`,
      );
    }
    const problem = await portProblem(config.listen, port);
    if (problem === null) continue;
    const fix =
      problem.fix === 'port'
        ? `end it, or choose another one: sudo ${self} up ${option} N`
        : `choose an address of this machine: sudo ${self} up --listen ADDRESS`;
    throw new Fault('Conflict', `${problem.text}: ${fix}`);
  }
}

function unprivilegedFrom(): number {
  return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
}

/** Directories with their owners, the configuration, and an empty HAProxy configuration to begin with. */
async function prepare(paths: InstancePaths, config: InstanceConfig, options: UpOptions): Promise<void> {
  const berth = userIds();
  const own = (path: string, mode: number, ids: { uid: number; gid: number }) => {
    mkdirSync(path, { recursive: true, mode });
    chownSync(path, ids.uid, ids.gid);
    chmodSync(path, mode);
  };
  const root = { uid: 0, gid: 0 };
  try {
    own(paths.state, 0o755, root);
    own(paths.control, 0o700, berth);
    own(paths.vault, 0o700, berth);
    own(paths.registry, 0o700, berth);
    keepCredentials(paths, config, options, berth);
    own(paths.host, 0o700, root);
    own(paths.haproxy, 0o700, berth);
    own(paths.haproxyCertificates, 0o700, berth);
    own(paths.log, 0o755, root);
    mkdirSync('/run/berth', { recursive: true, mode: 0o755 });
    own(paths.run, 0o755, root);
    own(join(paths.run, 'link'), 0o700, berth);
    own(paths.haproxyRun, 0o700, berth);
    writeConfig(paths.config, config);
    writeInitialHaproxy(paths, config, berth);
  } catch (error) {
    if (isFault(error)) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOSPC' ? 'the disk is full; free some room, or use --state on another disk' : (error as Error).message;
    throw new Fault('Unavailable', `the state directory ${paths.state} can't be prepared: ${why}`, { cause: error });
  }
}

function writeInitialHaproxy(paths: InstancePaths, config: InstanceConfig, berth: { uid: number; gid: number }): void {
  const none = { stamp: '', endpoints: [], aliases: [], listeners: [], groups: [] };
  const spec = { ...haproxyAddresses(paths, config), maxFiles: limits.balancerFiles, ...none };
  writeFileSync(paths.haproxyConfig, renderHaproxy(spec), { mode: 0o600 });
  chownSync(paths.haproxyConfig, berth.uid, berth.gid);
}

/** Returns once every process is started; they run in a session of their own, and outlive this terminal. */
async function startKeeper({ paths, clock }: PlatformDeps, config: InstanceConfig): Promise<void> {
  const programs = { node: process.execPath, haproxy: findProgram('haproxy') };
  const spec = keeperSpec({ paths, ...programs, front: config, user: userIds(), env: passedOn() });
  writeFileSync(paths.keeperSpec, `${JSON.stringify(spec, null, 2)}\n`, { mode: 0o600 });
  const { code, stderr } = await runChild(clock, supervisorBinary, ['keep', '--spec', paths.keeperSpec, '--daemon'], {
    timeoutMs: KEEPER_START_MS,
  });
  if (code !== 0) throw new Fault('Unavailable', `the keeper could not start berth: ${stderr.replace(/^berth-supervisor: /, '').trim()}`);
}

function notes(config: InstanceConfig): string[] {
  if (config.listen === '127.0.0.1' || config.listen === '::1') return [];
  return [`Note: ${config.listen} is open to other machines; requests are signed, but not encrypted.`];
}
