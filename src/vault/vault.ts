/**
 * Secrets at rest, in the shape of a KMS: each is encrypted with a data key of its own, which lies beside it wrapped by the master key. The master
 * keys are one file, which isn't kept with the data: a copy of the database alone tells nobody anything. AES-256-GCM (NIST SP 800-38D) for both;
 * the context is authenticated, not kept, so that what belongs to one thing can't be passed off as another's.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { hexId } from '#base/ids.ts';
import type { Random } from '#base/random.ts';
import { readKeyRing, replaceKeyRing, writeKeyRing, type KeyRing, type MasterKey } from './key-ring.ts';

/** What a secret belongs to: `{ purpose: 'access-key', id: 'AKIA...' }`. */
export type EncryptionContext = Record<string, string>;

export type Vault = {
  /** Base64 of version, key id, wrapped data key and ciphertext: some 120 bytes more than the secret. */
  encrypt(secret: Uint8Array | string, context: EncryptionContext): string;
  /** Throws Fault Internal for what this vault's keys didn't make, what was changed since, and another context. */
  decrypt(blob: string, context: EncryptionContext): Buffer;
  /** The same secret with its data key wrapped by the current master key; null where it is already. The secret itself is not opened. */
  rewrap(blob: string): string | null;
  /** Those of the file, the oldest first. */
  keys(): KeyInfo[];
  /** Makes another master key, which is the current one once this returns; those before go on opening what they wrapped. */
  rotate(): KeyInfo;
  /** Forgets a master key for good. Throws Conflict for the current one. */
  forget(id: string): void;
};

/** `retiredAt`: when another one became current; null for the one that is. Milliseconds since the epoch. `prefix`: what each blob of its begins with. */
export type KeyInfo = { id: string; createdAt: number; retiredAt: number | null; prefix: string };

const VERSION = 1;
const IV = 12;
const TAG = 16;
const KEY = 32;
/** Hex digits of a master key's id. */
const ID = 16;
const WRAPPED = IV + KEY + TAG;

/**
 * Reads the file of master keys, or makes it with one. Throws Fault Internal when it is damaged: never is another made in its place, since what
 * the lost one wrapped would be lost with it.
 */
export function openVault(deps: { clock: Clock; random: Random }, options: { path: string }): Vault {
  const { random } = deps;
  let ring = readKeyRing(options.path) ?? makeKeyRing(deps, options.path);
  let masters = mastersOf(ring);
  if (!masters.has(ring.current))
    throw new Fault('Internal', `the key file ${options.path} names '${ring.current}' as current, which is not in it`);

  const masterOf = (id: string): Buffer => {
    const master = masters.get(id);
    if (master === undefined) throw new Fault('Internal', `no master key '${id}' in ${options.path}: is it this instance's key file?`);
    return master;
  };
  const replace = (next: KeyRing): void => {
    replaceKeyRing(options.path, next);
    ring = next;
    masters = mastersOf(next);
  };
  const headOf = (id: string) => Buffer.concat([Buffer.of(VERSION), Buffer.from(id, 'hex')]);
  const infoOf = (key: MasterKey): KeyInfo => ({
    id: key.id,
    createdAt: Date.parse(key.createdAt),
    retiredAt: key.retiredAt === undefined ? null : Date.parse(key.retiredAt),
    // Nine bytes are twelve letters of base64, whatever follows.
    prefix: headOf(key.id).toString('base64'),
  });
  /** Head, wrapped data key. */
  const wrap = (dataKey: Buffer): Buffer =>
    Buffer.concat([headOf(ring.current), seal(random, masterOf(ring.current), dataKey, Buffer.from(ring.current, 'hex'))]);
  const unwrap = ({ id, wrapped }: Blob): Buffer => open(masterOf(id), wrapped, Buffer.from(id, 'hex'));

  return {
    encrypt(secret, context) {
      const dataKey = Buffer.from(random.bytes(KEY));
      return Buffer.concat([wrap(dataKey), seal(random, dataKey, Buffer.from(secret), contextBytes(context))]).toString('base64');
    },
    decrypt(text, context) {
      const blob = readBlob(text);
      return open(unwrap(blob), blob.sealed, contextBytes(context));
    },
    rewrap(text) {
      const blob = readBlob(text);
      return blob.id === ring.current ? null : Buffer.concat([wrap(unwrap(blob)), blob.sealed]).toString('base64');
    },
    keys: () => ring.keys.map(infoOf),
    rotate() {
      const key = newKey(deps);
      const keys = ring.keys.map((one) => (one.id === ring.current ? { ...one, retiredAt: key.createdAt } : one));
      replace({ version: 1, current: key.id, keys: [...keys, key] });
      return infoOf(key);
    },
    forget(id) {
      if (id === ring.current) throw new Fault('Conflict', `the master key '${id}' is the current one`);
      replace({ ...ring, keys: ring.keys.filter((key) => key.id !== id) });
    },
  };
}

const mastersOf = ({ keys }: KeyRing) => new Map(keys.map((key) => [key.id, Buffer.from(key.material, 'base64')]));

type Blob = { id: string; wrapped: Buffer; sealed: Buffer };

function readBlob(text: string): Blob {
  const bytes = Buffer.from(text, 'base64');
  const idEnd = 1 + ID / 2;
  if (bytes[0] !== VERSION || bytes.length < idEnd + WRAPPED + IV + TAG) throw new Fault('Internal', 'not a secret of this vault');
  const end = idEnd + WRAPPED;
  return { id: bytes.subarray(1, idEnd).toString('hex'), wrapped: bytes.subarray(idEnd, end), sealed: bytes.subarray(end) };
}

function newKey({ clock, random }: { clock: Clock; random: Random }): MasterKey {
  const material = Buffer.from(random.bytes(KEY)).toString('base64');
  return { id: hexId(random, ID), material, createdAt: new Date(clock.now()).toISOString() };
}

function makeKeyRing(deps: { clock: Clock; random: Random }, path: string): KeyRing {
  const key = newKey(deps);
  const ring: KeyRing = { version: 1, current: key.id, keys: [key] };
  writeKeyRing(path, ring);
  return ring;
}

function seal(random: Random, key: Buffer, secret: Buffer, associated: Buffer): Buffer {
  const iv = random.bytes(IV);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(associated);
  return Buffer.concat([iv, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
}

function open(key: Buffer, sealed: Buffer, associated: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV), { authTagLength: TAG }).setAAD(associated);
  decipher.setAuthTag(sealed.subarray(-TAG));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(IV, -TAG)), decipher.final()]);
  } catch {
    throw new Fault('Internal', 'a secret was changed, or belongs to something else');
  }
}

/** The same bytes in whichever order the members stand. */
function contextBytes(context: EncryptionContext): Buffer {
  const pairs = Object.entries(context).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Buffer.from(JSON.stringify(pairs));
}
