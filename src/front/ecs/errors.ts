/** Faults as ECS's own errors (API reference, "Common Errors" and each operation's list). */
import type { ApiErrors } from '#gateway/types.ts';

const names: Record<string, string> = {
  InvalidParameter: 'InvalidParameterException',
  ClientError: 'ClientException',
  AccessDenied: 'AccessDeniedException',
  ClusterNotFound: 'ClusterNotFoundException',
  TaskNotFound: 'InvalidParameterException',
  TaskDefinitionNotFound: 'ClientException',
  ResourceNotFound: 'ResourceNotFoundException',
  AlreadyExists: 'InvalidParameterException',
  Conflict: 'ConflictException',
  ClusterContainsTasks: 'ClusterContainsTasksException',
  ClusterContainsServices: 'ClusterContainsServicesException',
  ServiceNotFound: 'ServiceNotFoundException',
  ServiceNotActive: 'ServiceNotActiveException',
  ServiceDeploymentNotFound: 'ServiceDeploymentNotFoundException',
  TaskSetNotFound: 'TaskSetNotFoundException',
  LimitExceeded: 'LimitExceededException',
  Unsupported: 'UnsupportedFeatureException',
};

export const ecsErrors: ApiErrors = {
  name(faultCode, errorName) {
    if (errorName !== undefined) return { name: errorName, status: errorName === 'ServerException' ? 500 : 400 };
    const name = names[faultCode];
    return name === undefined ? { name: 'ServerException', status: 500 } : { name, status: 400 };
  },
};
