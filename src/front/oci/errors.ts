/** Faults in the registry's words. Source: distribution-spec 1.1, "Error Codes"; ECR's texts stand in the messages. */
import type { Fault } from '#base/fault.ts';
import type { HttpAnswer } from '#gateway/types.ts';

/** `text`: where the protocol's answer has another one than the API's. */
type Row = { code: string; status: number; text?: string };

/** Of a failure of ours (5xx) docker shows the status alone. */
const byName: Record<string, Row> = {
  RepositoryNotFoundException: { code: 'NAME_UNKNOWN', status: 404 },
  ImageNotFoundException: { code: 'MANIFEST_UNKNOWN', status: 404, text: 'Requested image not found' },
  LayersNotFoundException: { code: 'MANIFEST_BLOB_UNKNOWN', status: 400 },
  ReferencedImagesNotFoundException: { code: 'MANIFEST_BLOB_UNKNOWN', status: 400 },
  ImageTagAlreadyExistsException: { code: 'TAG_INVALID', status: 400 },
  ImageDigestDoesNotMatchException: { code: 'DIGEST_INVALID', status: 400 },
  LimitExceededException: { code: 'DENIED', status: 403 },
  UnableToAccessUpstreamRegistryException: { code: 'UNAVAILABLE', status: 424 },
  UnableToGetUpstreamImageException: { code: 'DENIED', status: 403 },
};

const byKind: Record<string, Row> = {
  upload: { code: 'BLOB_UPLOAD_UNKNOWN', status: 404 },
  range: { code: 'BLOB_UPLOAD_INVALID', status: 416 },
  busy: { code: 'BLOB_UPLOAD_INVALID', status: 409 },
  digest: { code: 'DIGEST_INVALID', status: 400 },
  size: { code: 'SIZE_INVALID', status: 413 },
  manifest: { code: 'MANIFEST_INVALID', status: 400 },
  blob: { code: 'BLOB_UNKNOWN', status: 404 },
  name: { code: 'NAME_INVALID', status: 400 },
  method: { code: 'UNSUPPORTED', status: 405 },
  path: { code: 'UNSUPPORTED', status: 404 },
  unauthorized: { code: 'UNAUTHORIZED', status: 401 },
  'no-space': { code: 'UNAVAILABLE', status: 507 },
};

const byCode: Record<string, Row> = {
  AccessDenied: { code: 'DENIED', status: 403 },
  ResourceNotFound: { code: 'BLOB_UNKNOWN', status: 404 },
  InvalidParameter: { code: 'UNSUPPORTED', status: 400 },
  Conflict: { code: 'DENIED', status: 409 },
  LimitExceeded: { code: 'DENIED', status: 403 },
  CapacityUnavailable: { code: 'UNAVAILABLE', status: 507 },
  Unavailable: { code: 'UNAVAILABLE', status: 503 },
  TimedOut: { code: 'UNAVAILABLE', status: 503 },
  Cancelled: { code: 'UNAVAILABLE', status: 503 },
};

/** The header by which clients know what this is. */
export const VERSION = { 'Docker-Distribution-Api-Version': 'registry/2.0' };

export function failure(fault: Fault, host: string): HttpAnswer {
  const { errorName, kind, bytes } = fault.details;
  const row = (typeof kind === 'string' ? byKind[kind] : undefined) ??
    (typeof errorName === 'string' ? byName[errorName] : undefined) ??
    byCode[fault.code] ?? { code: 'UNKNOWN', status: 500 };
  const message = fault.code === 'Internal' ? 'an internal error occurred' : (row.text ?? fault.message);
  return {
    status: row.status,
    headers: {
      ...VERSION,
      'Content-Type': 'application/json',
      ...(row.status === 401
        ? { 'WWW-Authenticate': `Basic realm="http://${host.replace(/["\\]/g, '')}/",service="ecr.amazonaws.com"` }
        : {}),
      ...(kind === 'range' && typeof bytes === 'number' ? { Range: rangeOf(bytes) } : {}),
    },
    body: JSON.stringify({ errors: [{ code: row.code, message }] }),
  };
}

/** What of an upload is here, as its Range header says it: of none as of one byte, which is how Docker's registry puts it. */
export const rangeOf = (bytes: number): string => `0-${Math.max(0, bytes - 1)}`;
