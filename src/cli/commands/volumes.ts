import { Fault } from '#base/fault.ts';
import type { Answer, Client } from '../client.ts';
import { exitCodes, jsonOption } from '../command.ts';
import type { Command } from '../command.ts';
import { formatAge, formatBytes } from '../format.ts';
import { printTable } from '../table.ts';

const ls: Command = {
  name: 'volumes ls',
  section: 'Volumes',
  summary: 'list volumes, with what they take and who has them',
  about:
    'Named volumes (berth run --volume, dockerVolumeConfiguration), and those that were made for tasks (volumes configured at launch) or by aws ec2 create-volume.',
  options: [jsonOption],
  examples: [{ command: 'berth volumes ls', note: 'USED is what a volume takes of its host’s disk, SIZE what it may grow to' }],
  async run(args, context) {
    const volumes = await listVolumes(await context.connect());
    if (args.has('json')) context.terminal.line(JSON.stringify(volumes, null, 2));
    else if (volumes.length === 0) context.terminal.line('No volumes yet. Make one: berth run --image IMAGE --volume NAME:/path');
    else printTable(context.terminal, columns(context.clock.now()), volumes);
    return exitCodes.ok;
  },
};

async function listVolumes(client: Client): Promise<Answer[]> {
  return (await client.call('berth', 'ListVolumes', {})).volumes;
}

const nameOf = (volume: Answer): string => volume.name ?? volume.volumeId;

function columns(now: number) {
  return [
    { title: 'NAME', value: nameOf, style: () => 'bold' as const, shrinkTo: 16 },
    { title: 'STATE', value: (volume: Answer) => String(volume.state) },
    { title: 'USED', value: (volume: Answer) => (volume.bytes === null ? '-' : formatBytes(volume.bytes)), align: 'right' as const },
    { title: 'SIZE', value: (volume: Answer) => formatBytes(volume.sizeGib * 1024 ** 3), align: 'right' as const },
    { title: 'AGE', value: (volume: Answer) => formatAge(now - volume.createdAt), align: 'right' as const },
    { title: 'USED BY', value: (volume: Answer) => usersOf(volume).join(' ') || '-', shrinkTo: 12 },
  ];
}

function usersOf(volume: Answer): string[] {
  return volume.usedBy.map((user: Answer) => `${user.service ?? user.family}/${user.task.slice(0, 8)}`);
}

const inspect: Command = {
  name: 'volumes inspect',
  section: 'Volumes',
  summary: 'everything that berth knows of a volume, as JSON',
  positionals: [{ name: 'NAME', required: true, summary: 'name or id, as berth volumes ls shows it' }],
  options: [],
  examples: [{ command: 'berth volumes inspect data | jq ".[0].usedBy"', note: 'the tasks that have it' }],
  async run(args, context) {
    const name = args.positional('NAME') ?? '';
    const volume = (await listVolumes(await context.connect())).find((one) => one.name === name || one.volumeId === name);
    if (volume === undefined)
      throw new Fault('ResourceNotFound', `there is no volume '${name}': berth volumes ls shows those that are here`);
    context.terminal.line(JSON.stringify([volume], null, 2));
    return exitCodes.ok;
  },
};

const rm: Command = {
  name: 'volumes rm',
  section: 'Volumes',
  summary: 'remove a volume and what is in it',
  positionals: [{ name: 'NAME', required: true, summary: 'name or id, as berth volumes ls shows it' }],
  options: [jsonOption],
  examples: [{ command: 'berth volumes rm data', note: 'refused while a task has it' }],
  async run(args, context) {
    const removed = await (await context.connect()).call('berth', 'RemoveVolume', { volume: args.positional('NAME') ?? '' });
    context.terminal.line(args.has('json') ? JSON.stringify(removed) : `Removed ${nameOf(removed)}.`);
    return exitCodes.ok;
  },
};

const prune: Command = {
  name: 'volumes prune',
  section: 'Volumes',
  summary: 'remove named volumes that no task has',
  options: [{ name: 'all', short: 'a', summary: 'volumes without a name too' }, jsonOption],
  examples: [{ command: 'berth volumes prune', note: 'what is in them is gone for good' }],
  async run(args, context) {
    const { removed, freedBytes } = await (await context.connect()).call('berth', 'PruneVolumes', { all: args.has('all') });
    if (args.has('json')) context.terminal.line(JSON.stringify({ removed, freedBytes }));
    else if (removed.length === 0) context.terminal.line('Nothing to remove.');
    else context.terminal.line(`Removed ${removed.join(', ')}: ${formatBytes(freedBytes)} freed.`);
    return exitCodes.ok;
  },
};

export const volumeCommands: Command[] = [ls, inspect, rm, prune];
