/** An operation of IAM, and what its resources are called. */
import { entityArn, iamScope, instanceProfileArn } from '#domain/iam.ts';
import type { IamEntityKind } from '#domain/iam.ts';
import { requestTags } from '#gateway/access.ts';
import type { CallContext, Operation, OwnFacts } from '#gateway/types.ts';
import type { Identity } from '#identity/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import type { Tag } from '#domain/task.ts';

export type IamDeps = IntentDeps & { identity: Identity };

type Tagged = { Tags?: { Key: string | undefined; Value: string | undefined }[] | undefined };
/** ARNs that a call touches. */
type Resources<In> = (input: In, context: CallContext) => string[] | Promise<string[]>;

export function iamOperation<In, Out>(
  name: string,
  resources: Resources<In>,
  handle: (input: In, context: CallContext) => Promise<Out>,
): Operation<In, Out> {
  return { name, action: `iam:${name}`, resources, facts: (input) => factsOf(name, input as Record<string, unknown> & Tagged), handle };
}

/** IAM's own condition keys, from members that any of its calls may have. */
function factsOf(name: string, input: Record<string, unknown> & Tagged): OwnFacts {
  const { PolicyArn: policy, PermissionsBoundary: boundary, Tags: tags, TagKeys: keys, AWSServiceName: service } = input;
  const facts = requestTags(tags, Array.isArray(keys) ? (keys as string[]) : []);
  if (typeof policy === 'string' && /^(At|De)tach/.test(name)) facts['iam:PolicyARN'] = policy;
  if (typeof boundary === 'string') facts['iam:PermissionsBoundary'] = boundary;
  if (typeof service === 'string') facts['iam:AWSServiceName'] = service;
  return facts;
}

/** Of one that isn't there the ARN that it would have at the root. */
export function resourcesOf(
  deps: IntentDeps,
  { account }: { account: string },
  kind: IamEntityKind | 'instance-profile',
  name: string,
): Promise<string[]> {
  // prettier-ignore
  return deps.store.read(async (tx) => {
    const key = { ...iamScope({ account }), name };
    if (kind === 'instance-profile') return [instanceProfileArn((await tx.iamInstanceProfiles.get(key)) ?? { key, path: '/' })];
    const found = kind === 'user' ? await tx.iamUsers.get(key) : await tx.iamRoles.get(key);
    return [entityArn(kind, found ?? { key, path: '/' })];
  });
}

export const arnAt = (account: string, kind: string, path: string | undefined, name: string) =>
  `arn:aws:iam::${account}:${kind}${path ?? '/'}${name}`;

/** As IAM writes the resource of a list: `arn:aws:iam::123456789012:user/` */
export const listOf =
  (kind: string) =>
  (_input: unknown, { account }: { account: string }) => [`arn:aws:iam::${account}:${kind}/`];

export const readTags = (tags: Tagged['Tags']): Tag[] => (tags ?? []).map(({ Key, Value }) => ({ key: Key ?? '', value: Value ?? '' }));
