/** Faults as S3 Files' own errors: few classes, with a code inside (API reference, version 2025-05-05; the SDK's `httpError` traits). */
import { Fault, isFault } from '#base/fault.ts';
import type { ApiErrors } from '#gateway/types.ts';

const statuses: Record<string, number> = {
  ValidationException: 400,
  ServiceQuotaExceededException: 402,
  AccessDeniedException: 403,
  ResourceNotFoundException: 404,
  ConflictException: 409,
};

const classes: Record<string, string> = {
  InvalidParameter: 'ValidationException',
  ClientError: 'ValidationException',
  Unsupported: 'ValidationException',
  AccessDenied: 'AccessDeniedException',
  ResourceNotFound: 'ResourceNotFoundException',
  AlreadyExists: 'ConflictException',
  Conflict: 'ConflictException',
  LimitExceeded: 'ServiceQuotaExceededException',
};

export const s3FilesErrors: ApiErrors = {
  name(faultCode) {
    const name = classes[faultCode] ?? 'InternalServerException';
    return { name, status: statuses[name] ?? 500 };
  },
  body: (name, message) => ({ errorCode: name, message }),
};

/** What intent refuses with a name of its own, which is this API's `errorCode`; EFS's member that names the access point is its `resourceId`. */
export async function withErrorCode<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isFault(error)) throw error;
    const { errorName, errorMembers, ...details } = error.details;
    if (errorName === undefined) throw error;
    const { AccessPointId: point, ...members } =
      typeof errorMembers === 'object' && errorMembers !== null && !Array.isArray(errorMembers) ? errorMembers : {};
    const resource = point === undefined ? {} : { resourceId: point, resourceType: 'AccessPoint' };
    throw new Fault(error.code, error.message, {
      details: { ...details, errorMembers: { errorCode: errorName, ...resource, ...members } },
      cause: error,
    });
  }
}
