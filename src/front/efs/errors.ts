/** Faults as EFS's own errors, with their HTTP status (API reference, version 2015-02-01; the SDK's `httpError` traits). */
import type { ApiErrors } from '#gateway/types.ts';

const names: Record<string, string> = {
  InvalidParameter: 'BadRequest',
  ClientError: 'BadRequest',
  AccessDenied: 'AccessDeniedException',
  Unsupported: 'BadRequest',
};

const statuses: Record<string, number> = {
  AccessDeniedException: 403,
  FileSystemLimitExceeded: 403,
  AccessPointLimitExceeded: 403,
  FileSystemNotFound: 404,
  AccessPointNotFound: 404,
  MountTargetNotFound: 404,
  PolicyNotFound: 404,
  FileSystemAlreadyExists: 409,
  AccessPointAlreadyExists: 409,
  FileSystemInUse: 409,
  MountTargetConflict: 409,
  IpAddressInUse: 409,
  NoFreeAddressesInSubnet: 409,
};

export const efsErrors: ApiErrors = {
  name(faultCode, errorName) {
    const name = errorName ?? names[faultCode];
    return name === undefined ? { name: 'InternalServerError', status: 500 } : { name, status: statuses[name] ?? 400 };
  },
  body: (name, message) => ({ ErrorCode: name, Message: message }),
};
