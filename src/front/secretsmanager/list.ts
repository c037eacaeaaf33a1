/** Lists of secrets, and of one's versions. */
import type {
  ListSecretsRequest,
  ListSecretsResponse,
  ListSecretVersionIdsRequest,
  ListSecretVersionIdsResponse,
} from '@aws-sdk/client-secrets-manager';
import { secretIdOf, stagesOf } from '#domain/secret.ts';
import type { Handler } from '#gateway/types.ts';
import { secretOf, type SecretDeps } from '#intent/index.ts';
import { filtered } from './filters.ts';
import { pageOf } from './input.ts';
import { operation } from './operation.ts';
import { describe, named } from './secrets.ts';

export function listOperations(deps: SecretDeps): Handler[] {
  return [
    operation<ListSecretsRequest, ListSecretsResponse>('ListSecrets', async (input, context) => {
      const order = { planned: input.IncludePlannedDeletion, by: input.SortBy, order: input.SortOrder };
      const { page, next } = pageOf(await filtered(deps, context, input.Filters, order), input, ({ key }) => key.name);
      const SecretList = page.map((secret) => {
        const { VersionIdsToStages, ...entry } = describe(secret);
        return { ...entry, ...(VersionIdsToStages === undefined ? {} : { SecretVersionsToStages: VersionIdsToStages }) };
      });
      return { SecretList, ...next };
    }),
    operation<ListSecretVersionIdsRequest, ListSecretVersionIdsResponse>('ListSecretVersionIds', async (input, context) => {
      const { secret, versions } = await deps.store.read(async (tx) => {
        const secret = await secretOf(tx, context, input.SecretId ?? '');
        const { account, region } = secret.key;
        return { secret, versions: await tx.secretVersions.list({ account, region, secret: secretIdOf(secret) }) };
      });
      const shown = versions
        .filter(({ key }) => input.IncludeDeprecated === true || stagesOf(secret.stages, key.id).length > 0)
        .toSorted((a, b) => b.createdAt - a.createdAt);
      const { page, next } = pageOf(shown, input, ({ key }) => key.id);
      const Versions = page.map(({ key, createdAt }) => ({
        VersionId: key.id,
        VersionStages: stagesOf(secret.stages, key.id),
        CreatedDate: new Date(createdAt),
        KmsKeyIds: ['DefaultEncryptionKey'],
      }));
      return { ...named(secret), Versions, ...next };
    }),
  ];
}
