/** Faults as Secrets Manager's own errors (API reference, version 2017-10-17). */
import type { ApiErrors } from '#gateway/types.ts';

const names: Record<string, string> = {
  InvalidParameter: 'InvalidParameterException',
  ClientError: 'InvalidRequestException',
  Conflict: 'InvalidRequestException',
  AccessDenied: 'AccessDeniedException',
  ResourceNotFound: 'ResourceNotFoundException',
  AlreadyExists: 'ResourceExistsException',
  LimitExceeded: 'LimitExceededException',
  Unsupported: 'InvalidRequestException',
};

export const secretsErrors: ApiErrors = {
  name(faultCode, errorName) {
    if (errorName === 'MalformedPolicyDocument') return { name: 'MalformedPolicyDocumentException', status: 400 };
    const name = errorName ?? names[faultCode];
    return name === undefined ? { name: 'InternalServiceError', status: 500 } : { name, status: 400 };
  },
};
