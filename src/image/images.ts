/** The images of one host: the contract of types.ts over catalog, layer store, blob store and registry client. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '#base/clock.ts';
import { asFault, Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { openBlobStore, type BlobStore } from './blob-store.ts';
import { openCatalog, type Catalog, type ImageRecord, type RefRecord } from './catalog.ts';
import { createCredentials } from './credentials.ts';
import { openDiskStore, type DiskStore } from './disk-store.ts';
import { importImage } from './import.ts';
import { openLayerStore, type LayerStore } from './layer-store.ts';
import type { Platform } from './manifest.ts';
import { createImageAccess } from './access.ts';
import { authKey } from './authorize.ts';
import { badReference, cannotPull, isNoSpace, plainFault } from './pull-errors.ts';
import { pullImage } from './pull.ts';
import { formatReference, isDigest, parseReference, repositoryOf, type Reference } from './reference.ts';
import { createRegistry, type Registry } from './registry.ts';
import { retrying } from './retrying.ts';
import { withOwn } from './own-registry.ts';
import { createSharedWork } from './shared-work.ts';
import { createTransport, type Transport } from './transport.ts';
import type { DiskBuilder, Images, ImageSummary, LayerUnpacker, OwnRegistry, PreparedImage, PullProgress, RegistryAuth } from './types.ts';

export type ImagesOptions = {
  /** Everything of the store lies below; one process at a time. */
  dir: string;
  unpacker: LayerUnpacker;
  diskBuilder: DiskBuilder;
  /** Builds an image's disk right after its pull or import, before a machine asks for it. */
  disksAhead?: boolean;
  clock: Clock;
  log: Log;
  platform: Platform;
  /** Docker's config.json; without it every registry is met anonymously. */
  dockerConfigPath?: string;
  /** Registries (`host:port`) that are spoken to without TLS; loopback always is. */
  insecureRegistries?: string[];
  /** HTTP_PROXY and its like. */
  proxyEnv?: Record<string, string | undefined>;
  transport?: Transport;
  /** berth's own registry. */
  own?: OwnRegistry;
};

/** Names under this host are never asked from the network: they exist by `importArchive` only. */
export const LOCAL_REGISTRY = 'berth.local';

const PULLS_AGAIN = 5;
const SETTLE_AFTER_MS = 5000;

type Opened = { catalog: Catalog; layers: LayerStore; blobs: BlobStore; disks: DiskStore };

export function createImages(options: ImagesOptions): Images & { close(): Promise<void> } {
  const { clock, log, platform } = options;
  const transport = options.transport ?? createTransport(clock, options.proxyEnv === undefined ? {} : { proxyEnv: options.proxyEnv });
  const credentials = createCredentials(clock, options.dockerConfigPath ?? null);
  const temp = join(options.dir, 'tmp');
  const start = clock.now().toString(36);
  let serial = 0;
  const tempPath = (): string => join(temp, `${start}-${serial++}`);
  const outside = createRegistry({ transport, credentials, clock, insecure: options.insecureRegistries ?? [] });
  const registry = withOwn(outside, options.own, tempPath);
  const access = createImageAccess({ registry, clock, log });
  const pulls = createSharedWork<ImageRecord, PullProgress>();
  const normalised = createReferenceCache();
  let opening: Promise<Opened> | null = null;
  let opened: Opened | null = null;
  let settling: Timer | null = null;

  async function open(): Promise<Opened> {
    await mkdir(temp, { recursive: true, mode: 0o700 });
    for (const name of await readdir(temp)) await options.unpacker.removeTree(join(temp, name), options.dir).catch(() => undefined);
    const layers = await openLayerStore({ dir: options.dir, unpacker: options.unpacker, clock, log, tempPath });
    const blobs = await openBlobStore(options.dir, tempPath);
    const catalog = await openCatalog(options.dir, log);
    const disks = await openDiskStore({ dir: options.dir, builder: options.diskBuilder, log });
    opened = { catalog, layers, blobs, disks };
    await dropBroken(opened, log);
    return opened;
  }
  const ready = (): Promise<Opened> =>
    (opening ??= open().catch((error: unknown) => {
      opening = null;
      throw plainFault(error, 'the image store could not be opened');
    }));

  /** A power cut before it costs a pull; a sync right away would hold up the start that the pull was for. */
  function settleLater(): void {
    settling ??= clock.after(SETTLE_AFTER_MS, () => {
      settling = null;
      if (opened === null) return;
      const layers = [...opened.catalog.images.values()].flatMap((image) => image.layers);
      opened.layers.settle(layers).catch((error: unknown) => log.warn('image.not-synced', { why: asFault(error).message }));
    });
  }

  /** The image by what is known here alone. */
  function lookup({ catalog }: Opened, ref: Reference, name: string): Known | null {
    const record = catalog.refs.get(name);
    const image = record === undefined ? undefined : catalog.images.get(record.digest);
    if (record !== undefined && image !== undefined) return { image, ref: record, by: record };
    if (ref.digest === null) return null;
    const sameRepository = `${repositoryOf(ref)}:`;
    const others = [...catalog.refs.values()].filter(
      (r) => r.ref.startsWith(sameRepository) && (r.resolved === ref.digest || r.digest === ref.digest),
    );
    const other = others.find((r) => r.guarded !== true) ?? others[0];
    const found = other === undefined ? undefined : catalog.images.get(other.digest);
    return other === undefined || found === undefined ? null : { image: found, ref: null, by: other };
  }

  function pull(store: Opened, ref: Reference, name: string, wish: PrepareOptions): Promise<ImageRecord> {
    if (ref.registry === LOCAL_REGISTRY) {
      const why = `not found: images of ${LOCAL_REGISTRY} are imported, not pulled (image import FILE --name ${name})`;
      throw cannotPull(name, new Fault('ResourceNotFound', why, { details: { kind: 'not-found' } }), 'resolve');
    }
    const auth = wish.auth ?? null;
    const waiter = { signal: wish.signal, onProgress: wish.onProgress };
    return pulls.run(`${name} ${authKey('', '', auth)}`, waiter, async (signal, report) => {
      const deps = { ...store, registry, clock, platform, tempPath, settleLater };
      const { image, resolved } = await pullImage(deps, { ref, auth, signal, report, taskId: wish.taskId });
      access.proven(ref, resolved, auth);
      return image;
    });
  }

  /** What is here is not every task's, when it came with the credentials of one. */
  async function mayHave(ref: Reference, known: Known, wish: PrepareOptions): Promise<boolean> {
    const { guarded = false, resolved } = known.by;
    return !guarded || wish.taskId === null || (await access.mayHave(ref, resolved, { auth: wish.auth ?? null, signal: wish.signal }));
  }

  async function disk(digest: string, name: string, signal?: AbortSignal): Promise<string> {
    const store = await ready();
    const image = store.catalog.images.get(digest);
    if (image === undefined) throw new Fault('ResourceNotFound', `there is no image ${name} here`);
    // While it is read no collection may take a layer of it.
    const leases = image.layers.map(store.layers.lease);
    try {
      const path = await store.disks.ensure(digest, image.layers.map(store.layers.path).toReversed(), signal);
      if (store.catalog.images.has(digest)) return path;
    } catch (error) {
      throw plainFault(error, `the disk of ${name} could not be built`);
    } finally {
      for (const release of leases) release();
    }
    await collect(store);
    throw new Fault('ResourceNotFound', `${name} was removed while its disk was built`);
  }

  function diskAhead(image: ImageRecord, name: string): void {
    if (options.disksAhead !== true) return;
    disk(image.digest, name).catch((error: unknown) => log.warn('image.no-disk', { name, why: asFault(error).message }));
  }

  async function prepare(text: string, wish: PrepareOptions): Promise<PreparedImage> {
    const store = opened ?? (await ready());
    const { ref, name } = normalised(text);
    // Our own registry is asked at each start: whether this task may, and what the tag is now.
    const now = options.own?.serves(ref.registry) === true ? await resolveOwn(registry, clock, ref, wish) : null;
    const known = lookup(store, ref, name);
    const asked = async (known: Known) =>
      (wish.check === 'always' && (await isStale(registry, clock, ref, known.ref, wish))) || !(await mayHave(ref, known, wish));
    const stale = known !== null && (now === null ? await asked(known) : differs(known, now));
    let image = known === null || stale ? await pull(store, ref, name, wish) : known.image;
    // Between the end of a pull and now a collection may have taken an image that nothing used yet.
    for (let tries = 0; !store.catalog.images.has(image.digest); tries++) {
      if (tries === PULLS_AGAIN) throw cannotPull(name, new Fault('Conflict', `${name} was removed while it was pulled`), 'fetch');
      image = await pull(store, ref, name, wish);
    }
    if (known === null || stale) diskAhead(image, name);
    // From the look above to the pin nothing else runs: a collection sees the one or the other.
    if (wish.signal?.aborted === true) throw new Fault('Cancelled', 'the start was cancelled');
    if (wish.taskId !== null) {
      await store.catalog.pin(wish.taskId, image.digest, clock.now()).catch((error: unknown) => {
        throw isNoSpace(error) ? cannotPull(name, error, 'fetch') : error;
      });
    }
    return { ref: name, digest: image.digest, layers: image.layers.map(store.layers.path).toReversed(), config: image.run };
  }

  return {
    prepare,
    disk: (image, wish) => disk(image.digest, image.ref, wish?.signal),
    async unpin(taskId) {
      const { catalog } = await ready();
      await catalog
        .unpin([taskId], clock.now())
        .catch((error: unknown) => log.warn('image.unpin', { taskId, why: asFault(error).message }));
    },
    async list() {
      const store = await ready();
      return [...store.catalog.images.values()].map((image) => summary(store, image));
    },
    async importArchive(path, text, onProgress) {
      const store = await ready();
      const ref = parseReference(text);
      if (ref.digest !== null) throw new Fault('InvalidParameter', `${text} names a digest: an import needs a tag`);
      const deps = { ...store, clock, platform, tempPath };
      const image = await importImage(deps, path, ref, onProgress ?? (() => undefined)).catch((error: unknown) => {
        throw plainFault(error, `${path} could not be imported`);
      });
      diskAhead(image, formatReference(ref));
      return summary(store, image);
    },
    async remove(text) {
      const store = await ready();
      return removeImage(store, text, log);
    },
    async prune({ all }) {
      const store = await ready();
      const { catalog } = store;
      const named = new Set([...catalog.refs.values()].map((r) => r.digest));
      const unused = [...catalog.images.keys()].filter((digest) => catalog.usedBy(digest).length === 0 && (all || !named.has(digest)));
      const freedBytes = await dropImages(store, unused, log);
      return { removed: unused, freedBytes };
    },
    async recover(liveTaskIds) {
      const store = await ready();
      const live = new Set(liveTaskIds);
      await store.catalog.unpin(
        [...store.catalog.pins.keys()].filter((task) => !live.has(task)),
        clock.now(),
      );
      await dropBroken(store, log);
      await collect(store);
      await store.catalog.compact();
      settleLater();
    },
    async close() {
      settling?.cancel();
      if (opening !== null) await (await opening).catalog.close();
      if (options.transport === undefined) transport.close();
    },
  };
}

/** `by`: the name that it is known by, that of another tag where a digest was asked for. */
type Known = { image: ImageRecord; ref: RefRecord | null; by: RefRecord };
type PrepareOptions = Parameters<Images['prepare']>[1];
/** Throws CannotPullContainer, ResourceInitialization. */
async function resolveOwn(registry: Registry, clock: Clock, ref: Reference, wish: PrepareOptions): Promise<string | null> {
  const signal = wish.signal ?? new AbortController().signal;
  try {
    return await retrying(clock, { budgetMs: limits.registryResolveMs, signal }, (attempt) =>
      registry.headDigest(ref, ref.digest ?? ref.tag ?? 'latest', { auth: null, signal: attempt, taskId: wish.taskId }),
    );
  } catch (error) {
    throw cannotPull(formatReference(ref), error, 'resolve');
  }
}

const differs = ({ image, ref }: Known, digest: string): boolean => (ref?.resolved ?? digest) !== digest && image.digest !== digest;

type AuthOption = { auth?: RegistryAuth; signal?: AbortSignal };

/** Whether a tag points elsewhere than when it was pulled. Digests and imported images never do. Throws CannotPullContainer. */
async function isStale(registry: Registry, clock: Clock, ref: Reference, known: RefRecord | null, wish: AuthOption): Promise<boolean> {
  if (ref.tag === null || known === null || known.imported) return false;
  const { tag } = ref;
  const signal = wish.signal ?? new AbortController().signal;
  try {
    return await retrying(clock, { budgetMs: limits.registryResolveMs, signal }, async (attemptSignal) => {
      const call = { auth: wish.auth ?? null, signal: attemptSignal };
      return (await registry.headDigest(ref, tag, call)) !== known.resolved;
    });
  } catch (error) {
    throw cannotPull(known.ref, error, 'resolve');
  }
}

function summary(store: Opened, image: ImageRecord): ImageSummary {
  return {
    refs: [...store.catalog.refs.values()].filter((r) => r.digest === image.digest).map((r) => r.ref),
    digest: image.digest,
    sizeBytes: image.sizeBytes,
    unpackedBytes: image.layers.reduce((sum, diffId) => sum + (store.layers.get(diffId)?.bytes ?? 0), store.disks.bytes(image.digest)),
    createdAt: image.createdAt,
    pulledAt: image.pulledAt,
    lastUsedAt: image.lastUsedAt,
    usedBy: store.catalog.usedBy(image.digest),
    platform: image.platform,
  };
}

/** A reference loses its name; an image without a name goes, unless a task uses it. */
async function removeImage(store: Opened, text: string, log: Log): Promise<{ freedBytes: number }> {
  const { catalog } = store;
  const digest = digestNamed(catalog, text);
  const name = digest === null ? formatReference(parseReference(text)) : null;
  const target = digest ?? catalog.refs.get(name ?? '')?.digest;
  if (target === undefined) throw new Fault('ResourceNotFound', `there is no image ${text} here`);
  const names = [...catalog.refs.values()].filter((r) => r.digest === target).map((r) => r.ref);
  const others = name === null ? [] : names.filter((n) => n !== name);
  const users = catalog.usedBy(target);
  if (others.length === 0 && users.length > 0) {
    throw new Fault('Conflict', `image ${text} is in use by ${users.length} task(s), ${users[0]} for one: stop them first`);
  }
  if (others.length > 0) {
    await catalog.removeRefs([name ?? '']);
    return { freedBytes: 0 };
  }
  return { freedBytes: await dropImages(store, [target], log) };
}

/** A whole digest, or the beginning of one that is no image's name. */
function digestNamed(catalog: Catalog, text: string): string | null {
  if (isDigest(text)) return text;
  const prefix = text.startsWith('sha256:') ? text : `sha256:${text}`;
  if (!/^sha256:[0-9a-f]{12,64}$/.test(prefix)) return null;
  const found = [...catalog.images.keys()].filter((digest) => digest.startsWith(prefix));
  return found.length === 1 ? (found[0] ?? null) : null;
}

/** The images go from memory at once, so that nobody can begin to use them; then from the disk. */
async function dropImages(store: Opened, digests: string[], log: Log): Promise<number> {
  const { catalog } = store;
  const gone = new Set(digests.filter((digest) => catalog.images.has(digest)));
  const refs = [...catalog.refs.values()].filter((r) => gone.has(r.digest)).map((r) => r.ref);
  const written = Promise.all([catalog.removeRefs(refs), catalog.removeImages([...gone])]);
  // On a full disk the journal can't grow, but room must still be made: what it says of images without layers is dropped at start.
  await written.catch((error: unknown) => log.warn('image.catalog.behind', { why: asFault(error).message }));
  return collect(store);
}

/** Removes layers, blobs and disks that no image has and no pull holds. */
async function collect({ catalog, layers, blobs, disks }: Opened): Promise<number> {
  const images = [...catalog.images.values()];
  const diffIds = new Set(images.flatMap((image) => image.layers));
  const digests = new Set(images.flatMap((image) => [image.digest, image.configDigest]));
  const freed = await Promise.all([
    layers.collect((id) => diffIds.has(id)),
    blobs.collect((d) => digests.has(d)),
    disks.collect((d) => catalog.images.has(d)),
  ]);
  return freed.reduce((sum, one) => sum + one.freedBytes, 0);
}

/** Images whose layers a power cut took, or that were being removed; and names that point nowhere. */
async function dropBroken({ catalog, layers, blobs }: Opened, log: Log): Promise<void> {
  const broken = [...catalog.images.values()].filter((image) => !image.layers.every((id) => layers.get(id)) || !blobs.has(image.digest));
  if (broken.length > 0) log.warn('image.dropped', { digests: broken.map((image) => image.digest) });
  await catalog.removeImages(broken.map((image) => image.digest));
  await catalog.removeRefs([...catalog.refs.values()].filter((r) => !catalog.images.has(r.digest)).map((r) => r.ref));
}

/** Parsing is most of the work of a start from memory, and the same few names come again and again. */
function createReferenceCache(): (text: string) => { ref: Reference; name: string } {
  const kept = new Map<string, { ref: Reference; name: string }>();
  return (text) => {
    const known = kept.get(text);
    if (known !== undefined) return known;
    const ref = ((): Reference => {
      try {
        return parseReference(text);
      } catch (error) {
        throw isFault(error) ? badReference(text, error) : error;
      }
    })();
    if (kept.size >= limits.referencesKept) kept.clear();
    const entry = { ref, name: formatReference(ref) };
    kept.set(text, entry);
    return entry;
  };
}
