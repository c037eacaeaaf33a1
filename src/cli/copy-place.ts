/** Where a copy goes and what it is called there, as `docker cp` (and cp -a) have it (Docker CLI reference, "docker container cp"). Pure. */
import { posix } from 'node:path';
import { Fault } from '#base/fault.ts';

export type Kind = 'directory' | 'other' | 'missing';

export type Source = {
  kind: 'directory' | 'other';
  /** As it was given. */
  path: string;
};

/** `name`: what the source is called in the directory `dir`; '': its contents go there. */
export type Place = { dir: string; name: string };

/** Throws InvalidParameter. `target`: as it was given, and what is there. */
export function placeOf(source: Source, target: { path: string; kind: Kind }): Place {
  const there: Place = { dir: posix.dirname(plain(target.path)), name: posix.basename(plain(target.path)) };
  const wantsDirectory = /\/\.?$/.test(target.path);
  if (target.kind === 'missing') {
    if (wantsDirectory && source.kind !== 'directory') throw wrong(`the directory '${target.path}' does not exist`);
    return there;
  }
  if (target.kind === 'other') {
    if (source.kind === 'directory') throw wrong(`'${source.path}' is a directory, and '${target.path}' is none`);
    if (wantsDirectory) throw wrong(`'${target.path}' is not a directory`);
    return there;
  }
  const name = posix.basename(plain(source.path));
  const contents = source.kind === 'directory' && (/(^|\/)\.$/.test(source.path) || name === '');
  return { dir: target.path, name: contents ? '' : name };
}

/** Which side is a task's: `NAME:PATH`; what begins with / or . is always a local path. */
export function sideOf(text: string): { task: string; path: string } | { task: null; path: string } {
  const colon = text.indexOf(':');
  if (colon < 1 || /^[./]/.test(text)) return { task: null, path: text };
  // A container's paths begin at its root, as with docker cp.
  const path = text.slice(colon + 1);
  if (path === '') throw wrong(`'${text}' names no path: ${text}/PATH`);
  return { task: text.slice(0, colon), path: path.startsWith('/') ? path : `/${path}` };
}

function plain(path: string): string {
  return path.replace(/(\/\.?)+$/, '') || (path.startsWith('/') ? '/' : '.');
}

function wrong(message: string): Fault {
  return new Fault('InvalidParameter', message);
}
