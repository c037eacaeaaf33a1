import { exitCodes, jsonOption } from '../command.ts';
import type { Command } from '../command.ts';
import { silentSteps } from '../steps.ts';

export const install: Command = {
  name: 'install',
  section: 'The platform',
  summary: 'start berth whenever the machine boots, by systemd (needs root)',
  about:
    'Writes and enables a unit that runs berth up with the options that the last up was given, and starts it. systemd then also starts berth ' +
    'again should its keeper be killed; berth down stays down until the next boot. Tasks don’t notice: systemctl restart leaves them running.',
  options: [
    { name: 'remove', summary: 'take the unit away again; what runs goes on' },
    { name: 'print', summary: 'show the unit, and change nothing' },
    jsonOption,
  ],
  examples: [
    { command: 'sudo berth install', note: 'once' },
    { command: 'berth install --print', note: 'what would be written' },
    { command: 'sudo berth install --remove', note: 'no longer at boot' },
  ],
  async run(args, context) {
    const { terminal } = context;
    const platform = await context.platform();
    if (args.has('print')) {
      terminal.write(platform.bootUnit());
      return exitCodes.ok;
    }
    platform.requireRoot('install');
    const steps = args.has('json') ? silentSteps : context.steps;
    const remove = args.has('remove');
    const result = await (remove ? platform.uninstall(steps) : platform.install(steps));
    if (args.has('json')) terminal.line(JSON.stringify(result));
    else if (!remove) terminal.line(`berth starts at boot (${result.path}).`);
    else terminal.line(result.changed ? 'berth no longer starts at boot. What runs goes on.' : `There was no ${result.unit}.`);
    return exitCodes.ok;
  },
};
