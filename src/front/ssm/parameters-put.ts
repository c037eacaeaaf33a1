/** Parameters, written and deleted. */
import type {
  DeleteParameterRequest,
  DeleteParameterResult,
  DeleteParametersRequest,
  DeleteParametersResult,
  PutParameterRequest,
  PutParameterResult,
} from '@aws-sdk/client-ssm';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { clip } from '#domain/names.ts';
import type { ParameterType } from '#domain/parameter.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { deleteParameters, invalidParameter, noParameter, parameterFault, putParameter } from '#intent/index.ts';
import type { ParameterWish, SecretDeps } from '#intent/index.ts';
import { readTags } from '#gateway/key-value-tags.ts';
import { assertAllowed, constraint, readName } from './input.ts';
import { operation } from './operation.ts';

export function putOperations(deps: SecretDeps): Handler[] {
  return [
    operation<PutParameterRequest, PutParameterResult>('PutParameter', async (input, context) => {
      const wish = wishOf(input, context);
      const { version, tier } = await putParameter(deps, context, wish);
      return { Version: version, Tier: tier };
    }),
    operation<DeleteParameterRequest, DeleteParameterResult>('DeleteParameter', async ({ Name = '' }, context) => {
      if ((await deleteParameters(deps, context, [Name])).length === 0) throw noParameter(Name);
      return {};
    }),
    operation<DeleteParametersRequest, DeleteParametersResult>('DeleteParameters', async ({ Names = [] }, context) => {
      if (Names.length < 1 || Names.length > limits.parameterNames) {
        throw constraint('names', `[${Names.join(', ')}]`, `have length between 1 and ${limits.parameterNames}`);
      }
      const deleted = await deleteParameters(deps, context, Names);
      return { DeletedParameters: deleted, InvalidParameters: Names.filter((name) => !deleted.includes(name)) };
    }),
  ];
}

const TYPES = ['String', 'StringList', 'SecureString'] as const;
const TIERS = ['Standard', 'Advanced', 'Intelligent-Tiering'] as const;

function wishOf(input: PutParameterRequest, { principal }: CallContext): ParameterWish {
  const name = readName(input.Name);
  const { Value: value = '', Description: description, Overwrite: overwrite = false } = input;
  if (value === '') throw constraint('value', '', 'have length greater than or equal to 1');
  // `{{ssm:NAME}}` is what documents are filled in with.
  if (/\{\{.*\}\}/s.test(value)) throw invalidParameter('Parameter value can\'t nest another parameter. Do not use "{{}}" in the value.');
  const type = oneOf('type', input.Type, TYPES);
  if ((description?.length ?? 0) > 1024) throw constraint('description', description ?? '', 'have length less than or equal to 1024');
  assertKey(input.KeyId, type);
  if (input.Policies !== undefined && input.Policies !== '' && input.Policies !== '[]') {
    throw new Fault('Unsupported', 'berth does not implement Policies of PutParameter (expiration and its notices) yet.');
  }
  if (input.DataType !== undefined && input.DataType !== 'text') {
    throw new Fault('Unsupported', `berth does not implement the DataType '${clip(input.DataType)}' of PutParameter yet: only text.`);
  }
  const tags = readTags(input.Tags);
  if (tags.length > 0 && overwrite) {
    throw invalidParameter(
      "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
    );
  }
  return {
    name,
    value,
    overwrite,
    type,
    tier: oneOf('tier', input.Tier, TIERS),
    description,
    allowedPattern: input.AllowedPattern,
    dataType: input.DataType,
    tags,
    by: principal.arn,
    assertAllowed,
  };
}

function oneOf<T extends string>(member: string, value: string | undefined, allowed: readonly T[]): T | undefined {
  const found = allowed.find((one) => one === value);
  if (found !== undefined || value === undefined) return found;
  if (member === 'type') throw parameterFault('UnsupportedParameterType', `The parameter type ${clip(value)} is not supported.`);
  throw constraint(member, value, `satisfy enum value set: [${allowed.join(', ')}]`);
}

/** berth has no KMS: values are under its own master key, which is what AWS's own key for the service is to a caller. */
function assertKey(key: string | undefined, type: ParameterType | undefined): void {
  if (key === undefined || key === '') return;
  if (type !== undefined && type !== 'SecureString') {
    throw invalidParameter('KeyId is not required for String or StringList type parameter');
  }
  if (/^(?:arn:aws:kms:[^:]*:\d{12}:)?alias\/aws\/ssm$/.test(key)) return;
  throw parameterFault(
    'InvalidKeyId',
    `The KMS key '${clip(key)}' can't be used: berth has no KMS. Without KeyId values are encrypted by berth's own master key.`,
  );
}
