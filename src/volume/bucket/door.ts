/** The bucket as a file system's host reaches it. Names are relative keys. */
import type { RemoteObject, Version } from './types.ts';

export type ObjectHead = RemoteObject & { metadata: Record<string, string> };

export type Listing = {
  /** Stands for the bucket as it was listed; the same as long as nothing of it changed. */
  token: string;
  objects: Map<string, RemoteObject>;
  exportAfterMs: number;
  prefix: string;
};

/** Throws Unavailable while the control plane is away, AccessDenied when the file system's role may not, ResourceNotFound when file system or bucket are gone. */
export type BucketDoor = {
  /** null: nothing changed since `token`. Throws LimitExceeded for more objects than a file system may show. */
  list(token: string | null): Promise<Listing | null>;
  /** undefined: it isn't there. */
  head(name: string): Promise<ObjectHead | undefined>;
  /** As `head`, with its bytes, which are read once; `close` in any case. */
  get(name: string): Promise<{ head: ObjectHead; body: AsyncIterable<Buffer>; close(): void } | undefined>;
  /** `replaces`: the ETag of what is there; null: nothing is. Throws Conflict when that isn't so. */
  put(
    wish: { name: string; metadata: Record<string, string>; size: number; replaces: string | null },
    body: AsyncIterable<Buffer>,
  ): Promise<Version>;
  /** One that is gone is no error. Throws Conflict when another is there than the one with this ETag. */
  remove(name: string, etag: string): Promise<void>;
  report(state: { pending: number; hidden: number; failure: string | null }): Promise<void>;
};
