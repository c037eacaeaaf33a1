import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { lstat, realpath, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { Fault } from '#base/fault.ts';
import type { Client } from '../client.ts';
import { clusterOption, exitCodes } from '../command.ts';
import type { Command } from '../command.ts';
import { placeOf, sideOf } from '../copy-place.ts';
import type { Kind } from '../copy-place.ts';
import { askCopier } from '../copy-session.ts';
import type { CopyTarget } from '../copy-session.ts';
import { findTasks } from '../tasks.ts';

export const cp: Command = {
  name: 'cp',
  section: 'Run things',
  summary: 'copy files between a container that runs and here',
  about:
    'As docker cp: a file or a directory, NAME:PATH on one side. A directory goes into one that is there, under its own name; SOURCE/. stands for what is in it. - is a ' +
    'tar archive on standard output, or on standard input. The image needs no tar. The task must have been started with enableExecuteCommand, as berth run does.',
  positionals: [
    { name: 'SOURCE', required: true, summary: 'NAME:PATH (a name of berth ps, or the beginning of a task id), a local path, or -' },
    { name: 'TARGET', required: true, summary: 'the other side' },
  ],
  options: [
    { name: 'archive', short: 'a', summary: 'keep owners (by number); else what comes in is root’s, and what goes out yours' },
    { name: 'follow-link', short: 'L', summary: 'of SOURCE, where it is a link: what it leads to' },
    { name: 'container', short: 'c', value: 'NAME', summary: 'which container, where the task has several essential ones' },
    clusterOption,
  ],
  examples: [
    { command: 'berth cp site/. web:/srv', note: 'what is in site into /srv' },
    { command: 'berth cp web:/var/log/app.log .', note: 'a file to here' },
    { command: 'berth cp web:/etc - | tar tv', note: 'a directory as an archive' },
  ],
  async run(args, context) {
    const [source, target] = [sideOf(args.positional('SOURCE') ?? ''), sideOf(args.positional('TARGET') ?? '')];
    const name = source.task ?? target.task;
    if (name === null || (source.task !== null && target.task !== null)) {
      throw new Fault('InvalidParameter', 'one side must be NAME:PATH, and the other a local path or -', { details: { usage: true } });
    }
    const client = await context.connect();
    const tasks = await findTasks(client, args.text('cluster') ?? 'default', name, { stopped: false });
    const task = tasks.find((candidate) => candidate.status === 'RUNNING');
    if (task === undefined) throw new Fault('ResourceNotFound', `'${name}' does not run yet: it is ${String(tasks[0]?.status)}`);
    const copy: Copy = {
      client,
      inside: { taskId: task.id, container: args.text('container') },
      owners: args.has('archive'),
      follow: args.has('follow-link'),
    };
    await (source.task === null ? copyIn(copy, source.path, target.path) : copyOut(copy, source.path, target.path));
    return exitCodes.ok;
  },
};

type Copy = { client: Client; inside: CopyTarget; owners: boolean; follow: boolean };

async function copyIn(copy: Copy, source: string, target: string): Promise<void> {
  const { client, inside, owners } = copy;
  const into = (dir: string, name: string, input: () => Readable) =>
    askCopier(client, inside, ['in', dir, name, ...(owners ? ['owners'] : [])], { input });
  const there = (await lookInside(copy, target)).target;
  if (source === '-') {
    if (there !== 'directory') throw new Fault('InvalidParameter', `'${target}' is not a directory in the container`);
    return void (await into(target, '', () => process.stdin));
  }
  const through = copy.follow || /\/\.?$/.test(source);
  const kind = await localKind(source, !through);
  if (kind === 'missing') throw new Fault('ResourceNotFound', `'${source}' does not exist`);
  const { dir, name } = placeOf({ kind, path: source }, { path: target, kind: there });
  const whole = through || /(^|\/)\.{1,2}$/.test(source) ? await realpath(source) : resolve(source);
  const [from, what] = name === '' ? [whole, '.'] : [dirname(whole), `./${basename(whole)}`];
  // Begun no sooner than it is read: what a process that has ended left in its pipe is thrown away by Node.
  const begin = () => spawn('tar', ['-c', '-f', '-', '--numeric-owner', '-C', from, '--', what], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ends: Promise<void>[] = [];
  const read = () => {
    const tar = begin();
    ends.push(endOf(tar));
    return tar.stdout;
  };
  await into(dir, name, read);
  await Promise.all(ends);
}

async function copyOut(copy: Copy, source: string, target: string): Promise<void> {
  const { client, inside, owners, follow } = copy;
  const out = (name: string, output: Writable) =>
    askCopier(client, inside, ['out', source, name, ...(follow ? ['follow'] : [])], { output });
  const found = await lookInside(copy, source);
  const kind = follow || /\/\.?$/.test(source) ? found.target : found.itself;
  if (kind === 'missing') throw new Fault('ResourceNotFound', `'${source}' does not exist in the container`);
  if (target === '-') {
    if (process.stdout.isTTY) throw new Fault('InvalidParameter', 'an archive is nothing for a terminal: hand it on, as in  | tar x');
    const { name } = placeOf({ kind, path: source }, { path: '.', kind: 'directory' });
    return void (await out(name === '' ? '.' : name, process.stdout));
  }
  const there = await localKind(target, false);
  const { dir, name } = placeOf({ kind, path: source }, { path: there === 'other' ? await realpath(target) : target, kind: there });
  // GNU tar leaves the directory by no name and by no link of the archive's own.
  const words = ['-x', '-p', '-f', '-', '--no-overwrite-dir', '--numeric-owner', owners ? '--same-owner' : '--no-same-owner', '-C', dir];
  const tar = spawn('tar', words, { stdio: ['pipe', 'ignore', 'pipe'] });
  const end = endOf(tar);
  tar.stdin.on('error', () => undefined); // it says itself why it takes no more
  try {
    await out(name === '' ? '.' : name, tar.stdin);
  } finally {
    tar.stdin.end();
  }
  await end;
}

/** What is at a path of the container: the thing itself, and what it leads to where it is a link. */
async function lookInside({ client, inside }: Copy, path: string): Promise<{ itself: Kind; target: Kind }> {
  return JSON.parse(await askCopier(client, inside, ['stat', path])) as { itself: Kind; target: Kind };
}

async function localKind(path: string, isLink: boolean): Promise<Kind> {
  const found = await (isLink ? lstat(path) : stat(path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw new Fault('InvalidParameter', `can't look at '${path}': ${error.message}`, { cause: error });
  });
  if (found === undefined) return 'missing';
  return found.isDirectory() ? 'directory' : 'other';
}

/** Throws with its own words when it failed. Its end may be waited for later. */
function endOf(tar: ChildProcess): Promise<void> {
  let complaint = '';
  tar.stderr?.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => undefined); // where the other side failed, that is what is told
  tar.on('error', (error) => ended.reject(new Fault('Unavailable', `tar can't be run here: ${error.message}`, { cause: error })));
  tar.on('close', (code) =>
    code === 0 ? ended.resolve() : ended.reject(new Fault('InvalidParameter', complaint.trim() || `tar ended with ${String(code)}`)),
  );
  return ended.promise;
}
