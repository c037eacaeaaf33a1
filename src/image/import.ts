/** Brings an archive into the store: OCI layouts, docker archives, plain root file systems. */
import { stat } from 'node:fs/promises';
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import { archiveFault, compressionOf, openArchive, readMember, type Archive, type Member } from './archive.ts';
import type { BlobStore } from './blob-store.ts';
import type { Catalog, ImageRecord } from './catalog.ts';
import type { LayerStore, PackedLayer } from './layer-store.ts';
import * as manifests from './manifest.ts';
import type { Descriptor, Platform } from './manifest.ts';
import { eachOnce } from './pull.ts';
import { formatReference, type Reference } from './reference.ts';
import type { PullProgress } from './types.ts';

export type ImportDeps = { layers: LayerStore; blobs: BlobStore; catalog: Catalog; clock: Clock; platform: Platform; tempPath(): string };

/** An image as an archive describes it: `layers` bottom first, each with the member that holds it. */
type Described = { manifestBytes: Buffer; configBytes: Buffer; layers: { diffId: string; member: Member }[]; sizeBytes: number };

/** Throws InvalidParameter (nothing importable, damaged, hostile, other platform), ResourceNotFound, CapacityUnavailable by the caller. */
export async function importImage(
  deps: ImportDeps,
  path: string,
  ref: Reference,
  onProgress: (progress: PullProgress) => void,
): Promise<ImageRecord> {
  onProgress({ stage: 'resolve', layer: null, bytes: 0, totalBytes: null });
  let staged = 0;
  const onBytes = (bytes: number): void => onProgress({ stage: 'download', layer: null, bytes: (staged += bytes), totalBytes: null });
  const opened = await openArchive(path, { tempPath: deps.tempPath, onBytes });
  const releases: (() => void)[] = [];
  try {
    if (opened.kind === 'rootfs') return await importRootfs(deps, path, opened.compression, ref, onProgress, releases);
    const described = opened.archive.has('index.json')
      ? await describeLayout(opened.archive, ref, deps.platform)
      : await describeDockerArchive(opened.archive, ref, deps.platform);
    for (const { diffId, member } of described.layers) {
      releases.push(deps.layers.lease(diffId));
      await deps.layers.ensure(diffId, { onProgress }, async () => packedMember(member));
    }
    return await commit(deps, ref, described, onProgress, releases);
  } finally {
    releases.forEach((release) => release());
    if (opened.kind === 'image') await opened.archive.dispose();
  }
}

async function packedMember(member: Member): Promise<PackedLayer> {
  return { blob: member.path, compression: await compressionOf(member.path), dispose: async () => undefined };
}

async function commit(
  deps: ImportDeps,
  ref: Reference,
  described: Pick<Described, 'manifestBytes' | 'configBytes' | 'sizeBytes'>,
  onProgress: (progress: PullProgress) => void,
  releases: (() => void)[],
): Promise<ImageRecord> {
  const digest = manifests.digestOf(described.manifestBytes);
  const configDigest = manifests.digestOf(described.configBytes);
  const config = manifests.parseConfig(described.configBytes, 'the image configuration');
  releases.push(deps.blobs.lease(digest), deps.blobs.lease(configDigest));
  await deps.blobs.put(digest, described.manifestBytes);
  await deps.blobs.put(configDigest, described.configBytes);
  await deps.layers.settle(config.diffIds);
  const now = deps.clock.now();
  const image: ImageRecord = {
    digest,
    configDigest,
    platform: `${deps.platform.os}/${deps.platform.arch}`,
    layers: eachOnce(config.diffIds),
    run: config.run,
    sizeBytes: described.sizeBytes,
    createdAt: config.createdAt,
    pulledAt: now,
    lastUsedAt: now,
  };
  await deps.catalog.add(image, { ref: formatReference(ref), digest, resolved: digest, imported: true });
  onProgress({ stage: 'done', layer: null, bytes: image.sizeBytes, totalBytes: image.sizeBytes });
  return image;
}

/** A single layer of files; the image runs nothing by itself, as with `docker import`. */
async function importRootfs(
  deps: ImportDeps,
  path: string,
  compression: manifests.Compression,
  ref: Reference,
  onProgress: (progress: PullProgress) => void,
  releases: (() => void)[],
): Promise<ImageRecord> {
  onProgress({ stage: 'unpack', layer: null, bytes: 0, totalBytes: null });
  const { record, release } = await deps.layers.adopt({ blob: path, compression, dispose: async () => undefined });
  releases.push(release);
  const config = {
    architecture: deps.platform.arch,
    os: deps.platform.os,
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'] },
    rootfs: { type: 'layers', diff_ids: [record.diffId] },
  };
  const configBytes = Buffer.from(JSON.stringify(config));
  const manifestBytes = makeManifest(configBytes, [{ digest: record.diffId, size: record.bytes }]);
  return commit(deps, ref, { manifestBytes, configBytes, sizeBytes: (await stat(path)).size }, onProgress, releases);
}

/** A manifest for an archive that has none: names uncompressed layers by their diff ids. */
function makeManifest(configBytes: Buffer, layers: { digest: string; size: number }[]): Buffer {
  const { ociManifest, ociConfig, ociLayer } = manifests.mediaTypes;
  const manifest = {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: { mediaType: ociConfig, digest: manifests.digestOf(configBytes), size: configBytes.length },
    layers: layers.map((layer) => ({ mediaType: ociLayer, ...layer })),
  };
  return Buffer.from(JSON.stringify(manifest));
}

const blobName = (digest: string): string => `blobs/${digest.replace(':', '/')}`;

async function readBlob(archive: Archive, descriptor: Descriptor): Promise<Buffer> {
  const bytes = await readMember(archive, blobName(descriptor.digest));
  manifests.verifyDigest(bytes, descriptor.digest, `blob ${descriptor.digest} of the archive`);
  return bytes;
}

async function describeLayout(archive: Archive, ref: Reference, platform: Platform): Promise<Described> {
  const index = manifests.parseManifest(await readMember(archive, 'index.json'), manifests.mediaTypes.ociIndex, 'index.json');
  if (index.kind !== 'index') throw archiveFault('index.json of the archive is no image index');
  const nameOf = (m: Descriptor): string[] =>
    ['io.containerd.image.name', 'org.opencontainers.image.ref.name'].flatMap((key) => m.annotations[key] ?? []);
  const chosen = chooseNamed(index.manifests, nameOf, ref);
  const found = await chooseManifest(archive, chosen, platform, 0);
  if (found === null) throw manifests.platformFault(platform);
  const { bytes, manifest } = found;
  const configBytes = await readBlob(archive, manifest.config);
  const config = manifests.parseConfig(configBytes, 'the image configuration');
  manifests.checkConfig(config, manifest.layers.length, platform, 'the archive');
  const layers = [];
  for (const [i, layer] of manifest.layers.entries()) {
    manifests.layerCompression(layer);
    const member = await archive.member(blobName(layer.digest));
    if (layer.digest.startsWith('sha256:') && `sha256:${member.sha256}` !== layer.digest) {
      throw archiveFault(`layer ${layer.digest} of the archive is damaged: its bytes have the digest sha256:${member.sha256}`);
    }
    layers.push({ diffId: config.diffIds[i] ?? '', member });
  }
  const sizeBytes = bytes.length + configBytes.length + layers.reduce((sum, l) => sum + l.member.size, 0);
  return { manifestBytes: bytes, configBytes, layers, sizeBytes };
}

type ImageManifest = Extract<manifests.Manifest, { kind: 'image' }>;

async function chooseManifest(
  archive: Archive,
  candidates: Descriptor[],
  platform: Platform,
  depth: number,
): Promise<{ bytes: Buffer; manifest: ImageManifest } | null> {
  if (depth > limits.indexDepth) return null;
  for (const entry of manifests.platformMatches(candidates, platform)) {
    // An index may name other platforms' manifests that the archive leaves out.
    if (!archive.has(blobName(entry.digest)) && candidates.length > 1) continue;
    const bytes = await readBlob(archive, entry);
    const parsed = manifests.parseManifest(bytes, entry.mediaType, `manifest ${entry.digest}`);
    if (parsed.kind === 'index') {
      const inner = await chooseManifest(archive, parsed.manifests, platform, depth + 1);
      if (inner !== null) return inner;
      continue;
    }
    if (entry.platform !== null) return { bytes, manifest: parsed };
    const config = manifests.parseConfig(await readBlob(archive, parsed.config), 'the image configuration');
    if (config.os === platform.os && (config.arch === platform.arch || config.arch === '')) return { bytes, manifest: parsed };
  }
  return null;
}

/** Of several images in one archive, the one with the wanted name; a single one needs no name. */
function chooseNamed<T>(images: T[], namesOf: (image: T) => string[], ref: Reference): T[] {
  const wanted = formatReference(ref);
  const named = images.filter((image) => namesOf(image).some((name) => name === wanted || name === ref.tag || wanted.endsWith(`/${name}`)));
  const chosen = named.length > 0 ? named : images;
  const names = new Set(chosen.map((image) => namesOf(image).join(', ')));
  if (chosen.length > 1 && names.size > 1) {
    throw archiveFault(`the archive holds several images (${[...names].join('; ').slice(0, 500)}): import it by one of these names`);
  }
  return chosen;
}

type DockerEntry = { Config: string; RepoTags: string[]; Layers: string[] };

async function describeDockerArchive(archive: Archive, ref: Reference, platform: Platform): Promise<Described> {
  const [entry, more] = chooseNamed(await dockerEntries(archive), (e) => e.RepoTags, ref);
  if (entry === undefined || more !== undefined)
    throw archiveFault(`manifest.json of the archive names ${entry === undefined ? 'no image' : 'an image twice'}`);
  const configBytes = await readMember(archive, entry.Config);
  const config = manifests.parseConfig(configBytes, 'the image configuration');
  manifests.checkConfig(config, entry.Layers.length, platform, 'the archive');
  if (entry.Layers.length > limits.layersPerImage)
    throw archiveFault(`the image has ${entry.Layers.length} layers, more than ${limits.layersPerImage}`);
  const layers = [];
  for (const [i, name] of entry.Layers.entries()) layers.push({ diffId: config.diffIds[i] ?? '', member: await archive.member(name) });
  // The unpacker verifies each layer against its diff id, which is all that names it here.
  const manifestBytes = makeManifest(
    configBytes,
    layers.map((l) => ({ digest: l.diffId, size: l.member.size })),
  );
  return { manifestBytes, configBytes, layers, sizeBytes: configBytes.length + layers.reduce((sum, l) => sum + l.member.size, 0) };
}

async function dockerEntries(archive: Archive): Promise<DockerEntry[]> {
  const bytes = await readMember(archive, 'manifest.json');
  // An array, which parseJson refuses: wrapped, it is an object.
  const { list } = manifests.parseJson(Buffer.concat([Buffer.from('{"list":'), bytes, Buffer.from('}')]), 'manifest.json of the archive');
  const isText = (value: unknown): value is string => typeof value === 'string';
  if (!Array.isArray(list) || list.length > limits.archiveImages) throw archiveFault('manifest.json of the archive is no list of images');
  return list.map((raw: unknown) => {
    const { Config, RepoTags, Layers } = (raw ?? {}) as Partial<Record<keyof DockerEntry, unknown>>;
    if (!isText(Config) || !Array.isArray(Layers) || !Layers.every(isText))
      throw archiveFault('manifest.json of the archive has an entry without Config or Layers');
    return { Config, Layers, RepoTags: Array.isArray(RepoTags) ? RepoTags.filter(isText) : [] };
  });
}
