import { exitCodes } from '../command.ts';
import type { Command } from '../command.ts';

export const setup: Command = {
  name: 'setup',
  section: 'The platform',
  summary: 'install what a bare machine lacks and build the supervisor',
  about:
    'Debian packages (HAProxy, nftables, CA certificates, QEMU, and a Rust compiler unless there is one), the supervisor, the system users ' +
    'berth and berth-vm, the kernel that microVMs boot. The packages’ own services are not started. Safe to run again. up and demo do this by themselves.',
  options: [],
  examples: [{ command: 'sudo berth setup', note: 'once, or after an update of the sources' }],
  async run(_args, context) {
    await (await context.platform()).setUp(context.steps, { quiet: false });
    return exitCodes.ok;
  },
};
