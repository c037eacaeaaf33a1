/** What hosts ask of berth's own registry: whether a task's execution role may pull, what a name is, and that its blobs are here. */
import { Fault, isFault } from '#base/fault.ts';
import type { RegistryPulls } from '#control/index.ts';
import { ecrHost, repositoryArn } from '#domain/ecr.ts';
import type { Scope } from '#domain/scope.ts';
import type { TaskRecord } from '#domain/task.ts';
import { resourceTags } from '#gateway/access.ts';
import type { RegistryCall } from '#link/operations.ts';
import type { Registry } from '#registry/index.ts';
import { assertExecutionRole, type Deps as RoleDeps } from './task-credentials.ts';

export function registryPulls(deps: RoleDeps & { registry: Registry }, home: Scope): RegistryPulls {
  const scopeOf = (task: TaskRecord | null, { registry }: RegistryCall): Scope =>
    ecrHost(registry) ?? (task === null ? home : { account: task.key.account, region: task.key.region });
  return {
    async resolve(task, call) {
      const scope = scopeOf(task, call);
      if (task !== null) await assertMayPull(deps, task, scope, call);
      try {
        const image = await deps.registry.image(scope, call.repository, call.target, new AbortController().signal);
        if (task !== null) deps.registry.pulled(image);
        return { digest: image.key.digest, mediaType: image.mediaType };
      } catch (error) {
        throw pullFault(error);
      }
    },
    async blob(task, call) {
      const scope = scopeOf(task, call);
      try {
        const { target, repository } = call;
        const isManifest = (await deps.store.read((tx) => tx.ecrImages.get({ ...scope, repository, digest: target }))) !== undefined;
        const layer = isManifest || (await deps.registry.layer(scope, repository, target, new AbortController().signal)) !== null;
        if (!layer) throw new Fault('ResourceNotFound', `${target}: not found`, { details: { kind: 'not-found' } });
      } catch (error) {
        throw pullFault(error);
      }
    },
  };
}

/** Fargate asks for a token first, whose refusal has a text of its own. */
async function assertMayPull(deps: RoleDeps, task: TaskRecord, scope: Scope, call: RegistryCall): Promise<void> {
  const role = task.desired.spec.executionRole;
  const repository = await deps.store.read((tx) => tx.ecrRepositories.get({ ...scope, name: call.repository }));
  const arn = repositoryArn({ ...scope, name: call.repository });
  const policy = repository?.policy ?? null;
  const touched = { arn, facts: resourceTags(repository?.tags, 'ecr'), ...(policy === null ? {} : { policy }) };
  try {
    await assertExecutionRole(deps, task.key, role, 'ecr:GetAuthorizationToken', '*');
  } catch (error) {
    if (!isFault(error, 'AccessDenied')) throw error;
    const text = `unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 1 time(s): AccessDeniedException: ${error.message}`;
    throw new Fault('ResourceInitialization', `ResourceInitializationError: ${text}`, { cause: error });
  }
  try {
    for (const action of ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer']) {
      await assertExecutionRole(deps, task.key, role, action, touched);
    }
  } catch (error) {
    if (!isFault(error, 'AccessDenied')) throw error;
    const text = `pulling from host ${call.registry} failed with status code [manifests ${call.target}]: 403 Forbidden: ${error.message}`;
    throw new Fault('AccessDenied', text, { details: { kind: 'denied' } });
  }
}

/** The registry's own errors in a registry client's kinds. */
function pullFault(error: unknown): unknown {
  if (!isFault(error) || error.details['kind'] === 'not-found') return error;
  const name = error.details['errorName'];
  if (name === 'RepositoryNotFoundException' || name === 'ImageNotFoundException' || name === 'LayersNotFoundException') {
    return new Fault('ResourceNotFound', `not found: ${error.message}`, { details: { kind: 'not-found' }, cause: error });
  }
  const kind = error.details['kind'] === 'upstream' ? 'status' : (error.details['kind'] ?? 'server');
  return new Fault(error.code, error.message, { details: { ...error.details, kind }, cause: error });
}
