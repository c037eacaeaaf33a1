/** What a manifest that is pushed says of itself. Source: image-spec 1.1, "Image Manifest", "Image Index"; Docker's image manifest version 2, schema 2. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { EcrImageRecord } from './ecr.ts';

export type ManifestFacts = Pick<
  EcrImageRecord,
  'mediaType' | 'artifactType' | 'configMediaType' | 'totalBytes' | 'blobs' | 'children' | 'subject' | 'annotations'
>;

export const manifestTypes = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const;

type Raw = Record<string, unknown>;
const isRaw = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
const invalid = (why: string): Fault =>
  new Fault('InvalidParameter', why, { details: { kind: 'manifest', errorName: 'InvalidParameterException' } });

/** sha256 or sha512 (image-spec, "Digests"). */
export const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** `mediaType`: what the sender says beside it. Throws InvalidParameter (details.kind `manifest`). */
export function readManifest(bytes: Uint8Array, mediaType: string | null): ManifestFacts {
  if (bytes.length > limits.manifestBytes) throw invalid(`the manifest has ${bytes.length} bytes, more than ${limits.manifestBytes}`);
  const raw = parse(bytes);
  const said = text(raw['mediaType']);
  if (raw['schemaVersion'] !== 2) throw invalid('the manifest is not of schema version 2: push the image again with a current tool');
  if (said !== null && mediaType !== null && said !== mediaType) {
    throw invalid(`the manifest calls itself ${said.slice(0, 100)}, and was sent as ${mediaType.slice(0, 100)}`);
  }
  const isIndex = Array.isArray(raw['manifests']);
  if (isIndex === Array.isArray(raw['layers'])) throw invalid('the manifest must have either layers or manifests');
  const type = said ?? mediaType ?? (isIndex ? manifestTypes.ociIndex : manifestTypes.ociManifest);
  const indexes: string[] = [manifestTypes.ociIndex, manifestTypes.dockerIndex];
  const images: string[] = [manifestTypes.ociManifest, manifestTypes.dockerManifest];
  if (!(isIndex ? indexes : images).includes(type)) throw invalid(`manifests of type ${type.slice(0, 100)} are not supported`);
  return { mediaType: type, ...common(raw), ...(isIndex ? ofIndex(raw) : ofImage(raw)) };
}

function parse(bytes: Uint8Array): Raw {
  let raw: unknown;
  try {
    raw = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw invalid('the manifest is not JSON');
  }
  if (!isRaw(raw)) throw invalid('the manifest is not a JSON object');
  return raw;
}

function common(raw: Raw) {
  const subject = raw['subject'] === undefined || raw['subject'] === null ? null : descriptor(raw['subject'], 'the subject').digest;
  const given = isRaw(raw['annotations']) ? Object.entries(raw['annotations']) : [];
  const annotations = Object.fromEntries(given.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  return { subject, annotations, artifactType: text(raw['artifactType']) };
}

function ofImage(raw: Raw) {
  const config = descriptor(raw['config'], 'the config');
  const layers = list(raw['layers']).map((layer) => descriptor(layer, 'a layer'));
  // Layers that may not be redistributed lie elsewhere.
  const kept = layers.filter(({ foreign }) => !foreign);
  const totalBytes = layers.reduce((sum, { size }) => sum + size, config.size);
  return {
    configMediaType: config.mediaType,
    blobs: [...new Set([config, ...kept].map(({ digest }) => digest))],
    children: [],
    totalBytes,
  };
}

function ofIndex(raw: Raw) {
  const children = list(raw['manifests']).map((entry) => descriptor(entry, 'an entry of the index'));
  return { configMediaType: null, blobs: [], children: [...new Set(children.map(({ digest }) => digest))], totalBytes: 0 };
}

function list(value: unknown): unknown[] {
  const found = Array.isArray(value) ? value : [];
  if (found.length > limits.registryManifestEntries) throw invalid(`a manifest may name at most ${limits.registryManifestEntries} others`);
  return found;
}

function descriptor(value: unknown, what: string) {
  if (!isRaw(value)) throw invalid(`${what} of the manifest is no descriptor`);
  const { digest, size } = value;
  if (typeof digest !== 'string' || !DIGEST.test(digest)) throw invalid(`${what} of the manifest has no valid digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalid(`${what} of the manifest has no valid size`);
  const mediaType = text(value['mediaType']);
  const foreign = mediaType !== null && /nondistributable|foreign/.test(mediaType);
  return { digest, size, mediaType, foreign };
}
