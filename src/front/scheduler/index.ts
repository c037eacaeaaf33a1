/**
 * Amazon EventBridge Scheduler: schedules and their groups. Targets are ECS tasks and event buses; universal targets (`aws-sdk:...`) and others are refused by name.
 * Reference: EventBridge Scheduler API reference, version 2021-06-30.
 */
import { guarded } from '#gateway/access.ts';
import type { ApiErrors, ApiSpec } from '#gateway/types.ts';
import { schedulerAccess } from './access.ts';
import { groupOperations } from './groups.ts';
import { scheduleOperations } from './schedules.ts';
import type { SchedulerDeps } from './types.ts';

export type { SchedulerDeps } from './types.ts';

export function createSchedulerApi(deps: SchedulerDeps): ApiSpec {
  return {
    service: 'scheduler',
    protocol: 'rest-json',
    target: '2021-06-30',
    schemaPackage: '@aws-sdk/client-scheduler',
    errors,
    operations: guarded(schedulerAccess(deps), [...scheduleOperations(deps), ...groupOperations(deps)]),
  };
}

const names: Record<string, string> = {
  InvalidParameter: 'ValidationException',
  ClientError: 'ValidationException',
  Unsupported: 'ValidationException',
  AccessDenied: 'AccessDeniedException',
  ResourceNotFound: 'ResourceNotFoundException',
  Conflict: 'ConflictException',
  AlreadyExists: 'ConflictException',
  RevisionConflict: 'ConflictException',
  LimitExceeded: 'ServiceQuotaExceededException',
};

const statuses: Record<string, number> = {
  AccessDeniedException: 403,
  ResourceNotFoundException: 404,
  ConflictException: 409,
  ServiceQuotaExceededException: 402,
};

/** As the SDK's `httpError` traits have them. */
const errors: ApiErrors = {
  name(faultCode, errorName) {
    const name = errorName ?? names[faultCode];
    return name === undefined ? { name: 'InternalServerException', status: 500 } : { name, status: statuses[name] ?? 400 };
  },
  body: (_name, message) => ({ Message: message }),
};
