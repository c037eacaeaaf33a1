/**
 * The one error type of berth. A `Fault` has a code out of a closed set, a message for people (what was wrong, with which value, and
 * what to do), and details for programs. Code never looks at the text: front doors map codes to their API's errors.
 */

export type FaultCode =
  // The caller's wish is wrong; nothing was changed.
  | 'InvalidParameter' // a value is missing, malformed or out of range
  | 'ClientError' // AWS's catch-all for a wish that is well-formed but not acceptable (ECS ClientException)
  | 'AccessDenied'
  | 'ClusterNotFound'
  | 'TaskNotFound'
  | 'TaskDefinitionNotFound'
  | 'ResourceNotFound'
  | 'AlreadyExists'
  | 'Conflict' // same idempotency token, other parameters; or the record is in use
  | 'ClusterContainsTasks'
  | 'ClusterContainsServices'
  | 'ServiceNotFound'
  | 'ServiceNotActive'
  | 'ServiceDeploymentNotFound'
  | 'TaskSetNotFound'
  | 'LimitExceeded'
  | 'Unsupported' // exists in AWS but not (yet) here, or not on this host
  // The platform can't do it now.
  | 'CapacityUnavailable'
  | 'RevisionConflict' // somebody else wrote first: read again, plan again
  | 'Unavailable' // a peer, a registry or a process is not there
  | 'TimedOut'
  | 'Cancelled'
  | 'ProtocolError' // a peer broke the protocol
  // A task can't be started; `message` begins with AWS's own error name where AWS has one.
  | 'CannotPullContainer'
  | 'CannotCreateContainer'
  | 'CannotStartContainer'
  | 'ResourceInitialization'
  | 'Internal';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export class Fault extends Error {
  readonly code: FaultCode;
  readonly details: Record<string, Json>;

  constructor(code: FaultCode, message: string, options: { details?: Record<string, Json>; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Fault';
    this.code = code;
    this.details = options.details ?? {};
  }
}

export function isFault(error: unknown, code?: FaultCode): error is Fault {
  return error instanceof Fault && (code === undefined || error.code === code);
}

/** Wraps anything thrown into a Fault; a Fault passes through unchanged. */
export function asFault(error: unknown, code: FaultCode = 'Internal'): Fault {
  if (error instanceof Fault) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new Fault(code, message, { cause: error });
}

/** A broken invariant of our own: never the caller's mistake. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Fault('Internal', `invariant broken: ${message}`);
}
