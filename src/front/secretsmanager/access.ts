/** What IAM is asked before each operation of Secrets Manager. Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Secrets Manager". */
import type { Scope } from '#domain/scope.ts';
import { arnOfSecret, secretArn } from '#domain/secret.ts';
import { anything, requestTags, resourceTags, type AccessTable } from '#gateway/access.ts';
import type { AccessRow, OwnFacts, Resource } from '#gateway/types.ts';
import { findSecret, type SecretDeps } from '#intent/index.ts';

type OfSecret = { SecretId?: string | undefined };

export function secretsAccess(deps: SecretDeps): AccessTable {
  const resources = async ({ SecretId = '' }: OfSecret, scope: Scope) => [await secretResource(deps, scope, SecretId)];
  const ofSecret: AccessRow<OfSecret> = { resources };
  return {
    vendor: 'secretsmanager',
    rows: {
      CreateSecret: {
        resources: ({ Name = '' }, scope) => [secretArn(scope, Name)],
        facts: ({ Name, Description, KmsKeyId, Tags }) => ({
          ...told({ 'secretsmanager:Name': Name, 'secretsmanager:Description': Description, 'secretsmanager:KmsKeyId': KmsKeyId }),
          ...requestTags(Tags),
        }),
        also: ({ Name = '', Tags }, scope) =>
          (Tags ?? []).length === 0
            ? []
            : [{ action: 'secretsmanager:TagResource', resources: [secretArn(scope, Name)], facts: requestTags(Tags) }],
      },
      BatchGetSecretValue: { resources: anything },
      DeleteResourcePolicy: ofSecret,
      DeleteSecret: {
        resources,
        facts: ({ RecoveryWindowInDays: days, ForceDeleteWithoutRecovery: force }) =>
          told({ 'secretsmanager:RecoveryWindowInDays': days, 'secretsmanager:ForceDeleteWithoutRecovery': force }),
      },
      DescribeSecret: ofSecret,
      GetRandomPassword: { resources: anything },
      GetResourcePolicy: ofSecret,
      GetSecretValue: {
        resources,
        facts: ({ VersionId, VersionStage }) =>
          told({ 'secretsmanager:VersionId': VersionId, 'secretsmanager:VersionStage': VersionStage }),
      },
      ListSecretVersionIds: ofSecret,
      ListSecrets: { resources: anything },
      PutResourcePolicy: {
        resources,
        facts: ({ BlockPublicPolicy: block }) => told({ 'secretsmanager:BlockPublicPolicy': block }),
      },
      PutSecretValue: ofSecret,
      RestoreSecret: ofSecret,
      TagResource: { resources, facts: ({ Tags }) => requestTags(Tags) },
      UntagResource: { resources, facts: ({ TagKeys }) => requestTags([], TagKeys) },
      UpdateSecret: {
        resources,
        facts: ({ Description, KmsKeyId }) => told({ 'secretsmanager:Description': Description, 'secretsmanager:KmsKeyId': KmsKeyId }),
      },
      UpdateSecretVersionStage: {
        resources,
        facts: ({ VersionStage }) => told({ 'secretsmanager:VersionStage': VersionStage }),
      },
      ValidateResourcePolicy: {
        resources: async (input, scope) => (input.SecretId === undefined ? [secretArn(scope, '*')] : await resources(input, scope)),
      },
    },
  };
}

/** Of one that isn't there: what it was called by. */
export async function secretResource({ store }: { store: Pick<SecretDeps['store'], 'read'> }, scope: Scope, id: string): Promise<Resource> {
  const secret = await store.read((tx) => findSecret(tx, scope, id));
  const arn = secret === undefined ? (id.startsWith('arn:') ? id : secretArn(scope, id)) : arnOfSecret(secret);
  const { policy = null, tags } = secret ?? {};
  const facts = {
    'secretsmanager:SecretId': arn,
    'secretsmanager:SecretPrimaryRegion': scope.region,
    ...resourceTags(tags, 'secretsmanager'),
  };
  return { arn, facts, ...(policy === null ? {} : { policy }) };
}

function told(values: Record<string, string | number | boolean | undefined>): OwnFacts {
  return Object.fromEntries(Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])));
}
