/**
 * AWS Systems Manager, as far as berth has it: Parameter Store, and what the session-manager-plugin asks about a session of ExecuteCommand. Reference:
 * Systems Manager API reference, version 2014-11-06.
 */
import { guarded } from '#gateway/access.ts';
import type { ApiErrors, ApiSpec } from '#gateway/types.ts';
import type { SecretDeps } from '#intent/index.ts';
import { ssmAccess } from './access.ts';
import { labelOperations } from './labels.ts';
import { byPathOperations } from './parameters-by-path.ts';
import { describeOperations } from './parameters-describe.ts';
import { getOperations } from './parameters-get.ts';
import { putOperations } from './parameters-put.ts';
import { sessionOperations, type SessionDeps } from './sessions.ts';
import { tagOperations } from './tags.ts';

export function createSsmApi(deps: SessionDeps & SecretDeps): ApiSpec {
  return {
    service: 'ssm',
    protocol: 'json-1.1',
    target: 'AmazonSSM',
    schemaPackage: '@aws-sdk/client-ssm',
    errors,
    operations: guarded(ssmAccess(deps), [
      ...sessionOperations(deps),
      ...putOperations(deps),
      ...getOperations(deps),
      ...byPathOperations(deps),
      ...describeOperations(deps),
      ...labelOperations(deps),
      ...tagOperations(deps),
    ]),
  };
}

const errors: ApiErrors = {
  name(faultCode, errorName) {
    if (errorName !== undefined) return { name: errorName, status: 400 };
    if (faultCode === 'AccessDenied') return { name: 'AccessDeniedException', status: 400 };
    if (faultCode === 'InvalidParameter' || faultCode === 'ClientError') return { name: 'ValidationException', status: 400 };
    if (faultCode === 'Unsupported') return { name: 'UnsupportedOperation', status: 400 };
    return { name: 'InternalServerError', status: 500 };
  },
};
