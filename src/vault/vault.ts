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
import { readKeyRing, writeKeyRing, type KeyRing } from './key-ring.ts';

/** What a secret belongs to: `{ purpose: 'access-key', id: 'AKIA...' }`. */
export type EncryptionContext = Record<string, string>;

export type Vault = {
  /** Base64 of version, key id, wrapped data key and ciphertext: some 120 bytes more than the secret. */
  encrypt(secret: Uint8Array | string, context: EncryptionContext): string;
  /** Throws Fault Internal for what this vault's keys didn't make, what was changed since, and another context. */
  decrypt(blob: string, context: EncryptionContext): Buffer;
};

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
  const ring = readKeyRing(options.path) ?? makeKeyRing(deps, options.path);
  const masters = new Map(ring.keys.map((key) => [key.id, Buffer.from(key.material, 'base64')]));
  const current = masters.get(ring.current);
  if (current === undefined)
    throw new Fault('Internal', `the key file ${options.path} names '${ring.current}' as current, which is not in it`);

  const masterOf = (id: string): Buffer => {
    const master = masters.get(id);
    if (master === undefined) throw new Fault('Internal', `no master key '${id}' in ${options.path}: is it this instance's key file?`);
    return master;
  };

  return {
    encrypt(secret, context) {
      const associated = contextBytes(context);
      const dataKey = Buffer.from(deps.random.bytes(KEY));
      const wrapped = seal(deps.random, current, dataKey, Buffer.from(ring.current, 'hex'));
      const sealed = seal(deps.random, dataKey, Buffer.from(secret), associated);
      return Buffer.concat([Buffer.of(VERSION), Buffer.from(ring.current, 'hex'), wrapped, sealed]).toString('base64');
    },
    decrypt(blob, context) {
      const bytes = Buffer.from(blob, 'base64');
      const idEnd = 1 + ID / 2;
      if (bytes[0] !== VERSION || bytes.length < idEnd + WRAPPED + IV + TAG) throw new Fault('Internal', 'not a secret of this vault');
      const id = bytes.subarray(1, idEnd);
      const dataKey = open(masterOf(id.toString('hex')), bytes.subarray(idEnd, idEnd + WRAPPED), id);
      return open(dataKey, bytes.subarray(idEnd + WRAPPED), contextBytes(context));
    },
  };
}

function makeKeyRing({ clock, random }: { clock: Clock; random: Random }, path: string): KeyRing {
  const id = hexId(random, ID);
  const material = Buffer.from(random.bytes(KEY)).toString('base64');
  const ring: KeyRing = { version: 1, current: id, keys: [{ id, material, createdAt: new Date(clock.now()).toISOString() }] };
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
