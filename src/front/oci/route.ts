/** What a path below `/v2/` means. Source: distribution-spec 1.1, "Endpoints". */
import { Fault } from '#base/fault.ts';
import { REPOSITORY_NAME } from '#domain/ecr.ts';

export type OciPath =
  | { kind: 'base' }
  | { kind: 'catalog' }
  | { kind: 'manifest'; repository: string; reference: string }
  | { kind: 'blob'; repository: string; digest: string }
  | { kind: 'uploads'; repository: string }
  | { kind: 'upload'; repository: string; id: string }
  | { kind: 'tags'; repository: string }
  | { kind: 'referrers'; repository: string; digest: string };

const NAME_CHARS = 256;

/** Throws Faults with details.kind `path` or `name`. */
export function parsePath(path: string): OciPath {
  if (path === '/v2/' || path === '/v2') return { kind: 'base' };
  if (path === '/v2/_catalog') return { kind: 'catalog' };
  const decoded = decode(path);
  const found =
    /^\/v2\/(.+?)\/(?:manifests\/([^/]+)|blobs\/uploads\/?()|blobs\/uploads\/([^/]+)|blobs\/([^/]+)|tags\/list()|referrers\/([^/]+))$/.exec(
      decoded,
    );
  if (found === null) throw new Fault('ResourceNotFound', `the registry serves no ${decoded.slice(0, 200)}`, { details: { kind: 'path' } });
  const [, repository = '', reference, uploads, id, digest, tags, referrers] = found;
  if (repository.length > NAME_CHARS || !REPOSITORY_NAME.test(repository)) {
    throw new Fault('InvalidParameter', `'${repository.slice(0, 256)}' is no name of a repository`, { details: { kind: 'name' } });
  }
  if (reference !== undefined) return { kind: 'manifest', repository, reference };
  if (uploads !== undefined) return { kind: 'uploads', repository };
  if (id !== undefined) return { kind: 'upload', repository, id };
  if (digest !== undefined) return { kind: 'blob', repository, digest };
  if (tags !== undefined) return { kind: 'tags', repository };
  return { kind: 'referrers', repository, digest: referrers ?? '' };
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
