/**
 * Which operation a request is for. The bucket is the first part of the path, or the host's name before `localhost` or before S3's own; sub-resources are
 * names in the query. Sources: S3 user guide, "Virtual hosting of general purpose buckets"; the SDK's `http` traits.
 */
import { Fault } from '#base/fault.ts';
import type { RestRouting, RestTarget } from '#gateway/types.ts';
import { s3Fault } from '#objects/index.ts';

type Request = Parameters<RestRouting['locate']>[0];
type Bindings = Parameters<RestRouting['locate']>[1];
type Place = { bucket: string | undefined; key: string | undefined };

/** Not told by method, place and sub-resource alone: what else they want in the query. */
const wants: Record<string, string> = {
  UploadPart: 'uploadId',
  UploadPartCopy: 'uploadId',
  ListParts: 'uploadId',
  AbortMultipartUpload: 'uploadId',
  CompleteMultipartUpload: 'uploadId',
};
const copies = new Set(['CopyObject', 'UploadPartCopy']);
const withoutBucket = new Set(['ListBuckets', 'ListDirectoryBuckets', 'WriteGetObjectResponse']);

export const s3Routing: RestRouting = {
  // A name of a bucket in the path: nothing else here is asked for without a signature.
  claims: (request) =>
    isForm(request) ||
    (request.method !== 'POST' &&
      request.headers['x-amz-target'] === undefined &&
      request.path !== '/' &&
      !request.path.startsWith('/_berth/')),
  // A form is signed inside.
  assertServed: (request) => {
    if (isForm(request)) throw noForms();
  },
  hostBucket,
  locate(request, bindings) {
    const place = placeOf(request);
    const query = new URLSearchParams(request.query);
    const operation = place.bucket === undefined ? service(request) : found(request, place, query, bindings);
    return { operation, labels: labelsOf(place) };
  },
};

const isForm = ({ method, headers }: Request) => method === 'POST' && /^multipart\/form-data/i.test(headers['content-type']?.[0] ?? '');
const noForms = () => new Fault('Unsupported', 'berth does not implement s3:PostObject (uploads by HTML forms) yet.');

function service({ method }: Request): string {
  if (method === 'GET') return 'ListBuckets';
  throw notAllowed();
}

function found(request: Request, place: Place, query: URLSearchParams, bindings: Bindings): string {
  const asked = query.get('x-id');
  const isCopy = request.headers['x-amz-copy-source'] !== undefined;
  const fitting = [...bindings]
    .map(([name, { method, uri }]) => ({ name, method, ...templateOf(uri) }))
    .filter(({ method, hasKey }) => method === request.method && hasKey === (place.key !== undefined))
    .filter(({ name }) => !withoutBucket.has(name) && copies.has(name) === (isCopy && /^(?:UploadPart|PutObject|Copy)/.test(name)))
    .filter(({ name, parts }) => parts.every(([key, value]) => query.has(key) && (value === '' || query.get(key) === value)) && query.has(wants[name] ?? 'uploadId') === (wants[name] !== undefined)) // prettier-ignore
    .sort((a, b) => b.parts.length - a.parts.length || Number(b.name === asked) - Number(a.name === asked) || preferred(a.name, query) - preferred(b.name, query)); // prettier-ignore
  const [first] = fitting;
  if (first !== undefined) return first.name;
  if (request.method === 'POST' && place.key === undefined) throw noForms();
  throw notAllowed();
}

/** Of configurations that a bucket may have several of, one is asked for by its id. */
const preferred = (name: string, query: URLSearchParams): number => Number(/^List.*Configurations$/.test(name) === query.has('id'));

function templateOf(uri: string): { hasKey: boolean; parts: [string, string][] } {
  const [path = '', query = ''] = uri.split('?');
  const parts = [...new URLSearchParams(query)].filter(([name]) => name !== 'x-id');
  return { hasKey: path.includes('{Key'), parts };
}

const notAllowed = () => s3Fault('MethodNotAllowed', 'The specified method is not allowed against this resource.');

function labelsOf({ bucket, key }: Place): RestTarget['labels'] {
  return { ...(bucket === undefined ? {} : { Bucket: bucket }), ...(key === undefined ? {} : { Key: key }) };
}

function placeOf({ path, headers }: Request): Place {
  const bucket = hostBucket(headers['host']?.[0] ?? '');
  const rest = path.slice(1);
  if (bucket !== undefined) return { bucket, key: rest === '' ? undefined : decoded(rest) };
  if (rest === '') return { bucket: undefined, key: undefined };
  const cut = rest.indexOf('/');
  if (cut < 0) return { bucket: decoded(rest), key: undefined };
  const key = rest.slice(cut + 1);
  return { bucket: decoded(rest.slice(0, cut)), key: key === '' ? undefined : decoded(key) };
}

/** `B.localhost`, `B.s3.localhost`, `B.s3.REGION.localhost`, and the same before `amazonaws.com` and `berth.internal`. */
export function hostBucket(host: string): string | undefined {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  const own = /^(?<bucket>.+?)\.s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.(?:localhost|berth\.internal|amazonaws\.com)$/.exec(name);
  if (own?.groups?.['bucket'] !== undefined) return own.groups['bucket'];
  const local = /^(?<bucket>.+)\.localhost$/.exec(name)?.groups?.['bucket'];
  return local === undefined || /^s3(?:[.-][a-z0-9-]+)?$/.test(local) ? undefined : local;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw s3Fault('InvalidURI', "Couldn't parse the specified URI.");
  }
}
