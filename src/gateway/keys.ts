/** Access keys: made at the first start, kept in one private file, and who they stand for. */
import { chmodSync, closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { Fault, invariant } from '#base/fault.ts';
import { readKeyText } from '#base/key-file.ts';
import type { Random } from '#base/random.ts';
import type { Principal } from '#domain/records.ts';

export type AccessKey = {
  secret: string;
  /** Temporary keys only; a request with them must carry it. */
  sessionToken?: string;
  /** Temporary keys only; milliseconds since the epoch. */
  expiresAt?: number;
  principal: Principal;
};

/** `token`: the session token that came with the call, which may be all that is known of a temporary key. */
export type KeyLookup = { lookup(accessKeyId: string, token?: string): AccessKey | undefined | Promise<AccessKey | undefined> };

export type Keys = {
  lookup(accessKeyId: string): AccessKey | undefined;
  /** The root key of the account: what `berth env` prints. */
  root: { accessKeyId: string; secretAccessKey: string; account: string };
};

type KeyFile = { version: 1; keys: { accessKeyId: string; secretAccessKey: string; account: string; createdAt: string }[] };

const ID_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const SECRET_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Reads the key file, or makes it with one root key for `account`. Throws Fault('Internal') when the file is there but not readable as one. */
export function openKeys(deps: { clock: Clock; random: Random }, options: { path: string; account: string }): Keys {
  const file = readKeyFile(options.path) ?? makeKeyFile(deps, options);
  const byId = new Map(
    file.keys.map((key): [string, AccessKey] => [
      key.accessKeyId,
      { secret: key.secretAccessKey, principal: rootPrincipal(key.account, key.accessKeyId) },
    ]),
  );
  const root = file.keys.find((key) => key.account === options.account);
  if (root === undefined) {
    throw new Fault(
      'Internal',
      `the key file ${options.path} has no key of account ${options.account}; move it away to have a new one made`,
    );
  }
  return {
    root: { accessKeyId: root.accessKeyId, secretAccessKey: root.secretAccessKey, account: root.account },
    lookup: (accessKeyId) => byId.get(accessKeyId),
  };
}

export function rootPrincipal(account: string, accessKeyId: string): Principal {
  return { account, arn: `arn:aws:iam::${account}:root`, userId: account, accessKeyId };
}

function readKeyFile(path: string): KeyFile | undefined {
  const text = readKeyText(path);
  if (text === undefined) return undefined;
  try {
    const file = JSON.parse(text) as KeyFile;
    invariant(file.version === 1 && Array.isArray(file.keys), 'not a key file of version 1');
    for (const key of file.keys) {
      invariant(
        [key.accessKeyId, key.secretAccessKey, key.account].every((part) => typeof part === 'string' && part !== ''),
        'a broken key',
      );
    }
    return file;
  } catch (error) {
    // Never the text itself: it holds secrets.
    throw new Fault('Internal', `the key file ${path} is damaged; restore it, or move it away to have new keys made`, {
      cause: error instanceof SyntaxError ? undefined : error,
    });
  }
}

function makeKeyFile(deps: { clock: Clock; random: Random }, options: { path: string; account: string }): KeyFile {
  const file: KeyFile = {
    version: 1,
    keys: [
      {
        accessKeyId: `AKIA${pick(deps.random, ID_LETTERS, 16)}`,
        secretAccessKey: pick(deps.random, SECRET_LETTERS, 40),
        account: options.account,
        createdAt: new Date(deps.clock.now()).toISOString(),
      },
    ],
  };
  writeDurably(options.path, `${JSON.stringify(file, null, 2)}\n`);
  return file;
}

/** Both alphabets have a power of two letters, so a byte modulo their length is even. */
function pick(random: Random, letters: string, count: number): string {
  return [...random.bytes(count)].map((byte) => letters[byte % letters.length]).join('');
}

function writeDurably(path: string, text: string): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    chmodSync(temporary, 0o600); // A left-over file keeps its old mode.
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
