/** Parts of Secrets Manager's requests: names, values, tokens, pages. */
import { uuid } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Random } from '#base/random.ts';
import { clip, constraintText } from '#domain/names.ts';
import { cutPage } from '#gateway/page.ts';
import { invalidSecret, secretFault, type SecretValue } from '#intent/index.ts';

export function readName(name: string | undefined): string {
  if (name !== undefined && /^[A-Za-z0-9/_+=.@-]{1,512}$/.test(name)) return name;
  if (name === undefined || name.length < 1 || name.length > 512) throw constraint('name', name ?? '', 'have length between 1 and 512');
  throw secretFault(
    'ValidationException',
    'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!',
  );
}

const constraint = (member: string, value: string, what: string) =>
  secretFault('ValidationException', constraintText(value, member, what)); // prettier-ignore

/** Id of a version: the caller's token, or one that is made for it. */
export function readToken(token: string | undefined, random: Random): string {
  if (token === undefined) return uuid(random);
  if (token.length < 32 || token.length > 64) throw invalidSecret('The value for ClientRequestToken must be 32 to 64 characters long.');
  return token;
}

type Given = { SecretString?: string | undefined; SecretBinary?: Uint8Array | undefined };

/** null where neither is given. Throws InvalidParameterException for both, and for one that is too long. */
export function readValue({ SecretString: text, SecretBinary: binary }: Given): SecretValue | null {
  if (text !== undefined && binary !== undefined) throw invalidSecret("You can't specify both a binary secret value and a string secret value in the same secret."); // prettier-ignore
  const bytes = text === undefined ? binary : Buffer.from(text);
  if (bytes === undefined) return null;
  if (bytes.length === 0) throw invalidSecret('You must provide either SecretString or SecretBinary, and it may not be empty.');
  if (bytes.length > limits.secretBytes) {
    throw constraint(
      text === undefined ? 'secretBinary' : 'secretString',
      '...',
      `have length less than or equal to ${limits.secretBytes}`,
    );
  }
  return { bytes, isBinary: text === undefined };
}

export function valueView({ isBinary, bytes }: SecretValue) {
  return isBinary ? { SecretBinary: bytes } : { SecretString: Buffer.from(bytes).toString() };
}

/** berth has no KMS: values are under its own master key, which is what AWS's own key for the service is to a caller. */
export function assertKey(key: string | undefined): void {
  if (key === undefined || key === '' || /^(?:arn:aws:kms:[^:]*:\d{12}:)?alias\/aws\/secretsmanager$/.test(key)) return;
  throw secretFault(
    'EncryptionFailure',
    `Secrets Manager can't encrypt the protected secret text using the KMS key '${clip(key)}': berth has no KMS. Without KmsKeyId values are encrypted by berth's own master key.`,
  );
}

export function assertDescription(text: string | undefined): void {
  if (text !== undefined && text.length > 2048) throw constraint('description', text, 'have length less than or equal to 2048');
}

/** One page, and the token of the next. */
export function pageOf<T>(
  all: readonly T[],
  input: { MaxResults?: number | undefined; NextToken?: string | undefined },
  nameOf: (one: T) => string,
) {
  const { MaxResults: size = limits.secretsPage, NextToken: token } = input;
  if (size < 1 || size > limits.secretsPage) throw constraint('maxResults', String(size), `have value between 1 and ${limits.secretsPage}`);
  const { page, next } = cutPage(all, nameOf, { size, token }, () =>
    secretFault('InvalidNextTokenException', 'The NextToken value is invalid.'),
  );
  return { page, next: next === undefined ? {} : { NextToken: next } };
}
