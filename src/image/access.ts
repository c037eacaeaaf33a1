/**
 * Images that came with a task's own credentials: who starts one by what is here already must be someone that its registry would give it to. As Kubernetes'
 * kubelet does it for images that were pulled with secrets; images that came without credentials are anybody's, and cost no question.
 */
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { authKey } from './authorize.ts';
import { cannotPull } from './pull-errors.ts';
import { formatReference, type Reference } from './reference.ts';
import type { Registry } from './registry.ts';
import { kindOf, retrying } from './retrying.ts';
import { createSharedWork } from './shared-work.ts';
import type { RegistryAuth } from './types.ts';

export type ImageAccess = {
  /** The registry has just given it for these credentials. */
  proven(ref: Reference, digest: string, auth: RegistryAuth | null): void;
  /** Whether the registry gives this manifest for these credentials. Throws CannotPullContainer when that can't be known, Cancelled. */
  mayHave(ref: Reference, digest: string, wish: { auth: RegistryAuth | null; signal: AbortSignal | undefined }): Promise<boolean>;
};

export function createImageAccess({ registry, clock, log }: { registry: Registry; clock: Clock; log: Log }): ImageAccess {
  /** When each was last given, oldest first. */
  const proofs = new Map<string, number>();
  const questions = createSharedWork<boolean, never>();
  const keep = (key: string): void => {
    proofs.delete(key);
    proofs.set(key, clock.now());
    const oldest = proofs.keys().next().value;
    if (proofs.size > limits.registryProofsKept && oldest !== undefined) proofs.delete(oldest);
  };
  const keyOf = (ref: Reference, digest: string, auth: RegistryAuth | null) => `${authKey(ref.registry, ref.repository, auth)} ${digest}`;

  async function ask(ref: Reference, digest: string, auth: RegistryAuth | null, signal: AbortSignal): Promise<boolean> {
    const key = keyOf(ref, digest, auth);
    try {
      await retrying(clock, { budgetMs: limits.registryResolveMs, signal }, (attempt) =>
        registry.headDigest(ref, digest, { auth, signal: attempt }),
      );
      keep(key);
      return true;
    } catch (error) {
      const kind = kindOf(error);
      if (kind === 'denied' || kind === 'not-found') {
        proofs.delete(key);
        return false;
      }
      // A registry that is away takes nothing back from whom it has given it to.
      if (!proofs.has(key) || signal.aborted) throw cannotPull(formatReference(ref), error, 'resolve');
      log.warn('image.access-not-asked', { name: formatReference(ref), kind });
      return true;
    }
  }

  return {
    proven: (ref, digest, auth) => keep(keyOf(ref, digest, auth)),
    async mayHave(ref, digest, { auth, signal }) {
      const key = keyOf(ref, digest, auth);
      const last = proofs.get(key);
      if (last !== undefined && clock.now() - last < limits.registryProofMs) return true;
      return await questions.run(key, { signal }, (shared) => ask(ref, digest, auth, shared));
    },
  };
}
