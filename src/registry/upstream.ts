/** Outside registries that are pulled through: what they have is asked at its first pull, and kept here. */
import { open } from 'node:fs/promises';
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { PullThroughRecord } from '#domain/ecr.ts';
import { createCredentials } from '#image/credentials.ts';
import { downloadBlob } from '#image/download.ts';
import type { Reference } from '#image/reference.ts';
import { createRegistry, type ManifestAnswer } from '#image/registry.ts';
import { retrying } from '#image/retrying.ts';
import { createTransport, type Transport } from '#image/transport.ts';
import type { RegistryAuth } from '#image/types.ts';

export type Upstream = {
  /** Throws the Faults of a registry client: `details.kind` tells. */
  digest(rule: PullThroughRecord, repository: string, tag: string, signal: AbortSignal): Promise<string | null>;
  manifest(rule: PullThroughRecord, repository: string, target: string, signal: AbortSignal): Promise<ManifestAnswer>;
  /** The blob as a file at `path`, verified and synced. */
  blob(
    rule: PullThroughRecord,
    repository: string,
    wish: { digest: string; size: number },
    path: string,
    signal: AbortSignal,
  ): Promise<void>;
  close(): void;
};

export type UpstreamOptions = {
  transport?: Transport;
  /** HTTP_PROXY and its like. */
  proxyEnv?: Record<string, string | undefined>;
  /** What the secret of a rule says (`credentialArn`). */
  auth(credentialArn: string): Promise<RegistryAuth>;
};

export function createUpstream(clock: Clock, options: UpstreamOptions): Upstream {
  const transport = options.transport ?? createTransport(clock, options.proxyEnv === undefined ? {} : { proxyEnv: options.proxyEnv });
  const insecure: string[] = [];
  const registry = createRegistry({ transport, credentials: createCredentials(clock, null), clock, insecure });

  function refOf(rule: PullThroughRecord, repository: string): Reference {
    const plain = rule.upstreamUrl.startsWith('http://');
    const host = rule.upstreamUrl.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
    if (plain && !insecure.includes(host)) insecure.push(host);
    return {
      registry: host === 'registry-1.docker.io' ? 'docker.io' : host,
      repository: upstreamName(rule, repository),
      tag: null,
      digest: null,
    };
  }
  const authOf = async ({ credentialArn }: PullThroughRecord) => (credentialArn === null ? null : await options.auth(credentialArn));

  function asking<T>(
    rule: PullThroughRecord,
    signal: AbortSignal,
    ask: (auth: RegistryAuth | null, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return authOf(rule).then((auth) => retrying(clock, { budgetMs: limits.registryResolveMs, signal }, (attempt) => ask(auth, attempt)));
  }

  return {
    digest: (rule, repository, tag, signal) =>
      asking(rule, signal, (auth, attempt) => registry.headDigest(refOf(rule, repository), tag, { auth, signal: attempt })),
    manifest: (rule, repository, target, signal) =>
      asking(rule, signal, (auth, attempt) => registry.manifest(refOf(rule, repository), target, { auth, signal: attempt })),
    async blob(rule, repository, wish, path, signal) {
      const auth = await authOf(rule);
      const source = (offset: number, attempt: AbortSignal) =>
        registry.blob(refOf(rule, repository), wish.digest, offset, { auth, signal: attempt });
      await downloadBlob(clock, wish, source, { path, signal, onBytes: () => undefined });
      const file = await open(path, 'r+');
      try {
        await file.datasync();
      } finally {
        await file.close();
      }
    },
    close: () => transport.close(),
  };
}

/** `docker-hub/library/nginx` under the rule `docker-hub` is `library/nginx` there. */
export function upstreamName({ key: { prefix }, upstreamPrefix }: PullThroughRecord, repository: string): string {
  const rest = prefix === 'ROOT' ? repository : repository.slice(prefix.length + 1);
  return upstreamPrefix === null || upstreamPrefix === 'ROOT' ? rest : `${upstreamPrefix}/${rest}`;
}

/** The rule of the longest prefix; null where a repository mirrors nothing. */
export function ruleOf(rules: readonly PullThroughRecord[], repository: string): PullThroughRecord | null {
  const fits = rules.filter(({ key: { prefix } }) => prefix === 'ROOT' || repository.startsWith(`${prefix}/`));
  const length = ({ key: { prefix } }: PullThroughRecord) => (prefix === 'ROOT' ? 0 : prefix.length);
  return fits.toSorted((a, b) => length(b) - length(a))[0] ?? null;
}
