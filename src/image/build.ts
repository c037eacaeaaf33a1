/** Makes OCI images out of directories, without any container engine: an OCI layout in one tar file, the same for the same input. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdCompress } from 'node:zlib';
import { digestOf, mediaTypes, type Compression, type Platform } from './manifest.ts';
import { directoryItems, writeTar, type TarItem, type TreeOptions } from './tar-writer.ts';

/** The image configuration's `config` (image-spec, "Properties"). */
export type BuildConfig = {
  Entrypoint?: string[];
  Cmd?: string[];
  Env?: string[];
  WorkingDir?: string;
  User?: string;
  StopSignal?: string;
  ExposedPorts?: Record<string, object>;
  Labels?: Record<string, string>;
};

export type BuildOptions = {
  /** One directory a layer, bottom first. */
  directories: string[];
  config: BuildConfig;
  platform: Platform;
  /** Where the archive goes; `OUT.layer` is used on the way. */
  out: string;
  /** The name in the archive: a tag, or a whole reference. */
  name: string;
  compression?: Compression;
  /** RFC 3339; times of files and of the image. Default: 1970, so that the same files make the same image. */
  created?: string;
  owner?: TreeOptions['owner'];
};

export type BuiltImage = { path: string; manifestDigest: string; layers: { digest: string; diffId: string; size: number }[] };

export async function buildImage(options: BuildOptions): Promise<BuiltImage> {
  const compression = options.compression ?? 'none';
  const created = options.created ?? '1970-01-01T00:00:00Z';
  const mtimeSeconds = Math.floor(Date.parse(created) / 1000);
  const temps: string[] = [];
  try {
    const layers: (PackedDirectory & { path: string })[] = [];
    for (const [i, directory] of options.directories.entries()) {
      const path = `${options.out}.layer${i}`;
      temps.push(path);
      const tree = { mtimeSeconds, ...(options.owner === undefined ? {} : { owner: options.owner }) };
      layers.push({ path, ...(await packDirectory(directory, path, compression, tree)) });
    }
    const config = Buffer.from(
      JSON.stringify({
        created,
        architecture: options.platform.arch,
        os: options.platform.os,
        config: options.config,
        rootfs: { type: 'layers', diff_ids: layers.map((l) => l.diffId) },
        history: layers.map(() => ({ created, created_by: 'berth' })),
      }),
    );
    const suffix = compression === 'none' ? '' : `+${compression}`;
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
        layers: layers.map(({ digest, size }) => ({ mediaType: mediaTypes.ociLayer + suffix, digest, size })),
      }),
    );
    temps.push(`${options.out}.part`);
    await writeLayout(`${options.out}.part`, { manifest, config, layers, name: options.name, mtimeSeconds, platform: options.platform });
    await rename(`${options.out}.part`, options.out);
    return {
      path: options.out,
      manifestDigest: digestOf(manifest),
      layers: layers.map(({ digest, diffId, size }) => ({ digest, diffId, size })),
    };
  } finally {
    for (const temp of temps) await rm(temp, { force: true });
  }
}

type PackedDirectory = { digest: string; diffId: string; size: number };

async function packDirectory(directory: string, path: string, compression: Compression, tree: TreeOptions): Promise<PackedDirectory> {
  const plain = createHash('sha256');
  const packed = createHash('sha256');
  let size = 0;
  async function* hashed(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      plain.update(chunk);
      yield chunk;
    }
  }
  async function* counted(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      packed.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  }
  const tar = Readable.from(hashed(writeTar(directoryItems(directory, tree))), { objectMode: false });
  const out = createWriteStream(path, { flags: 'w', mode: 0o600 });
  if (compression === 'none') await pipeline(tar, counted, out);
  else await pipeline(tar, compression === 'gzip' ? createGzip({ level: 6 }) : createZstdCompress(), counted, out);
  return { digest: `sha256:${packed.digest('hex')}`, diffId: `sha256:${plain.digest('hex')}`, size };
}

type Layout = {
  manifest: Buffer;
  config: Buffer;
  layers: { path: string; digest: string; size: number }[];
  name: string;
  mtimeSeconds: number;
  platform: Platform;
};

async function writeLayout(path: string, layout: Layout): Promise<void> {
  const { manifest, config, platform } = layout;
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [
      {
        mediaType: mediaTypes.ociManifest,
        digest: digestOf(manifest),
        size: manifest.length,
        platform: { architecture: platform.arch, os: platform.os },
        annotations: { 'org.opencontainers.image.ref.name': layout.name },
      },
    ],
  };
  const common = { mode: 0o644, uid: 0, gid: 0, mtimeSeconds: layout.mtimeSeconds };
  const bytes = (name: string, content: Buffer): TarItem => ({ ...common, type: 'file', name, size: content.length, content: [content] });
  const blob = (digest: string): string => `blobs/sha256/${digest.slice('sha256:'.length)}`;
  function* items(): Generator<TarItem> {
    yield bytes('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
    yield bytes('index.json', Buffer.from(JSON.stringify(index)));
    yield bytes(blob(digestOf(manifest)), manifest);
    yield bytes(blob(digestOf(config)), config);
    const seen = new Set<string>();
    for (const { path: from, digest, size } of layout.layers) {
      if (seen.has(digest)) continue;
      seen.add(digest);
      yield { ...common, type: 'file', name: blob(digest), size, content: createReadStream(from) as AsyncIterable<Buffer> };
    }
  }
  await pipeline(Readable.from(writeTar(items()), { objectMode: false }), createWriteStream(path, { mode: 0o644 }));
}
