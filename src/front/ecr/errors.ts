/** Faults as ECR's own errors (API reference, version 2015-09-21). */
import type { ApiErrors } from '#gateway/types.ts';

const names: Record<string, string> = {
  InvalidParameter: 'InvalidParameterException',
  ClientError: 'InvalidParameterException',
  LimitExceeded: 'LimitExceededException',
  AccessDenied: 'AccessDeniedException',
  Unsupported: 'InvalidParameterException',
};

/** Where details.kind says more than the code: what the registry's files throw. */
export const ecrErrors: ApiErrors = {
  name(faultCode, errorName) {
    const name = errorName ?? names[faultCode];
    return name === undefined ? { name: 'ServerException', status: 500 } : { name, status: 400 };
  },
};
