/** What IAM offers alike for users and roles, under names of their own: `PutUserPolicy`, `PutRolePolicy`, ... */
import type { IamEntityKind } from '#domain/iam.ts';
import type { CallContext, Operation } from '#gateway/types.ts';
import {
  attachPolicy,
  deleteInlinePolicy,
  detachPolicy,
  entityOf,
  inlinePolicyOf,
  putInlinePolicy,
  setBoundary,
  tagEntity,
  untagEntity,
} from '#intent/index.ts';
import { iamOperation, readTags, resourcesOf, type IamDeps } from './operation.ts';
import { pageOf, type PageInput } from './page.ts';
import { attachedViews, encodeDocument, tagViews } from './views.ts';

/** Members of all these calls; either name is there. */
type Input = PageInput & {
  UserName?: string;
  RoleName?: string;
  PolicyName?: string;
  PolicyDocument?: string;
  PolicyArn?: string;
  PermissionsBoundary?: string;
  PathPrefix?: string;
  Tags?: { Key: string | undefined; Value: string | undefined }[];
  TagKeys?: string[];
};

export function entityOperations(deps: IamDeps, kind: IamEntityKind): Operation[] {
  const Kind = kind === 'user' ? 'User' : 'Role';
  const nameOf = (input: Input) => (kind === 'user' ? input.UserName : input.RoleName) ?? '';
  const refOf = (input: Input) => ({ kind, name: nameOf(input) });
  const operation = (name: string, handle: (input: Input, context: CallContext) => Promise<object>) =>
    iamOperation<Input, object>(name, (input, context) => resourcesOf(deps, context, kind, nameOf(input)), handle);
  const doing = (name: string, act: (input: Input, context: CallContext) => Promise<void>) =>
    operation(name, async (input, context) => {
      await act(input, context);
      return {};
    });
  const read = (input: Input, { account }: CallContext) => deps.store.read((tx) => entityOf(tx, { account }, kind, nameOf(input)));

  return [
    doing(`Put${Kind}Policy`, (input, context) =>
      putInlinePolicy(deps, context, refOf(input), input.PolicyName ?? '', input.PolicyDocument ?? ''),
    ),
    operation(`Get${Kind}Policy`, async (input, context) => {
      const document = inlinePolicyOf(await read(input, context), kind, input.PolicyName ?? '');
      return { [`${Kind}Name`]: nameOf(input), PolicyName: input.PolicyName, PolicyDocument: encodeDocument(document) };
    }),
    doing(`Delete${Kind}Policy`, (input, context) => deleteInlinePolicy(deps, context, refOf(input), input.PolicyName ?? '')),
    operation(`List${Kind}Policies`, async (input, context) => {
      const { items, ...page } = pageOf(Object.keys((await read(input, context)).inline).toSorted(), input, (name) => name);
      return { PolicyNames: items, ...page };
    }),
    doing(`Attach${Kind}Policy`, (input, context) => attachPolicy(deps, context, refOf(input), input.PolicyArn ?? '')),
    doing(`Detach${Kind}Policy`, (input, context) => detachPolicy(deps, context, refOf(input), input.PolicyArn ?? '')),
    operation(`ListAttached${Kind}Policies`, async (input, context) => {
      const views = attachedViews(await read(input, context));
      const wanted = views.filter(({ PolicyArn }) => PolicyArn.split(':policy')[1]?.startsWith(input.PathPrefix ?? '/'));
      const { items, ...page } = pageOf(wanted, input, ({ PolicyArn }) => PolicyArn);
      return { AttachedPolicies: items, ...page };
    }),
    doing(`Put${Kind}PermissionsBoundary`, (input, context) => setBoundary(deps, context, refOf(input), input.PermissionsBoundary ?? '')),
    doing(`Delete${Kind}PermissionsBoundary`, (input, context) => setBoundary(deps, context, refOf(input), null)),
    doing(`Tag${Kind}`, (input, context) => tagEntity(deps, context, refOf(input), readTags(input.Tags))),
    doing(`Untag${Kind}`, (input, context) => untagEntity(deps, context, refOf(input), input.TagKeys ?? [])),
    operation(`List${Kind}Tags`, async (input, context) => {
      const { items, ...page } = pageOf((await read(input, context)).tags, input, ({ key }) => key);
      return { Tags: tagViews(items), ...page };
    }),
  ];
}
