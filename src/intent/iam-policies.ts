/** Wishes about managed policies and their versions. */
import { iamScope, policyArn, type PolicyRecord } from '#domain/iam.ts';
import { clip } from '#domain/names.ts';
import type { Tag } from '#domain/task.ts';
import { assertDescription, assertDocument, assertIamName, iamTags, pathOf } from './iam-checks.ts';
import { policyUsers } from './iam-entities.ts';
import { alreadyExists, changeIam, deleteConflict, iamFault, isAwsPolicy, limitExceeded, noSuchEntity, policyOf, uniqueId } from './iam-faults.ts'; // prettier-ignore
import type { Account } from './iam-faults.ts';
import type { IntentDeps } from './types.ts';

const SIZE_MAX = 6144;
const VERSIONS_MAX = 5;

export type PolicyWish = { name: string; path: string | undefined; description: string | undefined; document: string; tags: Tag[] };

export async function createPolicy(deps: IntentDeps, of: Account, wish: PolicyWish): Promise<PolicyRecord> {
  assertIamName('policyName', wish.name, 128);
  assertDescription(wish.description ?? '');
  assertDocument(wish.document, 'identity', SIZE_MAX, `Cannot exceed quota for PolicySize: ${SIZE_MAX}`);
  const now = deps.clock.now();
  const record = {
    key: { ...iamScope(of), name: wish.name },
    id: uniqueId(deps.random, 'ANPA'),
    path: pathOf(wish.path),
    description: wish.description ?? '',
    createdAt: now,
    updatedAt: now,
    tags: iamTags([], wish.tags),
    versions: [{ id: 'v1', document: wish.document, createdAt: now }],
    defaultVersion: 'v1',
    lastVersion: 1,
  };
  return await changeIam(deps, of, async (tx) => {
    const is = wish.name.toLowerCase();
    if ((await tx.iamPolicies.list(iamScope(of))).some(({ key }) => key.name.toLowerCase() === is)) {
      throw alreadyExists(`A policy called ${wish.name} already exists. Duplicate names are not allowed.`);
    }
    return await tx.iamPolicies.put(record, 0);
  });
}

async function change(
  deps: IntentDeps,
  of: Account,
  arn: string,
  to: (policy: PolicyRecord) => Partial<PolicyRecord>,
): Promise<PolicyRecord> {
  // prettier-ignore
  if (isAwsPolicy(arn)) throw iamFault('AccessDenied', `Cannot change ${clip(arn)}: it is AWS's own.`, 'AccessDenied');
  return await changeIam(deps, of, async (tx) => {
    const policy = await policyOf(tx, of, arn);
    return await tx.iamPolicies.put({ ...policy, ...to(policy), updatedAt: deps.clock.now() }, policy.revision);
  });
}

export async function createPolicyVersion(deps: IntentDeps, of: Account, arn: string, document: string, asDefault: boolean) {
  assertDocument(document, 'identity', SIZE_MAX, `Cannot exceed quota for PolicySize: ${SIZE_MAX}`);
  const policy = await change(deps, of, arn, ({ versions, lastVersion, defaultVersion }) => {
    if (versions.length >= VERSIONS_MAX) {
      throw limitExceeded(
        'A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.',
      );
    }
    const id = `v${lastVersion + 1}`;
    const made = { id, document, createdAt: deps.clock.now() };
    return { versions: [...versions, made], lastVersion: lastVersion + 1, defaultVersion: asDefault ? id : defaultVersion };
  });
  return { policy, version: versionOf(policy, `v${policy.lastVersion}`) };
}

export function versionOf(policy: PolicyRecord, id: string) {
  const found = policy.versions.find((version) => version.id === id);
  if (found === undefined) throw noSuchEntity(`Policy ${policyArn(policy)} version ${clip(id)} does not exist or is not attachable.`);
  return found;
}

export async function deletePolicyVersion(deps: IntentDeps, of: Account, arn: string, id: string): Promise<void> {
  await change(deps, of, arn, (policy) => {
    versionOf(policy, id);
    if (policy.defaultVersion === id) throw deleteConflict('Cannot delete the default version of a policy.');
    return { versions: policy.versions.filter((version) => version.id !== id) };
  });
}

export async function setDefaultPolicyVersion(deps: IntentDeps, of: Account, arn: string, id: string): Promise<void> {
  await change(deps, of, arn, (policy) => ({ defaultVersion: versionOf(policy, id).id }));
}

export async function tagPolicy(deps: IntentDeps, of: Account, arn: string, tags: Tag[]): Promise<void> {
  await change(deps, of, arn, (policy) => ({ tags: iamTags(policy.tags, tags) }));
}

export async function untagPolicy(deps: IntentDeps, of: Account, arn: string, keys: string[]): Promise<void> {
  const gone = keys.map((key) => key.toLowerCase());
  await change(deps, of, arn, ({ tags }) => ({ tags: tags.filter(({ key }) => !gone.includes(key.toLowerCase())) }));
}

/** Throws DeleteConflict while somebody has it, or it has versions beside the default one. */
export async function deletePolicy(deps: IntentDeps, of: Account, arn: string): Promise<void> {
  if (isAwsPolicy(arn)) throw iamFault('AccessDenied', `Cannot delete ${clip(arn)}: it is AWS's own.`, 'AccessDenied');
  await changeIam(deps, of, async (tx) => {
    const policy = await policyOf(tx, of, arn);
    const { attached, bounded } = await policyUsers(tx, of, arn);
    if (attached.length + bounded.length > 0) throw deleteConflict('Cannot delete a policy attached to entities.');
    if (policy.versions.length > 1) {
      throw deleteConflict("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy."); // prettier-ignore
    }
    await tx.iamPolicies.delete(policy.key);
  });
}
