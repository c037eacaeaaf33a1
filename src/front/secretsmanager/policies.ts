/** Resource policies: kept as they were written, and asked with each call about the secret (access.ts). */
import type {
  DeleteResourcePolicyRequest,
  DeleteResourcePolicyResponse,
  GetResourcePolicyRequest,
  GetResourcePolicyResponse,
  PutResourcePolicyRequest,
  PutResourcePolicyResponse,
  ValidateResourcePolicyRequest,
  ValidateResourcePolicyResponse,
} from '@aws-sdk/client-secrets-manager';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Handler } from '#gateway/types.ts';
import { changeSecret, invalidSecret, liveSecretOf, secretFault, type SecretDeps } from '#intent/index.ts';
import { parsePolicy } from '#policy/index.ts';
import type { PolicyDocument } from '#policy/index.ts';
import { operation } from './operation.ts';
import { named } from './secrets.ts';

export function policyOperations(deps: SecretDeps): Handler[] {
  return [
    operation<GetResourcePolicyRequest, GetResourcePolicyResponse>('GetResourcePolicy', async ({ SecretId = '' }, context) => {
      const secret = await deps.store.read((tx) => liveSecretOf(tx, context, SecretId));
      return { ...named(secret), ...(secret.policy === null ? {} : { ResourcePolicy: secret.policy }) };
    }),
    operation<PutResourcePolicyRequest, PutResourcePolicyResponse>('PutResourcePolicy', async (input, context) => {
      const { SecretId = '', ResourcePolicy: policy = '' } = input;
      const document = readPolicy(policy);
      if (input.BlockPublicPolicy === true && isPublic(document)) {
        throw secretFault(
          'PublicPolicyException',
          'You set BlockPublicPolicy to true, and the resource policy grants broad access to the secret.',
        );
      }
      return named(await changeSecret(deps, context, SecretId, () => ({ policy })));
    }),
    operation<DeleteResourcePolicyRequest, DeleteResourcePolicyResponse>('DeleteResourcePolicy', async ({ SecretId = '' }, context) =>
      named(await changeSecret(deps, context, SecretId, () => ({ policy: null }))),
    ),
    validate(deps),
  ];
}

function validate(deps: SecretDeps): Handler<ValidateResourcePolicyRequest, ValidateResourcePolicyResponse> {
  return operation('ValidateResourcePolicy', async ({ SecretId, ResourcePolicy = '' }, context) => {
    if (SecretId !== undefined) await deps.store.read((tx) => liveSecretOf(tx, context, SecretId));
    try {
      if (!isPublic(readPolicy(ResourcePolicy))) return { PolicyValidationPassed: true, ValidationErrors: [] };
      const text = 'The resource policy grants broad access to the secret.';
      return { PolicyValidationPassed: false, ValidationErrors: [{ CheckName: 'BlockPublicPolicy', ErrorMessage: text }] };
    } catch (error) {
      return { PolicyValidationPassed: false, ValidationErrors: [{ CheckName: 'PolicySyntax', ErrorMessage: asFault(error).message }] };
    }
  });
}

function readPolicy(text: string): PolicyDocument {
  if (text.length < 1 || text.length > limits.secretPolicyChars) {
    throw invalidSecret(`A resource policy has 1 to ${limits.secretPolicyChars} characters; this one has ${text.length}.`);
  }
  return parsePolicy(text, 'resource');
}

/** Anyone is allowed something, without a condition. */
function isPublic({ statements }: PolicyDocument): boolean {
  return statements.some(
    ({ effect, principal, conditions }) =>
      effect === 'Allow' &&
      conditions.length === 0 &&
      principal !== null &&
      (principal.negated || (principal.names['AWS'] ?? []).includes('*')),
  );
}
