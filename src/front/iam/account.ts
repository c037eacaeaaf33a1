/** The account as a whole: all of its IAM in one list, as auditing tools read it, its counts, and its aliases, of which it has none. */
import type {
  GetAccountAuthorizationDetailsRequest,
  GetAccountSummaryResponse,
  ListAccountAliasesRequest,
  ManagedPolicyDetail,
  PolicyDetail,
  RoleDetail,
  UserDetail,
} from '@aws-sdk/client-iam';
import { iamScope, policyArn, type IamEntity, type PolicyVersion } from '#domain/iam.ts';
import { anything } from '#gateway/access.ts';
import type { CallContext, Operation } from '#gateway/types.ts';
import { policyCounts } from '#intent/index.ts';
import { awsManagedPolicies, awsManagedPolicy } from '#policy/index.ts';
import type { ReadTx } from '#store/types.ts';
import { iamOperation, type IamDeps } from './operation.ts';
import { pageOf } from './page.ts';
import { attachedViews, awsPolicyView, encodeDocument, instanceProfileView, policyView, roleView, userView, versionView } from './views.ts';

/** `place`: unique among all, and what they are sorted by. */
type Detail = { kind: string; place: string; view: UserDetail & RoleDetail & ManagedPolicyDetail };

export function accountOperations({ store }: IamDeps): Operation[] {
  return [
    iamOperation<GetAccountAuthorizationDetailsRequest, object>('GetAccountAuthorizationDetails', anything, async (input, context) => {
      const all = await store.read((tx) => details(tx, context));
      const wanted = all.filter(({ kind }) => (input.Filter ?? [kind]).some((one) => one === kind));
      const { items, ...page } = pageOf(wanted, input, ({ place }) => place);
      const of = (...kinds: string[]) => items.filter(({ kind }) => kinds.includes(kind)).map(({ view }) => view);
      return {
        UserDetailList: of('User'),
        GroupDetailList: [],
        RoleDetailList: of('Role'),
        Policies: of('LocalManagedPolicy', 'AWSManagedPolicy'),
        ...page,
      };
    }),
    iamOperation<object, GetAccountSummaryResponse>('GetAccountSummary', anything, async (_input, context) => ({
      SummaryMap: await store.read((tx) => summary(tx, context)),
    })),
    iamOperation<ListAccountAliasesRequest, object>('ListAccountAliases', anything, async () => ({
      AccountAliases: [],
      IsTruncated: false,
    })),
  ];
}

async function details(tx: ReadTx, context: CallContext): Promise<Detail[]> {
  const scope = iamScope(context);
  const counts = await policyCounts(tx, context);
  const profiles = await tx.iamInstanceProfiles.list(scope);
  const users = (await tx.iamUsers.list(scope)).map((user) => {
    const view = { ...userView(user), UserPolicyList: inlineViews(user), GroupList: [], AttachedManagedPolicies: attachedViews(user) };
    return { kind: 'User', place: `user ${user.key.name}`, view };
  });
  const roles = (await tx.iamRoles.list(scope)).map((role) => {
    const InstanceProfileList = profiles.filter((one) => one.role === role.key.name).map((one) => instanceProfileView(one, role));
    const { Description: _left, MaxSessionDuration: _out, ...view } = roleView(role);
    const more = { InstanceProfileList, RolePolicyList: inlineViews(role), AttachedManagedPolicies: attachedViews(role) };
    return { kind: 'Role', place: `role ${role.key.name}`, view: { ...view, ...more } };
  });
  const local = (await tx.iamPolicies.list(scope)).map((policy) => {
    const arn = policyArn(policy);
    const { Tags: _none, ...view } = policyView(policy, counts(arn));
    const versions = policy.versions.toReversed().map((version) => versionView(version, policy.defaultVersion, true));
    return { kind: 'LocalManagedPolicy', place: `policy ${arn}`, view: { ...view, PolicyVersionList: versions } };
  });
  // Of AWS's own those that somebody has.
  const aws = [...awsManagedPolicies()].flatMap(([arn, policy]) => {
    const used = counts(arn);
    if (used.attached + used.bounds === 0) return [];
    const document = awsManagedPolicy(arn)?.document ?? '';
    const version: PolicyVersion = { id: policy.version, document, createdAt: Date.parse(policy.updatedAt) };
    const view = { ...awsPolicyView(arn, policy, used), PolicyVersionList: [versionView(version, policy.version, true)] };
    return [{ kind: 'AWSManagedPolicy', place: `policy ${arn}`, view }];
  });
  return [...users, ...roles, ...local, ...aws].toSorted((a, b) => (a.place < b.place ? -1 : 1));
}

const inlineViews = ({ inline }: IamEntity): PolicyDetail[] =>
  Object.entries(inline).map(([PolicyName, document]) => ({ PolicyName, PolicyDocument: encodeDocument(document) }));

/** What is counted and what bounds it, where berth bounds it as AWS does by default. */
async function summary(tx: ReadTx, context: CallContext): Promise<Record<string, number>> {
  const scope = iamScope(context);
  const policies = await tx.iamPolicies.list(scope);
  return {
    AccessKeysPerUserQuota: 2,
    AttachedPoliciesPerRoleQuota: 10,
    AttachedPoliciesPerUserQuota: 10,
    Groups: 0,
    InstanceProfiles: (await tx.iamInstanceProfiles.list(scope)).length,
    Policies: policies.length,
    PolicySizeQuota: 6144,
    PolicyVersionsInUse: policies.reduce((sum, { versions }) => sum + versions.length, 0),
    Roles: (await tx.iamRoles.list(scope)).length,
    Users: (await tx.iamUsers.list(scope)).length,
    VersionsPerPolicyQuota: 5,
  };
}
