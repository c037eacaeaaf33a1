/** A repository's own policy, and its lifecycle policy. */
import type {
  DeleteLifecyclePolicyRequest,
  DeleteLifecyclePolicyResponse,
  DeleteRepositoryPolicyRequest,
  GetLifecyclePolicyPreviewRequest,
  GetLifecyclePolicyPreviewResponse,
  GetRepositoryPolicyResponse,
  PutLifecyclePolicyRequest,
  PutLifecyclePolicyResponse,
  SetRepositoryPolicyRequest,
  StartLifecyclePolicyPreviewRequest,
  StartLifecyclePolicyPreviewResponse,
} from '@aws-sdk/client-ecr';
import { asFault } from '#base/fault.ts';
import { parseLifecycle } from '#domain/ecr-lifecycle.ts';
import type { RepositoryRecord } from '#domain/ecr.ts';
import type { CallContext, Operation } from '#gateway/types.ts';
import { changeRepository, ecrFault, inRegistry, invalidEcr, repositoryOf } from '#intent/index.ts';
import { parsePolicy } from '#policy/index.ts';
import { expiredIn, lifecycleImages } from '#registry/index.ts';
import type { EcrDeps } from './access.ts';
import { pageOf } from './input.ts';
import { ecrOperation } from './operation.ts';

const POLICY_CHARS = 10_240;

const noPolicy = (scope: CallContext, name: string) =>
  ecrFault('RepositoryPolicyNotFoundException', `Repository policy does not exist for ${inRegistry(name, scope)}`, 'ResourceNotFound');
const noLifecycle = (scope: CallContext, name: string) =>
  ecrFault('LifecyclePolicyNotFoundException', `Lifecycle policy does not exist for ${inRegistry(name, scope)}`, 'ResourceNotFound');
const names = ({ key }: RepositoryRecord) => ({ registryId: key.account, repositoryName: key.name });

export function policyOperations(deps: EcrDeps): Operation[] {
  const read = (context: CallContext, name = '') => deps.store.read((tx) => repositoryOf(tx, context, name));
  return [
    ecrOperation<SetRepositoryPolicyRequest, GetRepositoryPolicyResponse>(
      deps,
      'SetRepositoryPolicy',
      async ({ repositoryName = '', policyText = '' }, context) => {
        assertPolicy(policyText);
        return { ...names(await changeRepository(deps, context, repositoryName, () => ({ policy: policyText }))), policyText };
      },
    ),
    ecrOperation<DeleteRepositoryPolicyRequest, GetRepositoryPolicyResponse>(
      deps,
      'GetRepositoryPolicy',
      async ({ repositoryName = '' }, context) => {
        const record = await read(context, repositoryName);
        if (record.policy === null) throw noPolicy(context, repositoryName);
        return { ...names(record), policyText: record.policy };
      },
    ),
    ecrOperation<DeleteRepositoryPolicyRequest, GetRepositoryPolicyResponse>(
      deps,
      'DeleteRepositoryPolicy',
      async ({ repositoryName = '' }, context) => {
        let policyText = '';
        const record = await changeRepository(deps, context, repositoryName, ({ policy }) => {
          if (policy === null) throw noPolicy(context, repositoryName);
          policyText = policy;
          return { policy: null };
        });
        return { ...names(record), policyText };
      },
    ),
    ...lifecycleOperations(deps, read),
  ];
}

function assertPolicy(text: string): void {
  if (text.length > POLICY_CHARS)
    throw invalidEcr(`Invalid parameter at 'PolicyText' failed to satisfy constraint: 'must have at most ${POLICY_CHARS} characters'`);
  try {
    parsePolicy(text, 'resource');
  } catch (error) {
    throw invalidEcr(
      `Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided: ${asFault(error).message}'`,
    );
  }
}

type Read = (context: CallContext, name?: string) => Promise<RepositoryRecord>;

function lifecycleOperations(deps: EcrDeps, read: Read): Operation[] {
  return [
    ecrOperation<PutLifecyclePolicyRequest, PutLifecyclePolicyResponse>(
      deps,
      'PutLifecyclePolicy',
      async ({ repositoryName = '', lifecyclePolicyText = '' }, context) => {
        parseLifecycle(lifecyclePolicyText);
        const lifecycle = { text: lifecyclePolicyText, evaluatedAt: 0 };
        return { ...names(await changeRepository(deps, context, repositoryName, () => ({ lifecycle }))), lifecyclePolicyText };
      },
    ),
    ecrOperation<DeleteLifecyclePolicyRequest, DeleteLifecyclePolicyResponse>(
      deps,
      'GetLifecyclePolicy',
      async ({ repositoryName = '' }, context) => {
        const record = await read(context, repositoryName);
        if (record.lifecycle === null) throw noLifecycle(context, repositoryName);
        return lifecycleView(record, record.lifecycle);
      },
    ),
    ecrOperation<DeleteLifecyclePolicyRequest, DeleteLifecyclePolicyResponse>(
      deps,
      'DeleteLifecyclePolicy',
      async ({ repositoryName = '' }, context) => {
        const before = await read(context, repositoryName);
        await changeRepository(deps, context, repositoryName, ({ lifecycle }) => {
          if (lifecycle === null) throw noLifecycle(context, repositoryName);
          return { lifecycle: null };
        });
        return lifecycleView(before, before.lifecycle ?? { text: '', evaluatedAt: 0 });
      },
    ),
    ecrOperation<StartLifecyclePolicyPreviewRequest, StartLifecyclePolicyPreviewResponse>(
      deps,
      'StartLifecyclePolicyPreview',
      async (input, context) => {
        const { repositoryName = '' } = input;
        const record = await read(context, repositoryName);
        const preview = input.lifecyclePolicyText ?? record.lifecycle?.text;
        if (preview === undefined) throw noLifecycle(context, repositoryName);
        parseLifecycle(preview);
        return {
          ...names(await changeRepository(deps, context, repositoryName, () => ({ preview }))),
          lifecyclePolicyText: preview,
          status: 'IN_PROGRESS',
        };
      },
    ),
    ecrOperation<GetLifecyclePolicyPreviewRequest, GetLifecyclePolicyPreviewResponse>(deps, 'GetLifecyclePolicyPreview', (input, context) =>
      preview(deps, input, context),
    ),
  ];
}

const lifecycleView = (
  record: RepositoryRecord,
  { text, evaluatedAt }: { text: string; evaluatedAt: number },
): DeleteLifecyclePolicyResponse => ({
  ...names(record),
  lifecyclePolicyText: text,
  lastEvaluatedAt: evaluatedAt === 0 ? undefined : new Date(evaluatedAt),
});

/** What the policy would take now. */
async function preview(
  deps: EcrDeps,
  input: GetLifecyclePolicyPreviewRequest,
  context: CallContext,
): Promise<GetLifecyclePolicyPreviewResponse> {
  const { repositoryName = '' } = input;
  const now = deps.clock.now();
  return await deps.store.read(async (tx) => {
    const record = await repositoryOf(tx, context, repositoryName);
    if (record.preview === null) {
      throw ecrFault(
        'LifecyclePolicyPreviewNotFoundException',
        `Lifecycle policy preview does not exist for ${inRegistry(repositoryName, context)}`,
        'ResourceNotFound',
      );
    }
    const images = new Map((await lifecycleImages(tx, record.key)).map((image) => [image.digest, image]));
    const expired = await expiredIn(tx, record.key, record.preview, now);
    const { page, nextToken } = pageOf(
      expired.toSorted((a, b) => (a.digest < b.digest ? -1 : 1)),
      ({ digest }) => digest,
      input.nextToken,
      input.maxResults,
    );
    return {
      ...names(record),
      lifecyclePolicyText: record.preview,
      status: 'COMPLETE',
      nextToken,
      previewResults: page.map(({ digest, priority }) => ({
        imageTags: images.get(digest)?.tags ?? [],
        imageDigest: digest,
        imagePushedAt: new Date(images.get(digest)?.pushedAt ?? 0),
        action: { type: 'EXPIRE' },
        appliedRulePriority: priority,
      })),
      summary: { expiringImageTotalCount: expired.length },
    };
  });
}
