/** Images on a host: pull, verify, unpack, keep, collect. */
import type { Json } from '#base/fault.ts';

/** An image that is ready to be used as a root file system. */
export type PreparedImage = {
  /** The reference it was asked by, normalised (`docker.io/library/nginx:latest`). */
  ref: string;
  /** sha256:... of the manifest for this platform. */
  digest: string;
  /** Unpacked layers, topmost first. */
  layers: string[];
  config: ImageRunConfig;
};

/** From the OCI image configuration (image-spec, "config"). */
export type ImageRunConfig = {
  entrypoint: string[];
  cmd: string[];
  env: string[];
  workingDir: string;
  user: string;
  stopSignal: string | null;
  labels: Record<string, string>;
  exposedPorts: string[];
  /** Paths of its VOLUME instructions, when it has some. */
  volumes?: string[] | undefined;
};

export type ImageSummary = {
  refs: string[];
  digest: string;
  /** Compressed and unpacked size; the latter with the image's disk, if it has one. */
  sizeBytes: number;
  unpackedBytes: number;
  createdAt: number | null;
  pulledAt: number;
  lastUsedAt: number;
  /** Ids of the tasks that use it now. */
  usedBy: string[];
  platform: string;
};

export type PullProgress = {
  stage: 'resolve' | 'download' | 'unpack' | 'done';
  layer: string | null;
  bytes: number;
  totalBytes: number | null;
};

/** berth's own registry, as a host meets it: asked over the link, and its blobs lie on this machine. Faults as of a registry client (`details.kind`). */
export type OwnRegistry = {
  /** Whether names under this registry (`host:port`) are its. */
  serves(registry: string): boolean;
  /** What a tag or digest is now, for whom it may be: a task's execution role is asked. */
  resolve(at: OwnName, taskId: string | null, signal: AbortSignal): Promise<{ digest: string; mediaType: string }>;
  /** Gives a blob one more name, without a copy where that can be. */
  take(at: OwnName, taskId: string | null, path: string, signal: AbortSignal): Promise<void>;
};
export type OwnName = { registry: string; repository: string; target: string };

export type RegistryAuth = { username: string; password: string } | { identityToken: string };

export type Images = {
  /**
   * Makes an image ready and pins it for `taskId` until `unpin`. Touches no registry when the image is here, unless `check` is
   * 'always' (a tag is asked again). Throws Fault CannotPullContainer with AWS's `CannotPullContainerError: ...` text.
   */
  prepare(
    ref: string,
    options: {
      taskId: string | null;
      check: 'if-missing' | 'always';
      auth?: RegistryAuth;
      signal?: AbortSignal;
      onProgress?: (p: PullProgress) => void;
    },
  ): Promise<PreparedImage>;
  /**
   * Path of the image as a read-only disk (EROFS, its layers merged): built when first asked for, which takes a moment, and kept with the
   * image. Throws CapacityUnavailable when the machine's disk is full, ResourceNotFound when the image isn't here (any more): pin it.
   */
  disk(image: PreparedImage, options?: { signal?: AbortSignal }): Promise<string>;
  /** Idempotent. */
  unpin(taskId: string): Promise<void>;
  list(): Promise<ImageSummary[]>;
  /** An OCI layout (tar or directory), a docker archive, or a plain root file system tar (any of them gzip or zstd). */
  importArchive(path: string, ref: string, onProgress?: (p: PullProgress) => void): Promise<ImageSummary>;
  /** Throws ResourceNotFound, or Conflict while a task uses it. */
  remove(refOrDigest: string): Promise<{ freedBytes: number }>;
  /** Removes what no ref and no task uses (`all`: what no task uses). Never what a task uses. */
  prune(options: { all: boolean }): Promise<{ removed: string[]; freedBytes: number }>;
  /** At start: forgets pins of tasks that are not among `live`, finishes or undoes half-done work. */
  recover(liveTaskIds: string[]): Promise<void>;
};

/** What `images` needs from the kernel worker. */
export type LayerUnpacker = {
  /** Makes the directory `into`, which must not be there yet; when anything fails it is gone again. */
  unpack(request: {
    blob: string;
    compression: 'none' | 'gzip' | 'zstd';
    into: string;
    diffId: string | null;
  }): Promise<{ diffId: string; bytes: number; entries: number }>;
  removeTree(path: string, below: string): Promise<void>;
};

/** What `disk` needs from the kernel worker: same layers (topmost first), same bytes; when it fails nothing is left. */
export type DiskBuilder = {
  erofsBuild(request: { layers: string[]; into: string }): Promise<{ bytes: number }>;
};

export type ImageDetails = Record<string, Json>;
