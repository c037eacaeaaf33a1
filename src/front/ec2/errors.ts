/** Faults as EC2's own errors ("Error codes for the Amazon EC2 API"). */
import { Fault } from '#base/fault.ts';
import type { ApiErrors } from '#gateway/types.ts';

const names: Record<string, { name: string; status: number }> = {
  InvalidParameter: { name: 'InvalidParameterValue', status: 400 },
  ClientError: { name: 'InvalidParameterValue', status: 400 },
  AccessDenied: { name: 'UnauthorizedOperation', status: 403 },
  ResourceNotFound: { name: 'InvalidParameterValue', status: 400 },
  Conflict: { name: 'IncorrectState', status: 400 },
  LimitExceeded: { name: 'ResourceLimitExceeded', status: 400 },
  Unsupported: { name: 'UnsupportedOperation', status: 400 },
  CapacityUnavailable: { name: 'InsufficientAddressCapacity', status: 400 },
  Unavailable: { name: 'Unavailable', status: 503 },
  TimedOut: { name: 'Unavailable', status: 503 },
};

export const ec2Errors: ApiErrors = {
  name(faultCode, errorName) {
    if (errorName !== undefined) return { name: errorName, status: errorName === 'DryRunOperation' ? 412 : 400 };
    return names[faultCode] ?? { name: 'InternalError', status: 500 };
  },
};

/** Throws what EC2 answers to a dry run that would have worked. */
export function assertNotDryRun(input: { DryRun?: boolean | undefined }): void {
  if (input.DryRun !== true) return;
  throw new Fault('ClientError', 'Request would have succeeded, but DryRun flag is set.', { details: { errorName: 'DryRunOperation' } });
}
