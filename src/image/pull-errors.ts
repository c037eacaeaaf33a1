/** AWS's `CannotPullContainerError` texts (ECS developer guide, "CannotPullContainer task errors"), which wrap containerd's. */
import { asFault, Fault, isFault } from '#base/fault.ts';
import { isFileError } from './download.ts';
import { kindOf } from './retrying.ts';

const PREFIX = 'CannotPullContainerError';

/** Failures of the way from a reference to its manifest. */
const resolveKinds = [
  'not-found',
  'denied',
  'refused',
  'unknown-host',
  'unreachable',
  'timeout',
  'tls',
  'cut',
  'rate',
  'server',
  'status',
  'redirect',
];

/** `ref`: normalised. Cancelled passes through; `details` of the answer: kind, ref, retries. */
export function cannotPull(ref: string, error: unknown, stage: 'resolve' | 'fetch'): Fault {
  if (isFault(error, 'Cancelled') || isFault(error, 'CannotPullContainer') || isFault(error, 'ResourceInitialization')) return error;
  const kind = isNoSpace(error) ? 'no-space' : kindOf(error);
  const fault = asFault(error);
  const retries = typeof fault.details['retries'] === 'number' ? fault.details['retries'] : 0;
  const details = { kind, ref, retries };
  const say = (text: string): Fault => new Fault('CannotPullContainer', `${PREFIX}: ${text}`, { details, cause: error });
  if (kind === 'no-space') return say(`failed to copy: ${ref}: no space left on device: remove images (prune) or enlarge the disk`);
  if (stage === 'resolve' && resolveKinds.includes(kind)) {
    return say(`pull image manifest has been retried ${retries} time(s): failed to resolve ref ${ref}: ${fault.message}`);
  }
  if (kind === 'platform') return say(`pull image manifest has been retried ${retries} time(s): ${fault.message}`);
  if (kind === 'denied' || kind === 'manifest') return say(fault.message);
  return say(`failed to copy: ${fault.message}`);
}

export function badReference(ref: string, error: Fault): Fault {
  return new Fault('CannotPullContainer', `${PREFIX}: ${error.message}`, {
    details: { kind: 'reference', ref: ref.slice(0, 300) },
    cause: error,
  });
}

/** A full disk, told by our own writes or by the kernel worker. */
export function isNoSpace(error: unknown): boolean {
  if (error instanceof Fault) return error.details['worker'] === 'no-space' || isNoSpace(error.cause);
  return isFileError(error) && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

/** For imports and the like: a full disk in plain words, everything else as it is. */
export function plainFault(error: unknown, what: string): Fault {
  if (!isNoSpace(error)) return asFault(error);
  return new Fault('CapacityUnavailable', `${what}: no space left on the disk of the image store: prune images or enlarge the disk`, {
    details: { kind: 'no-space' },
    cause: error,
  });
}
