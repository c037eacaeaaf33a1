/** ListImages, RemoveImage, PruneImages: asked of the host that keeps them. */
import { Fault } from '#base/fault.ts';
import type { Json } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Operation } from '#gateway/types.ts';
import { hostOps } from '#link/operations.ts';
import { imageHost } from './hosts.ts';
import type { BerthApiDeps } from './types.ts';

/** An answer of a host; each operation's shape stands in link/operations.ts. */
type Answer = { [name: string]: Json };

export async function askImageHost(deps: BerthApiDeps, op: string, body: Json): Promise<Answer> {
  const host = await imageHost(deps);
  const answer = await deps.hosts.request(host.key.hostId, op, body, { timeoutMs: limits.imageCallMs });
  if (answer === null || typeof answer !== 'object' || Array.isArray(answer))
    throw new Fault('ProtocolError', `the host's answer to ${op} is no object`);
  return answer;
}

export function listImages(deps: BerthApiDeps): Operation {
  return {
    name: 'ListImages',
    action: 'berth:ListImages',
    resources: () => ['*'],
    handle: () => askImageHost(deps, hostOps.imageList, {}),
  };
}

export function removeImage(deps: BerthApiDeps): Operation<{ image: string }> {
  return {
    name: 'RemoveImage',
    action: 'berth:RemoveImage',
    resources: () => ['*'],
    handle: ({ image }) => askImageHost(deps, hostOps.imageRemove, { ref: image }),
  };
}

export function pruneImages(deps: BerthApiDeps): Operation<{ all?: boolean }> {
  return {
    name: 'PruneImages',
    action: 'berth:PruneImages',
    resources: () => ['*'],
    handle: ({ all }) => askImageHost(deps, hostOps.imagePrune, { all: all ?? false }),
  };
}
