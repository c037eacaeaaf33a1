/** Faults as S3's own errors (S3 API reference, "List of error codes"). */
import type { ApiErrors } from '#gateway/types.ts';

const names: Record<string, string> = {
  InvalidParameter: 'InvalidRequest',
  AccessDenied: 'AccessDenied',
  Unsupported: 'NotImplemented',
  Unavailable: 'ServiceUnavailable',
  TimedOut: 'RequestTimeout',
};

const statuses: Record<string, number> = {
  NotModified: 304,
  AccessDenied: 403,
  InvalidObjectState: 403,
  NoSuchBucket: 404,
  NoSuchBucketPolicy: 404,
  NoSuchCORSConfiguration: 404,
  NoSuchKey: 404,
  NoSuchLifecycleConfiguration: 404,
  NoSuchPublicAccessBlockConfiguration: 404,
  NoSuchTagSet: 404,
  NoSuchUpload: 404,
  NoSuchVersion: 404,
  NoSuchWebsiteConfiguration: 404,
  ObjectLockConfigurationNotFoundError: 404,
  OwnershipControlsNotFoundError: 404,
  ReplicationConfigurationNotFoundError: 404,
  ServerSideEncryptionConfigurationNotFoundError: 404,
  MethodNotAllowed: 405,
  BucketAlreadyExists: 409,
  BucketAlreadyOwnedByYou: 409,
  BucketNotEmpty: 409,
  MissingContentLength: 411,
  PreconditionFailed: 412,
  InvalidRange: 416,
  NotImplemented: 501,
  ServiceUnavailable: 503,
  // Not AWS's, whose disks are never full; no SDK tries this one again.
  InsufficientStorage: 507,
};

export const s3Errors: ApiErrors = {
  name(faultCode, errorName) {
    const name = errorName ?? names[faultCode];
    return name === undefined ? { name: 'InternalError', status: 500 } : { name, status: statuses[name] ?? 400 };
  },
};
