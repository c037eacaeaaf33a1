import { clusterOption, exitCodes, jsonOption } from '../command.ts';
import type { Command, Context } from '../command.ts';
import { eventText, mustFindService } from '../services.ts';
import type { ServiceEvent } from '../services.ts';

const FOLLOW_MS = 500;
const DEFAULT_LINES = 20;

export const events: Command = {
  name: 'events',
  section: 'Run things',
  summary: 'what happened to a service, and why',
  about: 'The service events of ECS, oldest first: starts and stops, deployments, failed health checks with their reasons.',
  positionals: [{ name: 'NAME', required: true, summary: 'a service' }],
  options: [
    { name: 'follow', short: 'f', summary: 'go on as events come' },
    { name: 'tail', short: 'n', value: 'N', summary: `last N events (default: ${DEFAULT_LINES}; the newest 100 are kept)` },
    clusterOption,
    jsonOption,
  ],
  examples: [{ command: 'berth events web -f', note: 'watch a deployment from a second terminal' }],
  async run(args, context) {
    const client = await context.connect();
    const cluster = args.text('cluster') ?? 'default';
    const name = args.positional('NAME') ?? '';
    const json = args.has('json');
    const seen = new Set<string>();
    const show = async (last: number) => {
      const service = await mustFindService(client, cluster, name);
      const fresh = service.events.filter((event) => !seen.has(event.id)).slice(0, last);
      for (const event of service.events) seen.add(event.id);
      for (const event of fresh.toReversed()) print(context, name, event, json);
    };
    await show(args.integer('tail', { min: 0, max: 100 }) ?? DEFAULT_LINES);
    while (args.has('follow')) {
      // Ctrl-C is how a follow ends.
      if (!context.signal.aborted) await context.clock.sleep(FOLLOW_MS);
      if (context.signal.aborted) return exitCodes.interrupted;
      await show(100);
    }
    return exitCodes.ok;
  },
};

function print(context: Context, service: string, event: ServiceEvent, json: boolean): void {
  const { terminal } = context;
  const time = new Date(event.at).toISOString();
  if (json) terminal.line(JSON.stringify({ time, message: event.message }));
  else terminal.line(`${terminal.style('dim', `${time.slice(0, 10)} ${time.slice(11, 19)}`)}  ${eventText(event, service)}`);
}
