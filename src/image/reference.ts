/** Image references: what people write, and the one form that berth keeps (distribution's `reference` grammar, docker's defaults). */
import { Fault } from '#base/fault.ts';

export type Reference = {
  /** Host and maybe port: `docker.io`, `localhost:5000`. */
  registry: string;
  /** `library/nginx`. */
  repository: string;
  /** null when a digest is given: the digest decides alone. */
  tag: string | null;
  digest: string | null;
};

const component = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const domainPattern =
  /^(?:\[[0-9a-fA-F:]+\]|(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*)(?::\d{1,5})?$/;
const REPOSITORY_CHARS_MAX = 255;

/** Throws InvalidParameter. */
export function parseReference(text: string): Reference {
  const bad = (why: string): never => {
    throw new Fault('InvalidParameter', `invalid reference format: ${JSON.stringify(text.slice(0, 300))} is no image reference: ${why}`);
  };
  const at = text.indexOf('@');
  const digest = at < 0 ? null : text.slice(at + 1);
  if (digest !== null && !isDigest(digest)) bad(`"${digest}" is no digest (sha256:<64 hex digits>)`);
  const named = at < 0 ? text : text.slice(0, at);
  const slash = named.indexOf('/');
  const first = slash < 0 ? '' : named.slice(0, slash);
  const hasDomain = /[.:[]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  const registry = hasDomain ? first : 'docker.io';
  if (!domainPattern.test(registry)) bad(`"${registry}" is no host name`);
  const rest = hasDomain ? named.slice(slash + 1) : named;
  const colon = rest.lastIndexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? null : rest.slice(colon + 1);
  if (tag !== null && !tagPattern.test(tag)) bad(`"${tag}" is no tag`);
  if (path !== path.toLowerCase()) bad('a repository name must be in lower case');
  if (path.length > REPOSITORY_CHARS_MAX) bad(`a repository name has at most ${REPOSITORY_CHARS_MAX} characters`);
  if (!path.split('/').every((part) => component.test(part))) bad(`"${path}" is no repository name`);
  if (!hasDomain && /^[0-9a-f]{64}$/.test(path)) bad('64 hex digits alone are an id, not a name');
  const hub = registry === 'docker.io' || registry === 'index.docker.io';
  return {
    registry: hub ? 'docker.io' : registry,
    repository: hub && !path.includes('/') ? `library/${path}` : path,
    tag: digest === null ? (tag ?? 'latest') : null,
    digest,
  };
}

export function formatReference(ref: Reference): string {
  return `${repositoryOf(ref)}${ref.digest === null ? `:${ref.tag ?? 'latest'}` : `@${ref.digest}`}`;
}

export function repositoryOf(ref: Reference): string {
  return `${ref.registry}/${ref.repository}`;
}

/** Where a registry is really spoken to, and how: http only to this machine or to a host that is listed as insecure. */
export function registryUrl(registry: string, insecure: readonly string[]): URL {
  const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  const url = new URL(`https://${host}/`);
  if (isLoopback(url.hostname) || insecure.includes(registry)) return new URL(`http://${host}/`);
  return url;
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/** A digest in a form that berth verifies: sha256 or sha512 (image-spec, "Digests"). */
export function isDigest(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text) || /^sha512:[0-9a-f]{128}$/.test(text);
}
