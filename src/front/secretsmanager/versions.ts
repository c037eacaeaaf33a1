/** Staging labels, moved by hand. */
import type { UpdateSecretVersionStageRequest, UpdateSecretVersionStageResponse } from '@aws-sdk/client-secrets-manager';
import type { Handler } from '#gateway/types.ts';
import { invalidSecret, moveSecretStage, type SecretDeps } from '#intent/index.ts';
import { operation } from './operation.ts';
import { named } from './secrets.ts';

export function versionOperations(deps: SecretDeps): Handler[] {
  return [
    operation<UpdateSecretVersionStageRequest, UpdateSecretVersionStageResponse>('UpdateSecretVersionStage', async (input, context) => {
      const { SecretId = '', VersionStage: stage = '', RemoveFromVersionId: from, MoveToVersionId: to } = input;
      if (stage.length < 1 || stage.length > 256)
        throw invalidSecret(`A staging label has 1 to 256 characters; this one has ${stage.length}.`);
      return named(await moveSecretStage(deps, context, SecretId, { stage, from, to }));
    }),
  ];
}
