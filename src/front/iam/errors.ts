/** Faults as IAM's own errors (API reference, version 2010-05-08, each operation's list). */
import type { ApiErrors } from '#gateway/types.ts';

const statuses: Record<string, number> = {
  NoSuchEntity: 404,
  EntityAlreadyExists: 409,
  DeleteConflict: 409,
  LimitExceeded: 409,
  AccessDenied: 403,
};

const names: Record<string, { name: string; status: number }> = {
  InvalidParameter: { name: 'ValidationError', status: 400 },
  ClientError: { name: 'ValidationError', status: 400 },
  AccessDenied: { name: 'AccessDenied', status: 403 },
  RevisionConflict: { name: 'ConcurrentModification', status: 409 },
  Unsupported: { name: 'UnsupportedOperation', status: 400 },
  Unavailable: { name: 'ServiceUnavailable', status: 503 },
  TimedOut: { name: 'ServiceUnavailable', status: 503 },
};

export const iamErrors: ApiErrors = {
  name(faultCode, errorName) {
    if (errorName !== undefined) return { name: errorName, status: statuses[errorName] ?? 400 };
    return names[faultCode] ?? { name: 'ServiceFailure', status: 500 };
  },
};
