/** AWS Security Token Service, as far as it is served. Reference: STS API reference, version 2011-06-15. */
import type { ApiErrors, ApiSpec } from '#gateway/types.ts';
import { assumeRole, type StsDeps } from './assume-role.ts';
import { getCallerIdentity } from './get-caller-identity.ts';
import { getSessionToken } from './get-session-token.ts';

export function createStsApi(deps: StsDeps): ApiSpec {
  return {
    service: 'sts',
    protocol: 'query',
    target: '2011-06-15',
    schemaPackage: '@aws-sdk/client-sts',
    errors,
    operations: [getCallerIdentity, assumeRole(deps), getSessionToken(deps)],
  };
}

const errors: ApiErrors = {
  name(faultCode, errorName) {
    if (errorName !== undefined) return { name: errorName, status: errorName === 'AccessDenied' ? 403 : 400 };
    switch (faultCode) {
      case 'AccessDenied':
        return { name: 'AccessDenied', status: 403 };
      case 'InvalidParameter':
      case 'ClientError':
        return { name: 'ValidationError', status: 400 };
      case 'Unsupported':
        return { name: 'UnsupportedOperation', status: 400 };
      case 'Unavailable':
      case 'TimedOut':
        return { name: 'ServiceUnavailable', status: 503 };
      default:
        return { name: 'InternalFailure', status: 500 };
    }
  },
};
