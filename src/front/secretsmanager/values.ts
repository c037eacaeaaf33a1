/** Values: read, one or several at a time, and written as new versions. */
import type {
  BatchGetSecretValueRequest,
  BatchGetSecretValueResponse,
  GetSecretValueRequest,
  GetSecretValueResponse,
  PutSecretValueRequest,
  PutSecretValueResponse,
  SecretValueEntry,
  UpdateSecretRequest,
  UpdateSecretResponse,
} from '@aws-sdk/client-secrets-manager';
import { asFault, Fault } from '#base/fault.ts';
import { clip } from '#domain/names.ts';
import { CURRENT, stagesOf } from '#domain/secret.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { changeSecret, invalidSecret, openSecret, putSecretValue, updateSecret, type SecretDeps } from '#intent/index.ts';
import { secretResource } from './access.ts';
import { secretsErrors } from './errors.ts';
import { assertDescription, assertKey, pageOf, readToken, readValue, valueView } from './input.ts';
import { filtered } from './filters.ts';
import { operation } from './operation.ts';
import { named } from './secrets.ts';

const DAY_MS = 24 * 3600_000;
const BATCH = 20;
const STAGES = 20;

export function valueOperations(deps: SecretDeps): Handler[] {
  return [
    operation<GetSecretValueRequest, GetSecretValueResponse>('GetSecretValue', async (input, context) => {
      const { SecretId = '', VersionId, VersionStage } = input;
      return await valueOf(deps, context, SecretId, { versionId: VersionId, stage: VersionStage });
    }),
    batchGet(deps),
    operation<PutSecretValueRequest, PutSecretValueResponse>('PutSecretValue', async (input, context) => {
      const token = readToken(input.ClientRequestToken, deps.random);
      if (input.RotationToken !== undefined)
        throw new Fault('Unsupported', 'berth does not implement RotationToken of PutSecretValue yet.');
      const value = readValue(input);
      if (value === null) throw invalidSecret('You must provide either SecretString or SecretBinary.');
      const stages = readStages(input.VersionStages);
      const secret = await putSecretValue(deps, context, input.SecretId ?? '', { token, value, stages });
      return { ...named(secret), VersionId: token, VersionStages: stagesOf(secret.stages, token) };
    }),
    operation<UpdateSecretRequest, UpdateSecretResponse>('UpdateSecret', async (input, context) => {
      assertDescription(input.Description);
      assertKey(input.KmsKeyId);
      if (input.Type !== undefined)
        throw new Fault('Unsupported', 'berth does not implement Type of UpdateSecret (secrets of other services) yet.');
      const token = readToken(input.ClientRequestToken, deps.random);
      const value = readValue(input);
      const secret = await updateSecret(deps, context, input.SecretId ?? '', { description: input.Description, value, token });
      return { ...named(secret), ...(value === null ? {} : { VersionId: token }) };
    }),
  ];
}

function readStages(stages: string[] | undefined): string[] {
  const wished = stages ?? [CURRENT];
  if (wished.length < 1 || wished.length > STAGES)
    throw invalidSecret(`A version may be given 1 to ${STAGES} staging labels; ${wished.length} are asked for.`);
  const odd = wished.find((stage) => stage.length < 1 || stage.length > 256);
  if (odd !== undefined) throw invalidSecret(`A staging label has 1 to 256 characters; '${clip(odd)}' has ${odd.length}.`);
  return wished;
}

async function valueOf(
  deps: SecretDeps,
  context: CallContext,
  id: string,
  wish: { versionId?: string | undefined; stage?: string | undefined },
): Promise<GetSecretValueResponse> {
  const { secret, version, stages, value } = await deps.store.read((tx) => openSecret(tx, deps.vault, context, id, wish));
  const today = Math.floor(deps.clock.now() / DAY_MS) * DAY_MS;
  if (secret.accessedAt !== today) await changeSecret(deps, context, id, () => ({ accessedAt: today }));
  return {
    ...named(secret),
    VersionId: version.key.id,
    ...valueView({ bytes: value, isBinary: version.isBinary }),
    VersionStages: stages,
    CreatedDate: new Date(version.createdAt),
  };
}

/** What the caller may not read, or what has no value, stands in `Errors` beside the others. */
function batchGet(deps: SecretDeps): Handler<BatchGetSecretValueRequest, BatchGetSecretValueResponse> {
  return operation('BatchGetSecretValue', async (input, context) => {
    const { SecretIdList: ids, Filters } = input;
    if ((ids === undefined) === (Filters === undefined))
      throw invalidSecret('You must specify either SecretIdList or Filters, but not both.');
    if (ids !== undefined && (ids.length < 1 || ids.length > BATCH))
      throw invalidSecret(`SecretIdList must have 1 to ${BATCH} secrets; it has ${ids.length}.`);
    if (ids !== undefined && (input.MaxResults !== undefined || input.NextToken !== undefined)) {
      throw invalidSecret('MaxResults and NextToken go with Filters, not with SecretIdList.');
    }
    if (Filters !== undefined) await context.assertAllowed('secretsmanager:ListSecrets', ['*']);
    const chosen = ids === undefined ? (await filtered(deps, context, Filters, {})).map(({ key }) => key.name) : ids;
    const paging = { MaxResults: input.MaxResults ?? BATCH, NextToken: input.NextToken };
    const { page, next } = pageOf(chosen, paging, (id) => id);
    const SecretValues: SecretValueEntry[] = [];
    const Errors: NonNullable<BatchGetSecretValueResponse['Errors']> = [];
    for (const SecretId of page) {
      try {
        await context.assertAllowed('secretsmanager:GetSecretValue', [await secretResource(deps, context, SecretId)]);
        SecretValues.push(await valueOf(deps, context, SecretId, {}));
      } catch (error) {
        const fault = asFault(error);
        if (fault.code === 'Internal') throw error;
        const name = fault.details['errorName'];
        const { name: ErrorCode } = secretsErrors.name(fault.code, typeof name === 'string' ? name : undefined);
        Errors.push({ SecretId, ErrorCode, Message: fault.message });
      }
    }
    return { SecretValues, Errors, ...(ids === undefined ? next : {}) };
  });
}
