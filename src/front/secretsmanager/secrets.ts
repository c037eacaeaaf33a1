/** Secrets as a whole: made, described, tagged, deleted and brought back. */
import type {
  CreateSecretRequest,
  CreateSecretResponse,
  DeleteSecretRequest,
  DeleteSecretResponse,
  DescribeSecretRequest,
  DescribeSecretResponse,
  RestoreSecretRequest,
  RestoreSecretResponse,
  TagResourceRequest,
  UntagResourceRequest,
} from '@aws-sdk/client-secrets-manager';
import { Fault } from '#base/fault.ts';
import { arnOfSecret, secretArn, stagesOf } from '#domain/secret.ts';
import type { SecretRecord } from '#domain/secret.ts';
import { mergeTags, withoutTags } from '#domain/tags.ts';
import type { Handler } from '#gateway/types.ts';
import { changeSecret, createSecret, deleteSecret, noSecret, restoreSecret, secretOf, type SecretDeps } from '#intent/index.ts';
import { readTags, tagView } from '#gateway/key-value-tags.ts';
import { assertDescription, assertKey, readName, readToken, readValue } from './input.ts';
import { operation } from './operation.ts';

export function secretOperations(deps: SecretDeps): Handler[] {
  return [
    createSecretOperation(deps),
    operation<DescribeSecretRequest, DescribeSecretResponse>('DescribeSecret', async ({ SecretId = '' }, context) =>
      describe(await deps.store.read((tx) => secretOf(tx, context, SecretId))),
    ),
    deleteSecretOperation(deps),
    operation<RestoreSecretRequest, RestoreSecretResponse>('RestoreSecret', async ({ SecretId = '' }, context) =>
      named(await restoreSecret(deps, context, SecretId)),
    ),
    operation<TagResourceRequest, object>('TagResource', async ({ SecretId = '', Tags }, context) => {
      const added = readTags(Tags);
      await changeSecret(deps, context, SecretId, (present) => ({ tags: mergeTags(present.tags, added) }));
      return {};
    }),
    operation<UntagResourceRequest, object>('UntagResource', async ({ SecretId = '', TagKeys }, context) => {
      await changeSecret(deps, context, SecretId, (present) => ({ tags: withoutTags(present.tags, TagKeys ?? []) }));
      return {};
    }),
  ];
}

export const named = (secret: SecretRecord) => ({ ARN: arnOfSecret(secret), Name: secret.key.name });

function createSecretOperation(deps: SecretDeps): Handler<CreateSecretRequest, CreateSecretResponse> {
  return operation('CreateSecret', async (input, context) => {
    const name = readName(input.Name);
    assertDescription(input.Description);
    assertKey(input.KmsKeyId);
    if ((input.AddReplicaRegions ?? []).length > 0)
      throw new Fault('Unsupported', 'berth does not implement AddReplicaRegions of CreateSecret yet.');
    if (input.Type !== undefined)
      throw new Fault('Unsupported', 'berth does not implement Type of CreateSecret (secrets of other services) yet.');
    const token = readToken(input.ClientRequestToken, deps.random);
    const value = readValue(input);
    const wish = { name, description: input.Description ?? null, tags: readTags(input.Tags), value, token };
    const secret = await createSecret(deps, context, wish);
    return { ...named(secret), ...(value === null ? {} : { VersionId: token }) };
  });
}

function deleteSecretOperation(deps: SecretDeps): Handler<DeleteSecretRequest, DeleteSecretResponse> {
  return operation('DeleteSecret', async (input, context) => {
    const { SecretId = '', RecoveryWindowInDays: days, ForceDeleteWithoutRecovery: force } = input;
    const { secret, due } = await deleteSecret(deps, context, SecretId, { days, force });
    const DeletionDate = new Date(due);
    if (secret !== undefined) return { ...named(secret), DeletionDate };
    // As AWS does: by force what isn't there is gone.
    if (SecretId.startsWith('arn:')) throw noSecret();
    return { ARN: secretArn(context, SecretId), Name: SecretId, DeletionDate };
  });
}

/** Without a value, as DescribeSecret and ListSecrets tell it. */
export function describe(secret: SecretRecord): DescribeSecretResponse {
  const { description, createdAt, changedAt, accessedAt, deletion, tags, stages } = secret;
  const versions = [...new Set(Object.values(stages))].map((version) => [version, stagesOf(stages, version)] as const);
  return {
    ...named(secret),
    ...(description === null ? {} : { Description: description }),
    CreatedDate: new Date(createdAt),
    LastChangedDate: new Date(changedAt),
    ...(accessedAt === null ? {} : { LastAccessedDate: new Date(accessedAt) }),
    ...(deletion === null ? {} : { DeletedDate: new Date(deletion.at) }),
    Tags: tagView(tags),
    ...(versions.length === 0 ? {} : { VersionIdsToStages: Object.fromEntries(versions) }),
  };
}
