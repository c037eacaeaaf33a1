/** From a reference to unpacked layers: resolve, choose the platform, fetch and verify, unpack, commit. */
import { readFile, rm } from 'node:fs/promises';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { BlobStore } from './blob-store.ts';
import type { Catalog, ImageRecord, RefRecord } from './catalog.ts';
import { downloadBlob, type BlobSource } from './download.ts';
import type { LayerStore, PackedLayer } from './layer-store.ts';
import * as manifests from './manifest.ts';
import type { Descriptor, Platform } from './manifest.ts';
import { cannotPull } from './pull-errors.ts';
import { formatReference, type Reference } from './reference.ts';
import type { Registry, RegistryCall } from './registry.ts';
import { kindOf, retrying } from './retrying.ts';
import { inParallel } from './parallel.ts';
import { cancelled, readBody } from './transport.ts';
import type { PullProgress, RegistryAuth } from './types.ts';

export type PullDeps = {
  registry: Registry;
  layers: LayerStore;
  blobs: BlobStore;
  catalog: Catalog;
  clock: Clock;
  platform: Platform;
  tempPath(): string;
  /** The image serves at once; that it survives a power cut may come later. */
  settleLater(image: ImageRecord): void;
};
export type PullWish = {
  ref: Reference;
  auth: RegistryAuth | null;
  taskId?: string | null;
  signal: AbortSignal;
  report(progress: PullProgress): void;
};

type Found = { resolved: string; digest: string; manifestBytes: Buffer; config: Descriptor; layers: Descriptor[] };

/** `resolved`: what the reference pointed to. Throws CannotPullContainer or Cancelled. */
export async function pullImage(deps: PullDeps, wish: PullWish): Promise<{ image: ImageRecord; resolved: string }> {
  const name = formatReference(wish.ref);
  wish.report({ stage: 'resolve', layer: null, bytes: 0, totalBytes: null });
  const found = await resolve(deps, wish).catch((error: unknown) => {
    throw cannotPull(name, error, 'resolve');
  });
  const { digest, resolved } = found;
  // What the machine's own pulls bring is for all of its tasks.
  const guarded = wish.auth !== null && (wish.taskId ?? null) !== null;
  const ref: RefRecord = { ref: name, digest, resolved, imported: false, ...(guarded ? { guarded } : {}) };
  try {
    const known = deps.catalog.images.get(found.digest);
    if (known !== undefined) {
      await deps.catalog.setRef(ref);
      return { image: known, resolved };
    }
    return { image: await fetchImage(deps, wish, found, ref), resolved };
  } catch (error) {
    throw cannotPull(name, wish.signal.aborted ? cancelled(wish.signal) : error, 'fetch');
  }
}

function resolve(deps: PullDeps, wish: PullWish): Promise<Found> {
  const options = { budgetMs: limits.registryResolveMs, signal: wish.signal };
  return retrying(deps.clock, options, async (signal) => {
    const call: RegistryCall = { auth: wish.auth, signal, taskId: wish.taskId ?? null };
    const { ref } = wish;
    const top = await deps.registry.manifest(ref, ref.digest ?? ref.tag ?? 'latest', call);
    const found = await choose(deps, wish.ref, top, call, 0);
    if (found === null) throw manifests.platformFault(deps.platform);
    return { ...found, resolved: top.digest };
  });
}

/** Walks indexes down to the first manifest for our platform; null when there is none. */
async function choose(
  deps: PullDeps,
  ref: Reference,
  answer: { digest: string; mediaType: string; bytes: Buffer },
  call: RegistryCall,
  depth: number,
): Promise<Omit<Found, 'resolved'> | null> {
  const parsed = manifests.parseManifest(answer.bytes, answer.mediaType, `${formatReference(ref)} (${answer.digest})`);
  if (parsed.kind === 'image') return { digest: answer.digest, manifestBytes: answer.bytes, config: parsed.config, layers: parsed.layers };
  if (depth >= limits.indexDepth) return null;
  for (const entry of manifests.platformMatches(parsed.manifests, deps.platform)) {
    const bytes = inlined(entry) ?? (await deps.registry.manifest(ref, entry.digest, call)).bytes;
    const found = await choose(deps, ref, { digest: entry.digest, mediaType: entry.mediaType, bytes }, call, depth + 1);
    // An entry that names no platform may turn out to be another's: its configuration says so.
    if (found !== null && (entry.platform !== null || (await fitsPlatform(deps, ref, found.config, call)))) return found;
  }
  return null;
}

async function fitsPlatform(deps: PullDeps, ref: Reference, config: Descriptor, call: RegistryCall): Promise<boolean> {
  const parsed = manifests.parseConfig(await fetchSmall(deps, ref, config, call), 'an image configuration');
  return parsed.os === deps.platform.os && parsed.arch === deps.platform.arch;
}

async function fetchImage(deps: PullDeps, wish: PullWish, found: Found, ref: RefRecord): Promise<ImageRecord> {
  const releases = [deps.blobs.lease(found.digest), deps.blobs.lease(found.config.digest)];
  try {
    const what = `the configuration of ${ref.ref}`;
    const call = { auth: wish.auth, signal: wish.signal, taskId: wish.taskId ?? null };
    const options = { budgetMs: limits.registryResolveMs, signal: wish.signal };
    const configBytes = await retrying(deps.clock, options, (signal) => fetchSmall(deps, wish.ref, found.config, { ...call, signal }));
    const config = manifests.parseConfig(configBytes, what);
    manifests.checkConfig(config, found.layers.length, deps.platform, what);
    found.layers.forEach(manifests.layerCompression);
    releases.push(...config.diffIds.map((diffId) => deps.layers.lease(diffId)));
    const wanted = [...new Map(config.diffIds.map((diffId, i) => [diffId, found.layers[i]] as const))];
    await inParallel(wanted, limits.layersInFlight, wish.signal, async ([diffId, layer], signal) => {
      if (layer !== undefined) await ensureLayer(deps, { ...wish, signal }, diffId, layer);
    });
    await deps.blobs.put(found.digest, found.manifestBytes);
    await deps.blobs.put(found.config.digest, configBytes);
    const image = imageRecord(deps, found, config);
    await deps.catalog.add(image, ref);
    wish.report({ stage: 'done', layer: null, bytes: image.sizeBytes, totalBytes: image.sizeBytes });
    deps.settleLater(image);
    return image;
  } finally {
    releases.forEach((release) => release());
  }
}

function imageRecord(deps: PullDeps, found: Found, config: manifests.ImageConfig): ImageRecord {
  const now = deps.clock.now();
  return {
    digest: found.digest,
    configDigest: found.config.digest,
    platform: `${deps.platform.os}/${deps.platform.arch}`,
    layers: eachOnce(config.diffIds),
    run: config.run,
    sizeBytes: found.manifestBytes.length + found.config.size + found.layers.reduce((sum, l) => sum + l.size, 0),
    createdAt: config.createdAt,
    pulledAt: now,
    lastUsedAt: now,
  };
}

/** A layer that stands twice only counts where it lies topmost: overlayfs refuses the same directory twice. */
export function eachOnce(diffIds: string[]): string[] {
  return diffIds.filter((diffId, i) => diffIds.lastIndexOf(diffId) === i);
}

async function fetchSmall(deps: PullDeps, ref: Reference, descriptor: Descriptor, call: RegistryCall): Promise<Buffer> {
  const data = inlined(descriptor);
  if (data !== null) return data;
  if (deps.blobs.has(descriptor.digest)) return deps.blobs.read(descriptor.digest);
  if (descriptor.size > limits.manifestBytes) {
    throw new Fault('InvalidParameter', `${descriptor.digest} has ${descriptor.size} bytes, more than ${limits.manifestBytes}`, {
      details: { kind: 'manifest' },
    });
  }
  const bytes = await takeSmall(deps, ref, descriptor, call);
  manifests.verifyDigest(bytes, descriptor.digest, 'an image configuration');
  return bytes;
}

/** A file of the own registry, or an outside one's answer. */
async function takeSmall(deps: PullDeps, ref: Reference, descriptor: Descriptor, call: RegistryCall): Promise<Buffer> {
  const path = deps.tempPath();
  try {
    if ((await deps.registry.take?.(ref, descriptor.digest, path, call)) === true) return await readFile(path);
  } finally {
    await rm(path, { force: true });
  }
  const { response } = await deps.registry.blob(ref, descriptor.digest, 0, call);
  return await readWhole(response, descriptor);
}

async function readWhole(response: Parameters<typeof readBody>[0], descriptor: Descriptor): Promise<Buffer> {
  return readBody(response, Math.min(descriptor.size, limits.manifestBytes), `blob ${descriptor.digest}`);
}

/** The content that a descriptor brings along, if it is what its digest says. */
function inlined(descriptor: Descriptor): Buffer | null {
  if (descriptor.data === null) return null;
  const bytes = Buffer.from(descriptor.data, 'base64');
  manifests.verifyDigest(bytes, descriptor.digest, 'the data of a descriptor');
  return bytes;
}

async function ensureLayer(deps: PullDeps, wish: PullWish, diffId: string, layer: Descriptor): Promise<void> {
  await deps.layers.ensure(diffId, { signal: wish.signal, onProgress: wish.report }, async (signal, report): Promise<PackedLayer> => {
    const path = deps.tempPath();
    const onBytes = (bytes: number): void => report({ stage: 'download', layer: diffId, bytes, totalBytes: layer.size });
    onBytes(0);
    const call = { auth: wish.auth, signal, taskId: wish.taskId ?? null };
    const taken = (await deps.registry.take?.(wish.ref, layer.digest, path, call)) === true;
    if (taken) onBytes(layer.size);
    else await downloadBlob(deps.clock, layer, layerSource(deps, wish, layer), { path, signal, onBytes });
    return { blob: path, compression: manifests.layerCompression(layer), dispose: () => rm(path, { force: true }) };
  });
}

/** The registry; for a foreign layer that it lacks, the addresses that the manifest names. */
function layerSource(deps: PullDeps, wish: PullWish, layer: Descriptor): BlobSource {
  let foreign = 0;
  return async (offset, signal) => {
    try {
      return await deps.registry.blob(wish.ref, layer.digest, offset, { auth: wish.auth, signal });
    } catch (error) {
      const url = layer.urls[foreign % Math.max(1, layer.urls.length)];
      if (url === undefined || kindOf(error) !== 'not-found') throw error;
      foreign++;
      return deps.registry.foreignBlob(url, offset, signal);
    }
  };
}
