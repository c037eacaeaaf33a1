/** Faults as ACM's own errors (API reference, version 2015-12-08, each operation's list). */
import type { ApiErrors } from '#gateway/types.ts';

const names: Record<string, string> = {
  InvalidParameter: 'ValidationException',
  ClientError: 'ValidationException',
  AccessDenied: 'AccessDeniedException',
  ResourceNotFound: 'ResourceNotFoundException',
  Conflict: 'ResourceInUseException',
  LimitExceeded: 'LimitExceededException',
  Unsupported: 'UnsupportedOperationException',
};

export const acmErrors: ApiErrors = {
  name(faultCode, errorName) {
    if (errorName !== undefined) return { name: errorName, status: 400 };
    const name = names[faultCode];
    return name === undefined ? { name: 'InternalServerException', status: 500 } : { name, status: 400 };
  },
};
