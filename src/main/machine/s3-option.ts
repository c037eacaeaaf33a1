/** `berth up --s3-endpoint`: where environment files come from whose buckets berth hasn't itself, and the keys for it, which are kept beside the vault's. */
import { chmodSync, chownSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import type { UpOptions } from '#cli/platform.ts';
import type { InstanceConfig } from '../config.ts';
import type { InstancePaths } from '../paths.ts';
import { createRemoteObjects } from '../remote-objects.ts';
import type { Credentials, RemoteObjects } from '../remote-objects.ts';

const DEFAULT_REGION = 'us-east-1';

/** Throws InvalidParameter for what is no such endpoint. */
export function s3Options(config: InstanceConfig, options: UpOptions): Pick<InstanceConfig, 's3Endpoint' | 's3Region'> {
  const { s3Endpoint = config.s3Endpoint, s3Region = config.s3Region } = options;
  if (s3Endpoint === null) {
    if ((options.s3Region ?? options.s3Credentials) !== undefined) {
      throw new Fault('InvalidParameter', '--s3-region and --s3-credentials need an endpoint: up --s3-endpoint URL');
    }
    return { s3Endpoint: null, s3Region: null };
  }
  if (!/^https?:\/\/[^/\s?#]+(?:\/[^\s?#]*)?$/.test(s3Endpoint) || !URL.canParse(s3Endpoint)) {
    throw new Fault('InvalidParameter', `--s3-endpoint '${s3Endpoint}' is no http:// or https:// URL`);
  }
  if (s3Region !== null && !/^[a-z0-9-]{1,40}$/.test(s3Region))
    throw new Fault('InvalidParameter', `--s3-region '${s3Region}' is no region`);
  return { s3Endpoint, s3Region: s3Region ?? DEFAULT_REGION };
}

/** The keys of a file in the AWS tools' format: of its profile `default`, else of its first. Throws InvalidParameter, without a word of what stands there. */
export function readCredentialsFile(path: string): Credentials {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Fault('InvalidParameter', `--s3-credentials ${path} can't be read: ${(error as NodeJS.ErrnoException).code ?? 'error'}`);
  }
  const profiles = new Map<string, Map<string, string>>();
  let current = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[(?:profile\s+)?([^\]]+)\]\s*$/.exec(line)?.[1]?.trim();
    if (section !== undefined) profiles.set(section, (current = new Map()));
    const pair = /^\s*(aws_\w+)\s*=\s*(\S+)\s*$/.exec(line);
    if (pair !== null) current.set(pair[1] ?? '', pair[2] ?? '');
  }
  const found = profiles.get('default') ?? [...profiles.values()][0] ?? current;
  const [accessKeyId, secretAccessKey, sessionToken] = ['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token'].map((name) =>
    found.get(name),
  );
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new Fault(
      'InvalidParameter',
      `--s3-credentials ${path} has no aws_access_key_id and aws_secret_access_key, as the AWS tools keep them`,
    );
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

/** null: there are none, and requests aren't signed. */
export function keptCredentials(paths: InstancePaths): Credentials | null {
  try {
    return JSON.parse(readFileSync(paths.s3Credentials, 'utf8')) as Credentials;
  } catch {
    return null;
  }
}

/** What `up` was told; null: berth's own buckets alone. */
export function openRemoteObjects(clock: Clock, { s3Endpoint, s3Region }: InstanceConfig, paths: InstancePaths): RemoteObjects | null {
  if (s3Endpoint === null) return null;
  return createRemoteObjects(clock, { endpoint: s3Endpoint, region: s3Region ?? DEFAULT_REGION, credentials: keptCredentials(paths) });
}

/** Keeps them for the control plane alone; without an endpoint they go. */
export function keepCredentials(
  paths: InstancePaths,
  config: InstanceConfig,
  options: UpOptions,
  owner: { uid: number; gid: number },
): void {
  if (config.s3Endpoint === null) return rmSync(paths.s3Credentials, { force: true });
  if (options.s3Credentials === undefined) return;
  const credentials = readCredentialsFile(options.s3Credentials);
  rmSync(paths.s3Credentials, { force: true });
  writeFileSync(paths.s3Credentials, `${JSON.stringify(credentials)}\n`, { mode: 0o600 });
  chmodSync(paths.s3Credentials, 0o600);
  chownSync(paths.s3Credentials, owner.uid, owner.gid);
}

/** Whether what runs has other keys than these. */
export function changesCredentials(paths: InstancePaths, { s3Credentials }: UpOptions): boolean {
  if (s3Credentials === undefined) return false;
  const order = (keys: Credentials | null) => [keys?.accessKeyId, keys?.secretAccessKey, keys?.sessionToken].join('\n');
  return order(readCredentialsFile(s3Credentials)) !== order(keptCredentials(paths));
}
