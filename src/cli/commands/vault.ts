import { exitCodes, jsonOption } from '../command.ts';
import type { Command } from '../command.ts';
import type { Answer } from '../client.ts';
import { formatAge } from '../format.ts';
import { printTable } from '../table.ts';

const POLL_MS = 200;

const ls: Command = {
  name: 'vault ls',
  section: 'The platform',
  summary: 'list the master keys that secrets are encrypted under',
  about: 'Keys themselves are in STATE/vault/master.json and are never shown.',
  options: [jsonOption],
  examples: [{ command: 'berth vault ls', note: 'an old key goes 36 hours after its last value: so long temporary credentials may last' }],
  async run(args, context) {
    const { keys } = await (await context.connect()).call('berth', 'ListMasterKeys', {});
    const now = context.clock.now();
    if (args.has('json')) context.terminal.line(JSON.stringify(keys, null, 2));
    else printTable(context.terminal, columns(now), keys);
    return exitCodes.ok;
  },
};

function columns(now: number) {
  const stateOf = ({ retiredAt, inUse }: Answer) => (retiredAt === null ? 'current' : inUse ? 'being replaced' : 'retired');
  return [
    { title: 'KEY', value: (key: Answer) => String(key.id), style: () => 'bold' as const },
    { title: 'STATE', value: stateOf },
    { title: 'AGE', value: (key: Answer) => formatAge(now - key.createdAt), align: 'right' as const },
  ];
}

const rotate: Command = {
  name: 'vault rotate',
  section: 'The platform',
  summary: 'make a new master key, and wrap every secret’s key by it',
  about: 'Values stay as they are and can be read all the while. Cut off at any point, it goes on with the next start of the platform.',
  options: [jsonOption],
  examples: [{ command: 'berth vault rotate', note: 'keep a copy of STATE/vault: without it nothing that it encrypted can be read' }],
  async run(args, context) {
    const client = await context.connect();
    const { id } = await client.call('berth', 'RotateMasterKey', {});
    for (;;) {
      const { keys } = await client.call('berth', 'ListMasterKeys', {});
      if (!keys.some((key: Answer) => key.retiredAt !== null && key.inUse)) break;
      await context.clock.sleep(POLL_MS);
    }
    context.terminal.line(args.has('json') ? JSON.stringify({ id }) : `Everything is under the new master key ${id}.`);
    return exitCodes.ok;
  },
};

export const vaultCommands: Command[] = [ls, rotate];
