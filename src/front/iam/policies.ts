/** Managed policies: the account's own, and AWS's for reading. */
import type {
  CreatePolicyRequest,
  CreatePolicyVersionRequest,
  DeletePolicyRequest,
  DeletePolicyVersionRequest,
  GetPolicyRequest,
  GetPolicyVersionRequest,
  ListEntitiesForPolicyRequest,
  ListPoliciesRequest,
  ListPolicyTagsRequest,
  ListPolicyVersionsRequest,
  Policy,
  SetDefaultPolicyVersionRequest,
  TagPolicyRequest,
  UntagPolicyRequest,
} from '@aws-sdk/client-iam';
import { iamScope, policyArn, type PolicyVersion } from '#domain/iam.ts';
import { clip } from '#domain/names.ts';
import type { CallContext, Operation } from '#gateway/types.ts';
import {
  createPolicy,
  createPolicyVersion,
  deletePolicy,
  deletePolicyVersion,
  noSuchEntity,
  policyCounts,
  policyOf,
  policyUsers,
  setDefaultPolicyVersion,
  tagPolicy,
  untagPolicy,
} from '#intent/index.ts';
import { awsManagedPolicies, awsManagedPolicy } from '#policy/index.ts';
import type { ReadTx } from '#store/types.ts';
import { arnAt, iamOperation, listOf, readTags, type IamDeps } from './operation.ts';
import { pageOf, underPath } from './page.ts';
import { awsPolicyView, policyView, tagViews, versionView } from './views.ts';

type OfPolicy = { PolicyArn: string | undefined };
const ofPolicy = ({ PolicyArn }: OfPolicy) => [PolicyArn ?? ''];

export function policyOperations(deps: IamDeps): Operation[] {
  const doing = <In extends OfPolicy>(name: string, act: (input: In, context: CallContext, arn: string) => Promise<void>) =>
    iamOperation<In, object>(name, ofPolicy, async (input, context) => {
      await act(input, context, input.PolicyArn ?? '');
      return {};
    });
  return [
    iamOperation<CreatePolicyRequest, object>(
      'CreatePolicy',
      (input, { account }) => [arnAt(account, 'policy', input.Path, input.PolicyName ?? '')],
      async (input, context) => {
        const { PolicyName: name = '', Path: path, Description: description, PolicyDocument: document = '' } = input;
        const made = await createPolicy(deps, context, { name, path, description, document, tags: readTags(input.Tags) });
        return { Policy: policyView(made, { attached: 0, bounds: 0 }) };
      },
    ),
    iamOperation<GetPolicyRequest, object>('GetPolicy', ofPolicy, async ({ PolicyArn: arn = '' }, context) => ({
      Policy: await deps.store.read(async (tx) => {
        const counts = (await policyCounts(tx, context))(arn);
        const aws = awsManagedPolicy(arn);
        return aws === undefined ? policyView(await policyOf(tx, context, arn), counts) : awsPolicyView(arn, aws, counts);
      }),
    })),
    iamOperation<ListPoliciesRequest, object>('ListPolicies', listOf('policy'), async (input, context) => {
      const all = await deps.store.read((tx) => listed(tx, context, input));
      const { items, ...page } = pageOf(all, input, ({ Arn }) => Arn ?? '');
      return { Policies: items, ...page };
    }),
    doing<DeletePolicyRequest>('DeletePolicy', (_input, context, arn) => deletePolicy(deps, context, arn)),
    iamOperation<CreatePolicyVersionRequest, object>('CreatePolicyVersion', ofPolicy, async (input, context) => {
      const { PolicyArn: arn = '', PolicyDocument: document = '' } = input;
      const { policy, version } = await createPolicyVersion(deps, context, arn, document, input.SetAsDefault === true);
      return { PolicyVersion: versionView(version, policy.defaultVersion, false) };
    }),
    iamOperation<GetPolicyVersionRequest, object>('GetPolicyVersion', ofPolicy, async (input, context) => {
      const { PolicyArn: arn = '', VersionId: id = '' } = input;
      const { versions, current } = await deps.store.read((tx) => versionsOf(tx, context, arn));
      const found = versions.find((version) => version.id === id);
      if (found === undefined) throw noSuchEntity(`Policy ${clip(arn)} version ${clip(id)} does not exist or is not attachable.`);
      return { PolicyVersion: versionView(found, current, true) };
    }),
    iamOperation<ListPolicyVersionsRequest, object>('ListPolicyVersions', ofPolicy, async (input, context) => {
      const { versions, current } = await deps.store.read((tx) => versionsOf(tx, context, input.PolicyArn ?? ''));
      const { items, ...page } = pageOf(versions.toReversed(), input, ({ id }) => id);
      return { Versions: items.map((version) => versionView(version, current, false)), ...page };
    }),
    doing<DeletePolicyVersionRequest>('DeletePolicyVersion', (input, context, arn) => deletePolicyVersion(deps, context, arn, input.VersionId ?? '')), // prettier-ignore
    doing<SetDefaultPolicyVersionRequest>('SetDefaultPolicyVersion', (input, context, arn) => setDefaultPolicyVersion(deps, context, arn, input.VersionId ?? '')), // prettier-ignore
    doing<TagPolicyRequest>('TagPolicy', (input, context, arn) => tagPolicy(deps, context, arn, readTags(input.Tags))),
    doing<UntagPolicyRequest>('UntagPolicy', (input, context, arn) => untagPolicy(deps, context, arn, input.TagKeys ?? [])),
    iamOperation<ListPolicyTagsRequest, object>('ListPolicyTags', ofPolicy, async (input, context) => {
      const { tags } = await deps.store.read((tx) => policyOf(tx, context, input.PolicyArn ?? ''));
      const { items, ...page } = pageOf(tags, input, ({ key }) => key);
      return { Tags: tagViews(items), ...page };
    }),
    iamOperation<ListEntitiesForPolicyRequest, object>(
      'ListEntitiesForPolicy',
      ofPolicy,
      async ({ PolicyArn: arn = '', ...input }, context) => {
        const { attached, bounded } = await deps.store.read(async (tx) => {
          if (awsManagedPolicy(arn) === undefined) await policyOf(tx, context, arn);
          return await policyUsers(tx, context, arn);
        });
        const all = input.PolicyUsageFilter === 'PermissionsBoundary' ? bounded : attached;
        const wanted = all.filter(({ kind, entity }) => ofFilter(input.EntityFilter, kind) && underPath(input.PathPrefix)(entity));
        const { items, ...page } = pageOf(wanted, input, ({ kind, entity }) => `${kind} ${entity.key.name}`);
        return {
          PolicyGroups: [],
          PolicyUsers: items.filter(({ kind }) => kind === 'user').map(({ entity }) => ({ UserName: entity.key.name, UserId: entity.id })),
          PolicyRoles: items.filter(({ kind }) => kind === 'role').map(({ entity }) => ({ RoleName: entity.key.name, RoleId: entity.id })),
          ...page,
        };
      },
    ),
  ];
}

const ofFilter = (filter: string | undefined, kind: string) => filter === undefined || filter.toLowerCase() === kind;

async function listed(tx: ReadTx, context: CallContext, input: ListPoliciesRequest): Promise<Policy[]> {
  const counts = await policyCounts(tx, context);
  const local = (await tx.iamPolicies.list(iamScope(context))).map((policy) => policyView(policy, counts(policyArn(policy)), false));
  const aws = [...awsManagedPolicies()].map(([arn, policy]) => awsPolicyView(arn, policy, counts(arn)));
  const all = input.Scope === 'Local' ? local : input.Scope === 'AWS' ? aws : [...local, ...aws];
  return all.filter((policy) => {
    const uses = input.PolicyUsageFilter === 'PermissionsBoundary' ? policy.PermissionsBoundaryUsageCount : policy.AttachmentCount;
    return (policy.Path ?? '/').startsWith(input.PathPrefix ?? '/') && (input.OnlyAttached !== true || (uses ?? 0) > 0);
  });
}

/** Of AWS's own only the one that holds. */
async function versionsOf(tx: ReadTx, context: CallContext, arn: string): Promise<{ versions: PolicyVersion[]; current: string }> {
  const aws = awsManagedPolicy(arn);
  if (aws !== undefined) {
    return { versions: [{ id: aws.version, document: aws.document, createdAt: Date.parse(aws.updatedAt) }], current: aws.version };
  }
  const policy = await policyOf(tx, context, arn);
  return { versions: policy.versions, current: policy.defaultVersion };
}
