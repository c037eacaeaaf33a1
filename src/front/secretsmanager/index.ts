/**
 * AWS Secrets Manager: secrets with their versions, staging labels and resource policies. Rotation by a function, and copies in other regions, are
 * refused by name. Reference: Secrets Manager API reference, version 2017-10-17.
 */
import { guarded } from '#gateway/access.ts';
import type { ApiSpec } from '#gateway/types.ts';
import type { SecretDeps } from '#intent/index.ts';
import { secretsAccess } from './access.ts';
import { secretsErrors } from './errors.ts';
import { listOperations } from './list.ts';
import { policyOperations } from './policies.ts';
import { getRandomPassword } from './random-password.ts';
import { secretOperations } from './secrets.ts';
import { valueOperations } from './values.ts';
import { versionOperations } from './versions.ts';

export function createSecretsManagerApi(deps: SecretDeps): ApiSpec {
  return {
    service: 'secretsmanager',
    protocol: 'json-1.1',
    target: 'secretsmanager',
    schemaPackage: '@aws-sdk/client-secrets-manager',
    errors: secretsErrors,
    operations: guarded(secretsAccess(deps), [
      ...secretOperations(deps),
      ...valueOperations(deps),
      ...versionOperations(deps),
      ...listOperations(deps),
      ...policyOperations(deps),
      getRandomPassword(deps),
    ]),
  };
}
