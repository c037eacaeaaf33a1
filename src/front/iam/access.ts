/** What IAM's own resources bring to a call's condition keys: `aws:ResourceTag/KEY`, `iam:ResourceTag/KEY` and `iam:PermissionsBoundary`. */
import { iamScope } from '#domain/iam.ts';
import { resourceTags } from '#gateway/access.ts';
import type { OwnFacts } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';

/** Of a role, user, policy or instance profile, by its ARN. */
export async function aboutIam({ store }: Pick<IntentDeps, 'store'>, arn: string, { account }: { account: string }): Promise<OwnFacts> {
  const [, kind, name] = /^arn:aws:iam::\d{12}:([a-z-]+)\/(?:.*\/)?([^/]+)$/.exec(arn) ?? [];
  if (kind === undefined || name === undefined) return {};
  const key = { ...iamScope({ account }), name };
  const found = await store.read(async (tx) => {
    switch (kind) {
      case 'role':
        return await tx.iamRoles.get(key);
      case 'user':
        return await tx.iamUsers.get(key);
      case 'policy':
        return await tx.iamPolicies.get(key);
      case 'instance-profile':
        return await tx.iamInstanceProfiles.get(key);
      default:
        return undefined;
    }
  });
  const boundary = found !== undefined && 'boundary' in found ? found.boundary : null;
  return { ...resourceTags(found?.tags, 'iam'), ...(boundary === null ? {} : { 'iam:PermissionsBoundary': boundary }) };
}
