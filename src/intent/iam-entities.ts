/** Wishes about what users and roles have alike: inline and attached policies, permissions boundary, tags. */
import { iamScope, type IamEntity, type IamEntityKind } from '#domain/iam.ts';
import { clip } from '#domain/names.ts';
import type { Tag } from '#domain/task.ts';
import { awsManagedPolicy } from '#policy/index.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';
import { assertDocument, assertIamName, documentSize, iamTags } from './iam-checks.ts';
import { changeIam, entityOf, entityRows, iamFault, isAwsPolicy, limitExceeded, noSuchEntity, policyOf } from './iam-faults.ts';
import type { Account } from './iam-faults.ts';
import type { IntentDeps } from './types.ts';

/** Bytes of all inline policies together. */
const INLINE_MAX = { user: 2048, role: 10_240 };
const ATTACHED_MAX = 10;

export type EntityRef = { kind: IamEntityKind; name: string };

async function change(
  deps: IntentDeps,
  of: Account,
  { kind, name }: EntityRef,
  to: (entity: IamEntity, tx: WriteTx) => Promise<Partial<IamEntity>> | Partial<IamEntity>,
): Promise<void> {
  // prettier-ignore
  await changeIam(deps, of, async (tx) => {
    const entity = await entityOf(tx, of, kind, name);
    await entityRows(tx, kind).put({ ...entity, ...(await to(entity, tx)) }, entity.revision);
  });
}

export async function putInlinePolicy(deps: IntentDeps, of: Account, ref: EntityRef, policy: string, document: string): Promise<void> {
  assertIamName('policyName', policy, 128);
  await change(deps, of, ref, ({ inline }) => {
    const others = Object.entries(inline).filter(([name]) => name !== policy);
    const max = INLINE_MAX[ref.kind];
    const room = max - others.reduce((sum, [, text]) => sum + documentSize(text), 0);
    assertDocument(document, 'identity', room, `Maximum policy size of ${max} bytes exceeded for ${ref.kind} ${ref.name}`);
    return { inline: { ...inline, [policy]: document } };
  });
}

export async function deleteInlinePolicy(deps: IntentDeps, of: Account, ref: EntityRef, policy: string): Promise<void> {
  await change(deps, of, ref, (entity) => {
    const { [policy]: _gone, ...inline } = entity.inline;
    inlinePolicyOf(entity, ref.kind, policy);
    return { inline };
  });
}

export function inlinePolicyOf(entity: IamEntity, kind: IamEntityKind, policy: string): string {
  const found = Object.hasOwn(entity.inline, policy) ? entity.inline[policy] : undefined;
  if (found === undefined) throw noSuchEntity(`The ${kind} policy with name ${clip(policy)} cannot be found.`);
  return found;
}

/** Twice is once. */
export async function attachPolicy(deps: IntentDeps, of: Account, ref: EntityRef, arn: string): Promise<void> {
  await change(deps, of, ref, async ({ attached }, tx) => {
    await assertAttachable(tx, of, arn);
    if (attached.includes(arn)) return {};
    const what = ref.kind === 'user' ? 'PoliciesPerUser' : 'PoliciesPerRole';
    if (attached.length >= ATTACHED_MAX) throw limitExceeded(`Cannot exceed quota for ${what}: ${ATTACHED_MAX}`);
    return { attached: [...attached, arn] };
  });
}

export async function detachPolicy(deps: IntentDeps, of: Account, ref: EntityRef, arn: string): Promise<void> {
  await change(deps, of, ref, ({ attached }) => {
    if (!attached.includes(arn)) throw noSuchEntity(`Policy ${clip(arn)} was not found.`);
    return { attached: attached.filter((one) => one !== arn) };
  });
}

export async function setBoundary(deps: IntentDeps, of: Account, ref: EntityRef, boundary: string | null): Promise<void> {
  await change(deps, of, ref, async (entity, tx) => {
    if (boundary === null && entity.boundary === null) throw noSuchEntity(`The ${ref.kind} with name ${ref.name} does not have a permissions boundary.`); // prettier-ignore
    if (boundary !== null) await assertAttachable(tx, of, boundary);
    return { boundary };
  });
}

export async function tagEntity(deps: IntentDeps, of: Account, ref: EntityRef, tags: Tag[]): Promise<void> {
  await change(deps, of, ref, (entity) => ({ tags: iamTags(entity.tags, tags) }));
}

export async function untagEntity(deps: IntentDeps, of: Account, ref: EntityRef, keys: string[]): Promise<void> {
  const gone = keys.map((key) => key.toLowerCase());
  await change(deps, of, ref, ({ tags }) => ({ tags: tags.filter(({ key }) => !gone.includes(key.toLowerCase())) }));
}

/** Throws NoSuchEntity as AWS does where a policy is to be attached. */
export async function assertAttachable(tx: ReadTx, of: Account, arn: string): Promise<void> {
  if (!/^arn:aws:iam::(?:aws|\d{12}):policy\/.+/.test(arn)) throw iamFault('InvalidInput', `ARN ${clip(arn)} is not valid.`);
  const isThere = isAwsPolicy(arn) ? awsManagedPolicy(arn) !== undefined : await policyOf(tx, of, arn).then(() => true, () => false); // prettier-ignore
  if (!isThere) throw noSuchEntity(`Policy ${clip(arn)} does not exist or is not attachable.`);
}

/** Users and roles that a managed policy is attached to, and those that it bounds. */
export async function policyUsers(tx: ReadTx, of: Account, arn: string) {
  const scope = iamScope(of);
  const all = [
    ...(await tx.iamUsers.list(scope)).map((entity) => ({ kind: 'user' as const, entity: entity as IamEntity })),
    ...(await tx.iamRoles.list(scope)).map((entity) => ({ kind: 'role' as const, entity: entity as IamEntity })),
  ];
  return {
    attached: all.filter(({ entity }) => entity.attached.includes(arn)),
    bounded: all.filter(({ entity }) => entity.boundary === arn),
  };
}

/** How often every managed policy is attached and is a boundary. */
export async function policyCounts(tx: ReadTx, of: Account): Promise<(arn: string) => { attached: number; bounds: number }> {
  const scope = iamScope(of);
  const entities: IamEntity[] = [...(await tx.iamUsers.list(scope)), ...(await tx.iamRoles.list(scope))];
  return (arn) => ({
    attached: entities.filter((entity) => entity.attached.includes(arn)).length,
    bounds: entities.filter((entity) => entity.boundary === arn).length,
  });
}
