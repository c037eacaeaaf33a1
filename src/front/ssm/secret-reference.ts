/**
 * Secrets of Secrets Manager, read as parameters: `/aws/reference/secretsmanager/NAME`, behind which a version's id or staging label may stand. Source:
 * Systems Manager user guide, "Referencing AWS Secrets Manager secrets from Parameter Store parameters".
 */
import type { Parameter } from '@aws-sdk/client-ssm';
import { isFault } from '#base/fault.ts';
import { secretResource } from '#front/secretsmanager/access.ts';
import type { CallContext } from '#gateway/types.ts';
import { invalidParameter, noParameter, openSecret, type SecretDeps } from '#intent/index.ts';

const PREFIX = '/aws/reference/secretsmanager/';

export const isSecretReference = (name: string) => name.startsWith(PREFIX);

/** The caller needs the secret's own permission beside the parameter's. Throws ParameterNotFound. */
export async function referencedSecret(deps: SecretDeps, context: CallContext, name: string, decrypt: boolean): Promise<Parameter> {
  if (!decrypt) throw invalidParameter('WithDecryption flag must be True for retrieving a Secret Manager secret.');
  const [id = '', selector] = name.slice(PREFIX.length).split(':');
  await context.assertAllowed('secretsmanager:GetSecretValue', [await secretResource(deps, context, id)]);
  // The id of a version is that of the call that made it: 32 to 64 characters.
  const wish = selector === undefined ? {} : selector.length < 32 ? { stage: selector } : { versionId: selector };
  const opened = await deps.store
    .read((tx) => openSecret(tx, deps.vault, context, id, wish))
    .catch((error: unknown) => {
      throw isFault(error, 'ResourceNotFound') ? noParameter(name) : error;
    });
  if (opened.version.isBinary) throw invalidParameter(`The secret ${opened.secret.key.name} is binary: a parameter is a text.`);
  const created = new Date(opened.version.createdAt);
  const about = { ARN: opened.arn, Name: opened.secret.key.name, VersionId: opened.version.key.id, VersionStages: opened.stages, CreatedDate: created }; // prettier-ignore
  return {
    Name: `${PREFIX}${id}`,
    Type: 'SecureString',
    Value: Buffer.from(opened.value).toString(),
    Version: 0,
    ...(selector === undefined ? {} : { Selector: `:${selector}` }),
    SourceResult: JSON.stringify(about),
    LastModifiedDate: created,
    ARN: opened.arn,
  };
}
