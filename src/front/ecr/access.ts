/** Whether a caller may do something with a repository: its own policy has a say too. Both front doors of the registry ask here. */
import { repositoryArn } from '#domain/ecr.ts';
import { resourceTags } from '#gateway/access.ts';
import type { CallContext, Resource } from '#gateway/types.ts';
import type { Identity } from '#identity/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import type { Registry } from '#registry/index.ts';

export type EcrDeps = IntentDeps & { registry: Registry; identity: Pick<Identity, 'registryTokens'> };

/** Throws AccessDenied in IAM's words. */
export async function assertOnRepository(deps: EcrDeps, context: CallContext, action: string, name: string): Promise<void> {
  await context.assertAllowed(action, [await repositoryResource(deps, context, name)]);
}

/** With its tags and its policy; one that isn't there has neither. */
export async function repositoryResource(deps: EcrDeps, { account, region }: CallContext, name: string): Promise<Resource> {
  const key = { account, region, name };
  const repository = await deps.store.read((tx) => tx.ecrRepositories.get(key));
  const policy = repository?.policy ?? null;
  return { arn: repositoryArn(key), facts: resourceTags(repository?.tags, 'ecr'), ...(policy === null ? {} : { policy }) };
}

/** A pull of a mirrored repository may make it, and brings images into it. */
export async function assertMayImport(deps: EcrDeps, context: CallContext, name: string): Promise<void> {
  if ((await deps.registry.mirrorOf(context, name)) === null) return;
  const present = await deps.store.read((tx) => tx.ecrRepositories.get({ account: context.account, region: context.region, name }));
  if (present !== undefined) return;
  await assertOnRepository(deps, context, 'ecr:CreateRepository', name);
  await assertOnRepository(deps, context, 'ecr:BatchImportUpstreamImage', name);
}
