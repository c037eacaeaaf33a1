/**
 * The OCI distribution protocol (distribution-spec 1.1) and Docker's, which are the same on the wire: what `docker push`, skopeo and crane speak, beside ECR's API and over the
 * same repositories. Bodies stream; what is pushed belongs to the caller's account, in the region of the token or of the host name.
 */
import { Fault } from '#base/fault.ts';
import type { CallContext, HttpAnswer, HttpCall, HttpRoute } from '#gateway/types.ts';
import type { EcrDeps } from '../ecr/access.ts';
import { deleteBlob, getBlob, grantedBlob } from './blobs.ts';
import { callerOf, hostOf } from './caller.ts';
import { failure, VERSION } from './errors.ts';
import { catalog, referrers, tagList } from './lists.ts';
import { deleteManifest, getManifest, putManifest } from './manifests.ts';
import { parsePath, type OciPath } from './route.ts';
import { addToUpload, beginUpload, cancelUpload, endUpload, uploadState } from './uploads.ts';

export function createOciRoute(deps: EcrDeps): HttpRoute {
  return {
    matches: ({ path }) => path === '/v2' || path.startsWith('/v2/'),
    async handle(call) {
      const path = parsePath(call.request.path);
      const granted = await grantedBlob(deps, call, path);
      const answer =
        granted ??
        (await dispatch({ deps, call, context: await callerOf(deps, call), query: new URLSearchParams(call.request.query) }, path));
      return { ...answer, headers: { ...VERSION, ...answer.headers } };
    },
    fail: (fault, call) => failure(fault, hostOf(call)),
  };
}

export type OciCall = { deps: EcrDeps; call: HttpCall; context: CallContext; query: URLSearchParams };

async function dispatch(oci: OciCall, path: OciPath): Promise<HttpAnswer> {
  const { method } = oci.call.request;
  const reads = method === 'GET' || method === 'HEAD';
  switch (path.kind) {
    case 'base':
      if (reads) return { status: 200, headers: { 'Content-Type': 'application/json' }, body: '{}' };
      break;
    case 'catalog':
      if (reads) return await catalog(oci);
      break;
    case 'manifest':
      if (reads) return await getManifest(oci, path.repository, path.reference);
      if (method === 'PUT') return await putManifest(oci, path.repository, path.reference);
      if (method === 'DELETE') return await deleteManifest(oci, path.repository, path.reference);
      break;
    case 'blob':
      if (reads) return await getBlob(oci, path.repository, path.digest);
      if (method === 'DELETE') return await deleteBlob(oci, path.repository, path.digest);
      break;
    case 'uploads':
      if (method === 'POST') return await beginUpload(oci, path.repository);
      break;
    case 'upload':
      if (method === 'PATCH') return await addToUpload(oci, path.repository, path.id);
      if (method === 'PUT') return await endUpload(oci, path.repository, path.id);
      if (reads) return await uploadState(oci, path.repository, path.id);
      if (method === 'DELETE') return await cancelUpload(oci, path.repository, path.id);
      break;
    case 'tags':
      if (reads) return await tagList(oci, path.repository);
      break;
    case 'referrers':
      if (reads) return await referrers(oci, path.repository, path.digest);
  }
  throw new Fault('InvalidParameter', `${method.slice(0, 20)} is not served there`, { details: { kind: 'method' } });
}
