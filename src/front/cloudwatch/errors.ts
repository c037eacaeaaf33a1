/** Faults as CloudWatch's own errors: the codes of its Query protocol, and the names that they have in JSON. Source: CloudWatch API reference, "Common errors". */
import { Fault } from '#base/fault.ts';
import type { ApiErrors } from '#gateway/types.ts';

const codes: Record<string, { code: string; status: number }> = {
  InvalidParameter: { code: 'InvalidParameterValue', status: 400 },
  ClientError: { code: 'ValidationError', status: 400 },
  AccessDenied: { code: 'AccessDenied', status: 403 },
  ResourceNotFound: { code: 'ResourceNotFound', status: 404 },
  LimitExceeded: { code: 'LimitExceeded', status: 400 },
  Unsupported: { code: 'ValidationError', status: 400 },
  Unavailable: { code: 'ServiceUnavailable', status: 503 },
  TimedOut: { code: 'ServiceUnavailable', status: 503 },
};

/** The shapes of errors, where they are named otherwise than their code. */
const shapes: Record<string, string> = {
  InvalidParameterValue: 'InvalidParameterValueException',
  InvalidParameterCombination: 'InvalidParameterCombinationException',
  MissingParameter: 'MissingRequiredParameterException',
  LimitExceeded: 'LimitExceededFault',
  InvalidFormat: 'InvalidFormatFault',
  InternalServiceError: 'InternalServiceFault',
  ValidationError: 'ValidationException',
};

/** Errors whose shapes say more than their codes in Query, or have another status than most. */
const ofShapes: Record<string, { code: string; status: number }> = {
  DashboardNotFoundError: { code: 'ResourceNotFound', status: 404 },
  ResourceNotFoundException: { code: 'ResourceNotFoundException', status: 404 },
  DashboardInvalidInputError: { code: 'InvalidParameterInput', status: 400 },
};

function codeOf(faultCode: string, errorName: string | undefined): { code: string; status: number } {
  if (errorName !== undefined) return ofShapes[errorName] ?? { code: errorName, status: 400 };
  return codes[faultCode] ?? { code: 'InternalServiceError', status: 500 };
}

export const queryErrors: ApiErrors = {
  name(faultCode, errorName) {
    const { code, status } = codeOf(faultCode, errorName);
    return { name: code, status };
  },
};

export const jsonErrors: ApiErrors = {
  name(faultCode, errorName) {
    const { code, status } = codeOf(faultCode, errorName);
    const shape = errorName !== undefined && errorName in ofShapes ? errorName : (shapes[code] ?? code);
    return { name: shape, status, queryCode: code };
  },
};

export const invalidValue = (message: string) => new Fault('InvalidParameter', message);
export const invalidCombination = (message: string) =>
  new Fault('InvalidParameter', message, { details: { errorName: 'InvalidParameterCombination' } });
export const missing = (message: string) => new Fault('InvalidParameter', message, { details: { errorName: 'MissingParameter' } });
export const invalidToken = () =>
  new Fault('InvalidParameter', 'The next token is not one of this list.', { details: { errorName: 'InvalidNextToken' } });
