/** What IAM is asked before each operation of Systems Manager. Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Systems Manager". */
import { parameterArn, parseParameterSelector } from '#domain/parameter.ts';
import type { Scope } from '#domain/scope.ts';
import { anything, requestTags, resourceTags, type AccessTable } from '#gateway/access.ts';
import type { AccessRow, Resource } from '#gateway/types.ts';
import { findParameter, type SecretDeps } from '#intent/index.ts';

export function ssmAccess({ store }: Pick<SecretDeps, 'store'>): AccessTable {
  const resourcesOf = (names: readonly (string | undefined)[], scope: Scope) =>
    Promise.all(names.map((name) => parameterResource(store, name ?? '', scope)));
  const ofName: AccessRow<{ Name?: string | undefined }> = { resources: ({ Name }, scope) => resourcesOf([Name], scope) };
  const ofNames: AccessRow<{ Names?: string[] | undefined }> = { resources: ({ Names = [] }, scope) => resourcesOf(Names, scope) };
  const ofId = ({ ResourceId }: { ResourceId?: string | undefined }, scope: Scope) => resourcesOf([ResourceId], scope);
  const ofSession: AccessRow<{ SessionId?: string | undefined }> = {
    resources: ({ SessionId = '' }, scope) => [`arn:aws:ssm:${scope.region}:${scope.account}:session/${SessionId}`],
  };
  return {
    vendor: 'ssm',
    rows: {
      AddTagsToResource: { resources: ofId, facts: ({ Tags }) => requestTags(Tags) },
      DeleteParameter: ofName,
      DeleteParameters: ofNames,
      DescribeParameters: { resources: anything },
      GetParameter: ofName,
      GetParameterHistory: ofName,
      GetParameters: ofNames,
      GetParametersByPath: {
        // Whoever may read a path may read all that is below it.
        resources: ({ Path = '' }, scope) => [arnOf(Path.length > 1 ? Path.replace(/\/$/, '') : Path, scope)],
        facts: ({ Recursive }) => ({ 'ssm:Recursive': String(Recursive ?? false) }),
      },
      LabelParameterVersion: ofName,
      ListTagsForResource: { resources: ofId },
      PutParameter: {
        ...ofName,
        facts: ({ Overwrite, Tags }) => ({ 'ssm:Overwrite': String(Overwrite ?? false), ...requestTags(Tags) }),
        also: ({ Name = '', Tags }, scope) =>
          (Tags ?? []).length === 0 ? [] : [{ action: 'ssm:AddTagsToResource', resources: [arnOf(Name, scope)], facts: requestTags(Tags) }],
      } satisfies AccessRow,
      RemoveTagsFromResource: { resources: ofId, facts: ({ TagKeys }) => requestTags([], TagKeys) },
      ResumeSession: ofSession,
      TerminateSession: ofSession,
      UnlabelParameterVersion: ofName,
    },
  };
}

/** As policies see it: with its tags. */
export async function parameterResource(store: Pick<SecretDeps['store'], 'read'>, text: string, scope: Scope): Promise<Resource> {
  const tags = (await store.read((tx) => findParameter(tx, scope, text)))?.tags ?? [];
  const own = Object.fromEntries(tags.map(({ key, value }) => [`ssm:resourceTag/${key}`, value]));
  return { arn: arnOf(text, scope), facts: { ...resourceTags(tags), ...own } };
}

/** A version or label belongs to no ARN. */
function arnOf(text: string, scope: Scope): string {
  const asked = parseParameterSelector(text);
  if (asked === undefined) return text.startsWith('arn:') ? text : parameterArn(scope, text);
  return parameterArn(asked.arn ?? scope, asked.name);
}
