import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Answer } from '../client.ts';
import { exitCodes, jsonOption } from '../command.ts';
import { silentSteps } from '../steps.ts';
import type { Command, Context } from '../command.ts';
import { formatAge, formatBytes } from '../format.ts';
import { describeProgress, pullImage, shortDigest } from '../launch.ts';
import type { PulledImage } from '../launch.ts';
import { printTable } from '../table.ts';

const ls: Command = {
  name: 'image ls',
  section: 'Images',
  summary: 'list images on this machine',
  options: [jsonOption],
  examples: [{ command: 'berth image ls', note: 'names, sizes, and how many tasks use them' }],
  async run(args, context) {
    const { images } = await (await context.connect()).call('berth', 'ListImages', {});
    if (args.has('json')) context.terminal.line(JSON.stringify(images, null, 2));
    else if (images.length === 0)
      context.terminal.line('No images yet. Bring one: berth image pull nginx, or berth image import FILE --name REF');
    else printTable(context.terminal, columns(context.clock.now()), images);
    return exitCodes.ok;
  },
};

function columns(now: number) {
  return [
    { title: 'IMAGE', value: (image: Answer) => image.refs.join(' ') || '(no name)', style: () => 'bold' as const, shrinkTo: 16 },
    { title: 'DIGEST', value: (image: Answer) => shortDigest(image.digest) },
    { title: 'SIZE', value: (image: Answer) => formatBytes(image.sizeBytes), align: 'right' as const },
    { title: 'UNPACKED', value: (image: Answer) => formatBytes(image.unpackedBytes), align: 'right' as const },
    { title: 'PULLED', value: (image: Answer) => `${formatAge(now - image.pulledAt)} ago`, align: 'right' as const },
    { title: 'TASKS', value: (image: Answer) => String(image.usedBy.length), align: 'right' as const },
  ];
}

const pull: Command = {
  name: 'image pull',
  section: 'Images',
  summary: 'fetch an image from its registry',
  about:
    'Any OCI or Docker registry. Credentials come from the Docker configuration of the host agent’s user (root): docker login, or a credential ' +
    'helper. A tag that is here already is asked for again.',
  positionals: [{ name: 'REF', required: true, summary: 'image: nginx, ghcr.io/me/app:1.2, registry:5000/app@sha256:...' }],
  options: [jsonOption],
  examples: [{ command: 'berth image pull docker.io/library/nginx:1.27', note: 'so that a later run touches no registry' }],
  async run(args, context) {
    const client = await context.connect();
    const quiet = args.has('json') ? { ...context, steps: silentSteps } : context;
    const image = await pullImage(client, quiet, args.positional('REF') ?? '', 'always');
    if (args.has('json')) context.terminal.line(JSON.stringify(image, null, 2));
    return exitCodes.ok;
  },
};

const importCommand: Command = {
  name: 'image import',
  section: 'Images',
  summary: 'take in an image from a file',
  about:
    'OCI layouts (tar), docker archives (docker save) and plain root file system tars; each also gzip or zstd. The kind is recognised.',
  positionals: [{ name: 'FILE', required: true, summary: 'the archive, or - for standard input' }],
  options: [{ name: 'name', short: 'n', value: 'REF', summary: 'what to call it (required)' }, jsonOption],
  examples: [
    { command: 'docker save app:dev | berth image import - --name app:dev', note: 'from Docker, without a registry' },
    { command: 'berth image import rootfs.tar.zst --name base:1', note: 'a plain root file system' },
  ],
  async run(args, context) {
    const name = args.text('name');
    if (name === undefined)
      throw new Fault('InvalidParameter', 'berth image import needs a name for the image: --name REF', { details: { usage: true } });
    const file = args.positional('FILE') ?? '-';
    const image = args.has('json') ? await importImage(context, file, name, () => undefined) : await importStep(context, file, name);
    if (args.has('json')) context.terminal.line(JSON.stringify(image, null, 2));
    return exitCodes.ok;
  },
};

/** Also the way of `demo`, for the image that it builds. */
export async function importStep(context: Context, file: string, name: string): Promise<PulledImage> {
  return context.steps.run(
    `Imported as ${name}`,
    (progress) => importImage(context, file, name, progress),
    (image) => `${shortDigest(image.digest)}, ${formatBytes(image.sizeBytes)}`,
  );
}

async function importImage(context: Context, file: string, name: string, progress: (detail: string) => void): Promise<PulledImage> {
  if (file !== '-') await checkFile(file);
  const client = await context.connect();
  const body = file === '-' ? process.stdin : createReadStream(file);
  const totals = new Map<string, { bytes: number; total: number }>();
  for await (const line of client.stream('POST', '/_berth/images/import', { ref: name }, body)) {
    if (line.image !== undefined) return line.image;
    if (line.progress !== undefined) progress(describeProgress(line.progress, totals));
  }
  throw new Fault('Unavailable', `the import of ${file} ended without an answer; try again`);
}

async function checkFile(file: string): Promise<void> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new Fault('InvalidParameter', `'${file}' can't be read: ${error.code === 'ENOENT' ? 'there is no such file' : error.message}`);
  });
  if (found.isDirectory())
    throw new Fault('InvalidParameter', `'${file}' is a directory: pack it, tar -C ${file} -c . | berth image import - --name REF`);
  if (found.size > limits.importBytes)
    throw new Fault('LimitExceeded', `'${file}' is ${formatBytes(found.size)}; at most ${formatBytes(limits.importBytes)} can be imported`);
}

const rm: Command = {
  name: 'image rm',
  section: 'Images',
  summary: 'remove an image',
  positionals: [{ name: 'REF', required: true, summary: 'name or digest, as berth image ls shows it' }],
  options: [jsonOption],
  examples: [{ command: 'berth image rm nginx', note: 'refused while a task uses it' }],
  async run(args, context) {
    const ref = args.positional('REF') ?? '';
    const { freedBytes } = await (await context.connect()).call('berth', 'RemoveImage', { image: ref });
    context.terminal.line(
      args.has('json') ? JSON.stringify({ image: ref, freedBytes }) : `Removed ${ref}: ${formatBytes(freedBytes)} freed.`,
    );
    return exitCodes.ok;
  },
};

const prune: Command = {
  name: 'image prune',
  section: 'Images',
  summary: 'remove what nothing uses',
  options: [{ name: 'all', short: 'a', summary: 'named images too, as long as no task uses them' }, jsonOption],
  examples: [{ command: 'berth image prune --all', note: 'keeps only what running tasks need' }],
  async run(args, context) {
    const { removed, freedBytes } = await (await context.connect()).call('berth', 'PruneImages', { all: args.has('all') });
    if (args.has('json')) context.terminal.line(JSON.stringify({ removed, freedBytes }));
    else
      context.terminal.line(
        removed.length === 0 ? 'Nothing to remove.' : `Removed ${removed.length} image(s): ${formatBytes(freedBytes)} freed.`,
      );
    return exitCodes.ok;
  },
};

export const imageCommands: Command[] = [ls, pull, importCommand, rm, prune];
