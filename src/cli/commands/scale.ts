import { Fault } from '#base/fault.ts';
import { clusterOption, exitCodes, jsonOption } from '../command.ts';
import type { Command } from '../command.ts';
import { mustFindService, waitSteady } from '../services.ts';
import { silentSteps } from '../steps.ts';

const MOST = 5000;

export const scale: Command = {
  name: 'scale',
  section: 'Run things',
  summary: 'set how many tasks of a service run',
  about:
    'Changes the desired count, and waits until so many run. Scaling in drains connections first. Scaling to 0 keeps the name, the URL and the definition.',
  positionals: [
    { name: 'NAME', required: true, summary: 'a service: what berth run --port made, or any of the cluster' },
    { name: 'COUNT', required: true, summary: `how many (0 to ${MOST})` },
  ],
  options: [{ name: 'no-wait', summary: 'return at once' }, clusterOption, jsonOption],
  examples: [
    { command: 'berth scale web 4', note: 'four tasks behind the URL' },
    { command: 'berth scale web 0', note: 'nothing runs; the URL says so' },
  ],
  async run(args, context) {
    const client = await context.connect();
    const cluster = args.text('cluster') ?? 'default';
    const name = args.positional('NAME') ?? '';
    const count = countOf(args.positional('COUNT') ?? '');
    await mustFindService(client, cluster, name);
    await client.call('ecs', 'UpdateService', { cluster, service: name, desiredCount: count });
    const json = args.has('json');
    if (args.has('no-wait')) {
      if (json) context.terminal.line(JSON.stringify({ name, desired: count }));
      else context.terminal.line(`${name} will have ${count} task${count === 1 ? '' : 's'}.`);
      return exitCodes.ok;
    }
    const steps = json ? silentSteps : context.steps;
    const service = await steps.run(
      `${name} at ${count}`,
      (progress) => waitSteady(client, context, cluster, name, progress),
      (now) => `${now.running} running`,
    );
    if (json) context.terminal.line(JSON.stringify({ name, desired: service.desired, running: service.running }));
    return exitCodes.ok;
  },
};

function countOf(text: string): number {
  if (/^\d{1,4}$/.test(text) && Number(text) <= MOST) return Number(text);
  throw new Fault('InvalidParameter', `COUNT must be a whole number from 0 to ${MOST}; it is '${text}'`, { details: { usage: true } });
}
