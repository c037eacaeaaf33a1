/** Registries of the outside, and berth's own, as one: names say which. */
import { readFile, rm } from 'node:fs/promises';
import { Fault } from '#base/fault.ts';
import { verifyDigest } from './manifest.ts';
import type { Reference } from './reference.ts';
import type { Registry } from './registry.ts';
import type { OwnRegistry } from './types.ts';

export function withOwn(outside: Registry, own: OwnRegistry | undefined, tempPath: () => string): Registry {
  if (own === undefined) return outside;
  const at = ({ registry, repository }: Reference, target: string) => ({ registry, repository, target });
  return {
    ...outside,
    async manifest(ref, target, call) {
      if (!own.serves(ref.registry)) return await outside.manifest(ref, target, call);
      const { digest, mediaType } = await own.resolve(at(ref, target), call.taskId ?? null, call.signal);
      const path = tempPath();
      try {
        await own.take(at(ref, digest), call.taskId ?? null, path, call.signal);
        const bytes = await readFile(path);
        verifyDigest(bytes, digest, `the manifest of ${ref.registry}/${ref.repository}`);
        return { digest, mediaType, bytes };
      } finally {
        await rm(path, { force: true });
      }
    },
    async headDigest(ref, target, call) {
      if (!own.serves(ref.registry)) return await outside.headDigest(ref, target, call);
      return (await own.resolve(at(ref, target), call.taskId ?? null, call.signal)).digest;
    },
    async blob(ref, digest, offset, call) {
      if (!own.serves(ref.registry)) return await outside.blob(ref, digest, offset, call);
      throw new Fault('Internal', 'a blob of the own registry is taken, not downloaded');
    },
    async take(ref, digest, path, call) {
      if (!own.serves(ref.registry)) return false;
      await own.take(at(ref, digest), call.taskId ?? null, path, call.signal);
      return true;
    },
  };
}
