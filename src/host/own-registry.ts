/**
 * berth's own registry, for the image store: the control plane says what a name is and sees to it that the blobs are here; they are taken by a hard link, and unpacked from it. What is read
 * is verified against its digest by whoever reads it, since another user wrote it.
 */
import { copyFile, link, lstat, rm } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { Fault, isFault, type Json } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { ecrHost } from '#domain/ecr.ts';
import type { OwnName, OwnRegistry } from '#image/types.ts';
import { controlOps, type RegistryAnswer } from '#link/operations.ts';
import type { Uplink } from './uplink.ts';

export type OwnRegistryOptions = {
  /** The registry's directory. */
  dir: string;
  account: string;
  apiPort: number;
};

/** Where tasks reach the API (network/). */
const TASK_API = '169.254.170.3';
const RETRY_MS = 500;

export function createOwnRegistry({ uplink, clock }: { uplink: Uplink; clock: Clock }, options: OwnRegistryOptions): OwnRegistry {
  async function ask(op: string, at: OwnName, taskId: string | null, timeoutMs: number, signal: AbortSignal): Promise<Json> {
    for (;;) {
      const connection = await uplink.connected(signal);
      try {
        return await connection.request(op, { ...at, taskId } as Json, { timeoutMs });
      } catch (error) {
        // The control plane went away meanwhile, which is no failure of the task; what it has to say of the registry has a kind.
        const isLink = isFault(error, 'Unavailable') && error.details['kind'] === undefined;
        if (signal.aborted || !isLink) throw error;
        await clock.sleep(RETRY_MS);
      }
    }
  }

  return {
    serves: (registry) => isOwn(registry, options),
    async resolve(at, taskId, signal) {
      return (await ask(controlOps.registryResolve, at, taskId, limits.imageCallMs, signal)) as RegistryAnswer;
    },
    async take(at, taskId, path, signal) {
      await ask(controlOps.registryBlob, at, taskId, limits.imageTransferMs, signal);
      await linkBlob(join(options.dir, 'blobs', at.target.replace(':', '/')), path, at.target);
    },
  };
}

/** Names that lead to this instance: ECR's own of its account, and its API's port at any address of this machine. */
function isOwn(registry: string, { account, apiPort }: OwnRegistryOptions): boolean {
  if (ecrHost(registry)?.account === account) return true;
  const found = /^(.+?)(?::(\d+))?$/.exec(registry);
  if (Number(found?.[2] ?? 80) !== apiPort) return false;
  const host = (found?.[1] ?? '').toLowerCase();
  if (host === 'localhost' || host.endsWith('.localhost') || /^127(?:\.\d{1,3}){3}$/.test(host) || host === '[::1]') return true;
  if (host === TASK_API || host === hostname().toLowerCase()) return true;
  return Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === host));
}

/** A link follows no link: what another user might have put in the blob's place is looked at, and refused. */
async function linkBlob(blob: string, path: string, digest: string): Promise<void> {
  try {
    await link(blob, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new Fault('ResourceNotFound', `the registry has lost ${digest}`, { details: { kind: 'not-found' } });
    // Another file system, or one that has no links.
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw error;
    await copyFile(blob, path);
  }
  if ((await lstat(path)).isFile()) return;
  await rm(path, { force: true });
  throw new Fault('InvalidParameter', `${digest} of the registry is no file`, { details: { kind: 'manifest' } });
}
