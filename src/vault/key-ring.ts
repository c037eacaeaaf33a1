/** The file of master keys: readable by the control plane alone, there whole or not at all. */
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { Fault } from '#base/fault.ts';
import { readKeyText } from '#base/key-file.ts';

/** `current` wraps what is new; the others unwrap what is there. */
export type KeyRing = { version: 1; current: string; keys: MasterKey[] };
/** `retiredAt`: since when another one is current. Times in ISO 8601. */
export type MasterKey = { id: string; material: string; createdAt: string; retiredAt?: string };

/** undefined when there is none. */
export function readKeyRing(path: string): KeyRing | undefined {
  const text = readKeyText(path);
  if (text === undefined) return undefined;
  const ring = parse(text);
  // Never the text itself: it holds keys.
  if (ring === undefined)
    throw new Fault('Internal', `the key file ${path} is damaged: restore it, what it encrypted can't be read without it`);
  return ring;
}

function parse(text: string): KeyRing | undefined {
  let ring: Partial<KeyRing>;
  try {
    ring = JSON.parse(text) as Partial<KeyRing>;
  } catch {
    return undefined;
  }
  const whole =
    ring?.version === 1 &&
    typeof ring.current === 'string' &&
    Array.isArray(ring.keys) &&
    ring.keys.every((key) => /^[0-9a-f]{16}$/.test(key?.id ?? '') && Buffer.from(String(key.material), 'base64').length === 32);
  return whole ? (ring as KeyRing) : undefined;
}

/** Never over one that is there. */
export function writeKeyRing(path: string, ring: KeyRing): void {
  const temporary = writeBeside(path, ring);
  linkSync(temporary, path);
  rmSync(temporary);
  syncFolder(path);
}

/** In place of the one that is there: whoever reads it, whenever, has the one or the other whole. */
export function replaceKeyRing(path: string, ring: KeyRing): void {
  renameSync(writeBeside(path, ring), path);
  syncFolder(path);
}

function writeBeside(path: string, ring: KeyRing): string {
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(file, `${JSON.stringify(ring, null, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return temporary;
}

function syncFolder(path: string): void {
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
