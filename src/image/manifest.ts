/** Manifests, indexes and configurations as registries and archives hand them over (image-spec 1.1; Docker's schema 2). */
import { createHash } from 'node:crypto';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { ImageRunConfig } from './types.ts';
import { isDigest } from './reference.ts';

export type Platform = { os: 'linux'; arch: 'amd64' | 'arm64' };

export type Descriptor = {
  mediaType: string;
  digest: string;
  size: number;
  urls: string[];
  /** Base64 of the content itself (image-spec, "Descriptor", `data`); null: it has to be fetched. */
  data: string | null;
  annotations: Record<string, string>;
  platform: { os: string; arch: string; variant: string } | null;
};

export type Manifest = { kind: 'image'; config: Descriptor; layers: Descriptor[] } | { kind: 'index'; manifests: Descriptor[] };
export type Compression = 'none' | 'gzip' | 'zstd';

export type ImageConfig = {
  os: string;
  arch: string;
  createdAt: number | null;
  /** Bottom layer first. */
  diffIds: string[];
  run: ImageRunConfig;
};

export const mediaTypes = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
} as const;

/** What berth asks a registry for. */
export const acceptedManifests = [mediaTypes.ociIndex, mediaTypes.dockerIndex, mediaTypes.ociManifest, mediaTypes.dockerManifest].join(
  ', ',
);

const layerTypes: Record<string, Compression> = {
  [mediaTypes.ociLayer]: 'none',
  [`${mediaTypes.ociLayer}+gzip`]: 'gzip',
  [`${mediaTypes.ociLayer}+zstd`]: 'zstd',
  'application/vnd.oci.image.layer.nondistributable.v1.tar': 'none',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip': 'gzip',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd': 'zstd',
  'application/vnd.docker.image.rootfs.diff.tar': 'none',
  'application/vnd.docker.image.rootfs.diff.tar.gzip': 'gzip',
  'application/vnd.docker.image.rootfs.diff.tar.zstd': 'zstd',
  'application/vnd.docker.image.rootfs.foreign.diff.tar': 'none',
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip': 'gzip',
};

export function digestOf(bytes: Uint8Array, algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

/** Throws when `bytes` are not what `digest` names. */
export function verifyDigest(bytes: Uint8Array, digest: string, what: string): void {
  const found = digestOf(bytes, digest.slice(0, digest.indexOf(':')));
  if (found !== digest)
    throw new Fault('InvalidParameter', `${what}: unexpected digest ${found}, expected ${digest}`, { details: { kind: 'digest' } });
}

type Raw = Record<string, unknown>;
const isRaw = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value);
const strings = (value: unknown): string[] => (Array.isArray(value) ? value.filter((v): v is string => typeof v === 'string') : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function invalid(message: string): Fault {
  return new Fault('InvalidParameter', message, { details: { kind: 'manifest' } });
}

export function parseJson(bytes: Uint8Array, what: string): Raw {
  if (bytes.length > limits.manifestBytes) throw invalid(`${what} is larger than ${limits.manifestBytes} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw invalid(`${what} is not JSON`);
  }
  if (!isRaw(value)) throw invalid(`${what} is not a JSON object`);
  return value;
}

export function parseDescriptor(value: unknown, what: string): Descriptor {
  if (!isRaw(value)) throw invalid(`${what} is no descriptor`);
  const { digest, size } = value;
  if (typeof digest !== 'string' || !isDigest(digest)) throw invalid(`${what} has no valid digest: ${JSON.stringify(digest ?? null)}`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalid(`${what} has no valid size`);
  const platform = isRaw(value['platform']) ? value['platform'] : null;
  const annotations = isRaw(value['annotations']) ? value['annotations'] : {};
  return {
    mediaType: text(value['mediaType']),
    digest,
    size,
    urls: strings(value['urls']),
    data: typeof value['data'] === 'string' ? value['data'] : null,
    annotations: Object.fromEntries(Object.entries(annotations).filter((e): e is [string, string] => typeof e[1] === 'string')),
    platform: platform && { os: text(platform['os']), arch: text(platform['architecture']), variant: text(platform['variant']) },
  };
}

/** `contentType` is what the registry said; the document's own mediaType and shape must not contradict it (CVE-2021-41190). */
export function parseManifest(bytes: Uint8Array, contentType: string, what: string): Manifest {
  const raw = parseJson(bytes, what);
  const type = text(raw['mediaType']) || contentType;
  if (raw['schemaVersion'] === 1 || /distribution\.manifest\.v1\+/.test(type)) {
    throw invalid(`${what} is an image manifest of schema 1, which is no longer supported: push the image again with a current tool`);
  }
  const layers = raw['layers'];
  const manifests = raw['manifests'];
  if (Array.isArray(manifests)) {
    if (layers !== undefined || raw['config'] !== undefined || type === mediaTypes.ociManifest || type === mediaTypes.dockerManifest) {
      throw invalid(`${what} is both an image manifest and an index`);
    }
    return { kind: 'index', manifests: manifests.slice(0, limits.archiveImages).map((m) => parseDescriptor(m, `an entry of ${what}`)) };
  }
  if (!Array.isArray(layers) || type === mediaTypes.ociIndex || type === mediaTypes.dockerIndex)
    throw invalid(`${what} is no image manifest`);
  const config = parseDescriptor(raw['config'], `the config of ${what}`);
  if (config.mediaType !== mediaTypes.ociConfig && config.mediaType !== mediaTypes.dockerConfig) {
    throw invalid(`${what} is not a container image but an artifact of type ${config.mediaType || 'unknown'}`);
  }
  if (layers.length > limits.layersPerImage) throw invalid(`${what} has ${layers.length} layers, more than ${limits.layersPerImage}`);
  return { kind: 'image', config, layers: layers.map((l) => parseDescriptor(l, `a layer of ${what}`)) };
}

/** How a layer's blob is packed; throws on types that are no layer (encrypted ones, for instance). */
export function layerCompression(layer: Descriptor): Compression {
  const compression = layerTypes[layer.mediaType];
  if (compression === undefined) throw invalid(`layer ${layer.digest} is of type ${layer.mediaType || 'unknown'}, which is not supported`);
  return compression;
}

export function platformFault(platform: Platform): Fault {
  return new Fault('InvalidParameter', `image Manifest does not contain descriptor matching platform '${platform.os}/${platform.arch}'`, {
    details: { kind: 'platform' },
  });
}

/** The entries that run on `platform`, in the index's order; entries without a platform may be looked into, and come last. */
export function platformMatches(manifests: Descriptor[], platform: Platform): Descriptor[] {
  const variants = platform.arch === 'arm64' ? ['', 'v8'] : ['', 'v1'];
  const exact = manifests.filter(
    (m) => m.platform?.os === platform.os && m.platform.arch === platform.arch && variants.includes(m.platform.variant),
  );
  return [...exact, ...manifests.filter((m) => m.platform === null && m.annotations['vnd.docker.reference.type'] === undefined)];
}

export function parseConfig(bytes: Uint8Array, what: string): ImageConfig {
  const raw = parseJson(bytes, what);
  const rootfs = isRaw(raw['rootfs']) ? raw['rootfs'] : {};
  const diffIds = strings(rootfs['diff_ids']);
  if (!diffIds.every(isDigest)) throw invalid(`${what} has a diff id that is no digest`);
  const config = isRaw(raw['config']) ? raw['config'] : {};
  const labels = isRaw(config['Labels']) ? config['Labels'] : {};
  const created = Date.parse(text(raw['created']));
  return {
    os: text(raw['os']) || 'linux',
    arch: text(raw['architecture']),
    createdAt: Number.isNaN(created) ? null : created,
    diffIds,
    run: {
      entrypoint: strings(config['Entrypoint']),
      cmd: strings(config['Cmd']),
      env: strings(config['Env']),
      workingDir: text(config['WorkingDir']),
      user: text(config['User']),
      stopSignal: text(config['StopSignal']) || null,
      labels: Object.fromEntries(Object.entries(labels).filter((e): e is [string, string] => typeof e[1] === 'string')),
      exposedPorts: isRaw(config['ExposedPorts']) ? Object.keys(config['ExposedPorts']) : [],
      ...(isRaw(config['Volumes']) ? { volumes: Object.keys(config['Volumes']) } : {}),
    },
  };
}

/** A configuration that fits its manifest and this platform; else a Fault. */
export function checkConfig(config: ImageConfig, layers: number, platform: Platform, what: string): void {
  if (config.os !== platform.os || (config.arch !== '' && config.arch !== platform.arch)) throw platformFault(platform);
  if (config.diffIds.length !== layers) {
    throw invalid(`${what} is inconsistent: ${layers} layers but ${config.diffIds.length} diff ids`);
  }
}
