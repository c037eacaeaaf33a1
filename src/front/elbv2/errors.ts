/** Faults as Elastic Load Balancing's own errors (API reference, "Common errors"; its own names stand in domain/elb-fault). */
import type { ApiErrors } from '#gateway/types.ts';

const names: Record<string, { name: string; status: number }> = {
  InvalidParameter: { name: 'ValidationError', status: 400 },
  ClientError: { name: 'ValidationError', status: 400 },
  ResourceNotFound: { name: 'ResourceNotFound', status: 400 },
  AccessDenied: { name: 'AccessDenied', status: 403 },
  LimitExceeded: { name: 'ValidationError', status: 400 },
  Conflict: { name: 'OperationNotPermitted', status: 400 },
  Unsupported: { name: 'UnsupportedOperation', status: 400 },
  Unavailable: { name: 'ServiceUnavailable', status: 503 },
  TimedOut: { name: 'ServiceUnavailable', status: 503 },
};

export const elbv2Errors: ApiErrors = {
  name(faultCode, errorName) {
    if (errorName !== undefined) return { name: errorName, status: 400 };
    return names[faultCode] ?? { name: 'InternalFailure', status: 500 };
  },
};
