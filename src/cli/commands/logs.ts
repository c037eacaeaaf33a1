import { Fault } from '#base/fault.ts';
import { clusterOption, exitCodes, jsonOption } from '../command.ts';
import type { Command, Context } from '../command.ts';
import type { Arguments } from '../arguments.ts';
import type { Client } from '../client.ts';
import { parseDuration } from '../format.ts';
import { createPatience } from '../follow.ts';
import { follow, logSources, tailLines } from '../log-lines.ts';
import type { LogLine, LogSource } from '../log-lines.ts';
import type { Style } from '../terminal.ts';
import { findTasks } from '../tasks.ts';

const FOLLOW_MS = 200;
/** How often a follow looks for tasks that came or went, in rounds of FOLLOW_MS. */
const ROUNDS_PER_LOOK = 10;
const DEFAULT_TAIL = 100;

export const logs: Command = {
  name: 'logs',
  section: 'Run things',
  summary: 'show what a task printed',
  about:
    'Reads the CloudWatch log streams of the newest tasks of NAME, or of one task; of containers without awslogs the last 256 KiB that the host remembers. With -f it goes on until they end or you press Ctrl-C.',
  positionals: [{ name: 'NAME', required: true, summary: 'a name of berth ps, or the beginning of a task id' }],
  options: [
    { name: 'follow', short: 'f', summary: 'go on as lines come' },
    { name: 'tail', short: 'n', value: 'N', summary: `last N lines (default: ${DEFAULT_TAIL})` },
    { name: 'since', value: 'TIME', summary: 'only what is younger: 90s, 10m, 2h, 1d' },
    { name: 'container', value: 'NAME', summary: 'only what this container printed' },
    { name: 'timestamps', short: 't', summary: 'a time before each line' },
    clusterOption,
    jsonOption,
  ],
  examples: [
    { command: 'berth logs web -f', note: 'follow all tasks of web' },
    { command: 'berth logs web -f --container app', note: 'only the container app of each' },
    { command: 'berth logs 3f2a91c0 --tail 20', note: 'the last lines of one task, also after it ended' },
    { command: 'aws logs tail /berth/web --follow', note: 'the same through the AWS CLI' },
  ],
  async run(args, context) {
    const client = await context.connect();
    const first = { limit: args.integer('tail', { min: 0, max: 10_000 }) ?? DEFAULT_TAIL, ...since(args, context) };
    if (args.has('follow')) return followAll(client, context, args, first);
    const sources = await find(client, args);
    print(context, args, await tailLines(client, sources, first), sources.length > 1);
    return exitCodes.ok;
  },
};

function since(args: Arguments, context: Context): { since?: number } {
  const given = args.text('since');
  if (given === undefined) return {};
  const duration = parseDuration(given);
  if (duration === undefined)
    throw new Fault('InvalidParameter', `--since '${given}' must be a time such as 90s, 10m, 2h or 1d`, { details: { usage: true } });
  return { since: context.clock.now() - duration };
}

async function find(client: Client, args: Arguments): Promise<LogSource[]> {
  const tasks = await findTasks(client, args.text('cluster') ?? 'default', args.positional('NAME') ?? '', { stopped: true });
  const running = tasks.filter((task) => task.status !== 'STOPPED');
  // Of tasks that all ended, the newest is what the user means.
  const sources = await logSources(client, running.length > 0 ? running : tasks.slice(0, 1));
  const container = args.text('container');
  if (container === undefined) return sources;
  const names = [...new Set(sources.map((source) => source.container))];
  if (!names.includes(container)) {
    throw new Fault('ResourceNotFound', `no container '${container}'; there are: ${names.join(', ') || 'none'}`);
  }
  return sources.filter((source) => source.container === container);
}

async function followAll(client: Client, context: Context, args: Arguments, first: { limit: number; since?: number }): Promise<number> {
  const followed = new Map<string, { source: LogSource; next(): Promise<LogLine[]> }>();
  const leaving = new Set<string>();
  const patient = createPatience(context);
  const look = async (begin: { limit: number; since?: number }): Promise<boolean> => {
    const sources = await find(client, args);
    const here = new Set(sources.map((source) => source.stream));
    for (const stream of followed.keys()) {
      // Its last lines are read until the next look.
      if (leaving.has(stream)) followed.delete(stream);
      else if (!here.has(stream)) leaving.add(stream);
    }
    for (const source of sources) {
      if (followed.has(source.stream) || leaving.has(source.stream)) continue;
      followed.set(source.stream, { source, ...follow(client, source, begin) });
    }
    return sources.some((source) => source.task.status !== 'STOPPED');
  };
  let alive = await look(first);
  for (let round = 1; ; round++) {
    const lines = (await Promise.all([...followed.values()].map((one) => patient(() => one.next())))).flat();
    print(
      context,
      args,
      lines.sort((a, b) => a.time - b.time),
      followed.size > 1,
    );
    if (!alive && lines.length === 0) return exitCodes.ok;
    // Ctrl-C is how a follow ends.
    if (!context.signal.aborted) await context.clock.sleep(FOLLOW_MS);
    if (context.signal.aborted) return exitCodes.interrupted;
    if (round % ROUNDS_PER_LOOK === 0) alive = await patient(() => look({ limit: 10_000 }));
  }
}

const COLOURS: Style[] = ['cyan', 'green', 'yellow', 'magenta', 'blue'];

/** The same for all lines of a task, another one for most others. */
function colourOf(taskId: string): Style {
  return COLOURS[Number.parseInt(taskId.slice(0, 4), 16) % COLOURS.length] ?? 'cyan';
}

function print(context: Context, args: Arguments, lines: LogLine[], several: boolean): void {
  const { terminal } = context;
  for (const { time, text, source } of lines) {
    if (args.has('json')) {
      terminal.line(JSON.stringify({ time, task: source.task.id, container: source.container, text }));
      continue;
    }
    const who = several ? `${terminal.style(colourOf(source.task.id), `${source.task.id.slice(0, 8)} ${source.container}`)}  ` : '';
    const when = args.has('timestamps') ? `${terminal.style('dim', new Date(time).toISOString())}  ` : '';
    terminal.line(`${who}${when}${text}`);
  }
}
