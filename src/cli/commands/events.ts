import type { Arguments } from '../arguments.ts';
import type { Answer, Client } from '../client.ts';
import { clusterOption, exitCodes, jsonOption } from '../command.ts';
import type { Command, Context } from '../command.ts';
import { eventSummary } from '../event-lines.ts';
import { createPatience } from '../follow.ts';
import { eventText, mustFindService } from '../services.ts';
import type { ServiceEvent } from '../services.ts';

const FOLLOW_MS = 500;
const DEFAULT_LINES = 20;
/** As many as the platform gives at once. */
const MOST_LINES = 500;

export const events: Command = {
  name: 'events',
  section: 'Run things',
  summary: 'what happened: to all, or to a service and why',
  about:
    "Without NAME the events of tasks, services, deployments, hosts and alarms, and your own (PutEvents), in EventBridge's shapes; kept for a day (up --keep-events). " +
    'With NAME the service events of ECS, oldest first: starts and stops, deployments, failed health checks with their reasons.',
  positionals: [{ name: 'NAME', required: false, summary: 'a service' }],
  options: [
    { name: 'follow', short: 'f', summary: 'go on as events come' },
    { name: 'tail', short: 'n', value: 'N', summary: `last N events (default: ${DEFAULT_LINES}; of a service the newest 100 are kept)` },
    { name: 'source', value: 'TEXT', summary: 'only of this source: aws.ecs, aws.cloudwatch, your own' },
    { name: 'type', value: 'TEXT', summary: 'only of this detail-type: “ECS Task State Change”' },
    { name: 'pattern', value: 'JSON', summary: 'only what this event pattern matches, as a rule has it' },
    clusterOption,
    jsonOption,
  ],
  examples: [
    { command: 'berth events -f', note: 'all that happens' },
    { command: 'berth events web -f', note: 'watch a deployment from a second terminal' },
    { command: `berth events -f --pattern '{"detail":{"lastStatus":["STOPPED"]}}'`, note: 'which tasks end, and why' },
  ],
  async run(args, context) {
    const client = await context.connect();
    const name = args.positional('NAME');
    const next = name === undefined ? allEvents(args, context, client) : serviceEvents(args, context, client, name);
    await next();
    const patient = createPatience(context);
    while (args.has('follow')) {
      // Ctrl-C is how a follow ends.
      if (!context.signal.aborted) await context.clock.sleep(FOLLOW_MS);
      if (context.signal.aborted) return exitCodes.interrupted;
      await patient(next);
    }
    return exitCodes.ok;
  },
};

/** Shows the last ones, then each time what came since. */
function allEvents(args: Arguments, { terminal }: Context, client: Client): () => Promise<void> {
  const [source, detailType, pattern] = [args.text('source'), args.text('type'), args.text('pattern')];
  const limit = args.integer('tail', { min: 0, max: MOST_LINES }) ?? DEFAULT_LINES;
  const json = args.has('json');
  let after: number | undefined;
  const filter = {
    ...(source === undefined ? {} : { source }),
    ...(detailType === undefined ? {} : { detailType }),
    ...(pattern === undefined ? {} : { pattern }),
  };
  return async () => {
    for (;;) {
      const since: Record<string, number> = after === undefined ? { limit } : { after };
      const answer: Answer = await client.call('berth', 'ListEvents', { ...since, ...filter });
      for (const { event } of answer.events) {
        const time = String(event.time).replace('T', ' ').replace('Z', '');
        if (json) terminal.line(JSON.stringify(event));
        else terminal.line(`${terminal.style('dim', time)}  ${terminal.style('dim', event.source)}  ${eventSummary(event)}`);
      }
      const isAll = after === undefined || answer.next === after;
      after = answer.next;
      if (isAll) return;
    }
  };
}

function serviceEvents(args: Arguments, context: Context, client: Client, name: string): () => Promise<void> {
  const cluster = args.text('cluster') ?? 'default';
  const json = args.has('json');
  const seen = new Set<string>();
  let last = args.integer('tail', { min: 0, max: 100 }) ?? DEFAULT_LINES;
  return async () => {
    const service = await mustFindService(client, cluster, name);
    const fresh = service.events.filter((event) => !seen.has(event.id)).slice(0, last);
    for (const event of service.events) seen.add(event.id);
    for (const event of fresh.toReversed()) print(context, name, event, json);
    last = 100;
  };
}

function print(context: Context, service: string, event: ServiceEvent, json: boolean): void {
  const { terminal } = context;
  const time = new Date(event.at).toISOString();
  if (json) terminal.line(JSON.stringify({ time, message: event.message }));
  else terminal.line(`${terminal.style('dim', `${time.slice(0, 10)} ${time.slice(11, 19)}`)}  ${eventText(event, service)}`);
}
