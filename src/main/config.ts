/** STATE/config.json: what `berth up` was told, remembered for the next time and read by every process of the instance. */
import { mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { formatCidr, vpcCandidates } from '#domain/cidr.ts';
import { DEFAULT_ACCOUNT } from '#domain/scope.ts';
import type { Accelerator, IsolationWish } from '#domain/task-spec.ts';
import { DEFAULT_STATE, instanceId } from './paths.ts';

export type InstanceConfig = {
  version: 1;
  /** Where API and endpoints listen. */
  listen: string;
  apiPort: number;
  endpointPort: number;
  strictCapacity: boolean;
  /** Whether what a task writes is limited to the size that it asked for, where the machine can. */
  diskLimit: boolean;
  /** The availability zone that the machine stands in; null: it counts as standing in all. */
  zone: string | null;
  /** What a task gets that asks for `auto`. */
  isolation: IsolationWish;
  /** What microVMs run on; auto: KVM where it boots a guest, else software emulation. */
  accel: 'auto' | Accelerator;
  account: string;
  /** A domain that resolves to this machine from where the ACME server stands: certificates for names under it come by ACME. */
  domain: string | null;
  /** Where the ACME server writes to when something is amiss, and its directory; null: none, and Let's Encrypt's. */
  acmeEmail: string | null;
  acmeDirectory: string | null;
  /** The S3 endpoint that environment files come from whose buckets berth hasn't, and its region; null: none. */
  s3Endpoint: string | null;
  s3Region: string | null;
  /** Whether names under berth.internal resolve on this machine itself, and the hosts file that they are written to. */
  dns: boolean;
  hostsFile: string;
  /** After which silence a session of ExecuteCommand ends, in seconds. */
  execIdleSeconds: number;
  /** How long events are kept, in hours. */
  eventHours: number;
  /** Ranges that API destinations may call, beside those that are open to them anyhow (webhook-addresses.ts). */
  webhooksTo: string[];
  /** Where the search for a VPC's address range begins (domain/cidr.ts, vpcCandidates). */
  cidrSeed: number;
};

/** Place of 172.31.0.0/16 among the candidates: AWS's own default VPC, so that the usual instance looks as in AWS. */
const AWS_DEFAULT_VPC = vpcCandidates.findIndex((range) => formatCidr(range) === '172.31.0.0/16');

export function defaultConfig(state: string): InstanceConfig {
  return {
    version: 1,
    listen: '127.0.0.1',
    apiPort: 4566,
    endpointPort: 8080,
    strictCapacity: false,
    diskLimit: true,
    zone: null,
    isolation: 'auto',
    accel: 'auto',
    account: DEFAULT_ACCOUNT,
    domain: null,
    acmeEmail: null,
    acmeDirectory: null,
    s3Endpoint: null,
    s3Region: null,
    dns: false,
    hostsFile: '/etc/hosts',
    execIdleSeconds: limits.execIdleMs / 1000,
    eventHours: limits.eventKeepMs / 3_600_000,
    webhooksTo: [],
    cidrSeed: state === DEFAULT_STATE ? AWS_DEFAULT_VPC : Number.parseInt(instanceId(state), 16),
  };
}

/** The real path of a state directory, also of one that is still to be made (its parents' links are followed). */
export function realState(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || absolute === '/') throw unreadable(absolute, error);
    return join(realState(dirname(absolute)), absolute.slice(dirname(absolute).length).replace(/^\//, ''));
  }
}

/** undefined when the instance was never started. Throws Fault when the file can't be read or isn't a configuration. */
export function readConfig(path: string): InstanceConfig | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unreadable(path, error);
  }
  try {
    const config = JSON.parse(text) as InstanceConfig;
    if (config.version !== 1) throw new Fault('Internal', `version ${String(config.version)}`);
    return { ...defaultConfig(dirname(path)), ...config };
  } catch (error) {
    const why = (error as Error).message;
    throw new Fault(
      'InvalidParameter',
      `${path} is no configuration of this version of berth (${why}); move it away to start with the defaults`,
      { cause: error },
    );
  }
}

/** Replaces the file whole. */
export function writeConfig(path: string, config: InstanceConfig): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(`${path}.new`, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o644 });
  renameSync(`${path}.new`, path);
}

function unreadable(path: string, error: unknown): Fault {
  return new Fault('InvalidParameter', `${path} can't be read: ${(error as Error).message}`, { cause: error });
}
