/** Faults as CloudWatch Logs' own errors (API reference, "Common Errors" and each operation's list). */
import type { ApiErrors } from '#gateway/types.ts';

const names: Record<string, string> = {
  InvalidParameter: 'InvalidParameterException',
  ClientError: 'InvalidParameterException',
  AccessDenied: 'AccessDeniedException',
  ResourceNotFound: 'ResourceNotFoundException',
  AlreadyExists: 'ResourceAlreadyExistsException',
  Conflict: 'OperationAbortedException',
  LimitExceeded: 'LimitExceededException',
  Unsupported: 'InvalidOperationException',
};

export const logsErrors: ApiErrors = {
  name(faultCode, errorName) {
    if (errorName !== undefined) return { name: errorName, status: 400 };
    const name = names[faultCode];
    if (name !== undefined) return { name, status: 400 };
    const unavailable = faultCode === 'Unavailable' || faultCode === 'TimedOut';
    return unavailable ? { name: 'ServiceUnavailableException', status: 503 } : { name: 'InternalFailure', status: 500 };
  },
};
