import { exitCodes, jsonOption } from '../command.ts';
import type { Command } from '../command.ts';

export const doctor: Command = {
  name: 'doctor',
  section: 'Start here',
  summary: 'what works on this machine, what is missing, how to get it',
  options: [jsonOption],
  examples: [
    { command: 'berth doctor', note: 'changes nothing; some checks see more as root' },
    { command: 'berth doctor --json | jq \'.[] | select(.status != "ok")\'', note: 'only what isn’t well' },
  ],
  async run(args, context) {
    const { terminal } = context;
    const checks = await (await context.platform()).checks();
    if (args.has('json')) terminal.line(JSON.stringify(checks, null, 2));
    else {
      const width = Math.max(...checks.map((check) => check.name.length)) + 2;
      const marks = { ok: terminal.style('green', '✓'), warn: terminal.style('yellow', '!'), missing: terminal.style('red', '✗') };
      for (const check of checks) {
        terminal.line(`${marks[check.status]} ${check.name.padEnd(width)}${check.detail}`);
        if (check.fix !== undefined) terminal.line(`  ${' '.repeat(width)}${terminal.style('cyan', `→ ${check.fix}`)}`);
      }
      const missing = checks.filter((check) => check.status === 'missing').length;
      terminal.line();
      terminal.line(
        missing === 0 ? `Ready: sudo ${context.self} up` : `${missing} thing(s) missing; what can be installed: sudo ${context.self} setup`,
      );
    }
    return checks.some((check) => check.status === 'missing') ? exitCodes.failed : exitCodes.ok;
  },
};
