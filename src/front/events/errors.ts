/** Faults as EventBridge's own errors. Source: EventBridge API reference, "Common Errors" and each operation's list. */
import type { ApiErrors } from '#gateway/types.ts';

const names: Record<string, string> = {
  InvalidParameter: 'ValidationException',
  ClientError: 'ValidationException',
  Unsupported: 'ValidationException',
  AccessDenied: 'AccessDeniedException',
  ResourceNotFound: 'ResourceNotFoundException',
  AlreadyExists: 'ResourceAlreadyExistsException',
  LimitExceeded: 'LimitExceededException',
  RevisionConflict: 'ConcurrentModificationException',
};

export const eventsErrors: ApiErrors = {
  name(faultCode, errorName) {
    const name = errorName ?? names[faultCode];
    return name === undefined ? { name: 'InternalException', status: 500 } : { name, status: 400 };
  },
};
