import { isFault } from '#base/fault.ts';
import type { Answer } from '../client.ts';
import { exitCodes, jsonOption } from '../command.ts';
import type { Command, Context } from '../command.ts';
import { formatBytes } from '../format.ts';
import { describeKind, describePool, explainIsolation } from '../isolation.ts';
import type { ProcessStatus } from '../platform.ts';

export const status: Command = {
  name: 'status',
  section: 'The platform',
  summary: 'is it running, where, and with what',
  options: [jsonOption],
  examples: [{ command: 'berth status', note: 'exit code 3 when it isn’t running' }],
  async run(args, context) {
    const processes = await (await context.platform()).processes();
    const seen = await describe(context);
    if (args.has('json')) context.terminal.line(JSON.stringify({ running: seen !== undefined, processes, ...seen }, null, 2));
    else show(context, processes, seen);
    return seen === undefined ? exitCodes.notRunning : exitCodes.ok;
  },
};

async function describe(context: Context): Promise<Answer> {
  try {
    const client = await context.connect();
    const platform = await client.call('berth', 'DescribePlatform', {});
    const { hosts } = await client.call('berth', 'DescribeHosts', {});
    return { platform, hosts };
  } catch (error) {
    if (isFault(error, 'Unavailable') || isFault(error, 'ResourceNotFound')) return undefined;
    throw error;
  }
}

function show(context: Context, processes: ProcessStatus[], seen: Answer): void {
  const { terminal } = context;
  const row = (name: string, value: string) => terminal.line(`${terminal.style('dim', name.padEnd(12))}${value}`);
  row('state', context.state);
  for (const process of processes) {
    row(process.name, process.alive ? `${terminal.style('green', 'runs')}  pid ${process.pid}` : terminal.style('red', 'does not run'));
  }
  if (seen === undefined) {
    terminal.line();
    terminal.line(`berth isn't running here. Start it: sudo ${context.self} up`);
    return;
  }
  const isolation = explainIsolation('auto', seen.hosts, seen.platform.isolation);
  row('isolation', `auto is ${isolation.kind ?? 'nothing'}  ${terminal.style('dim', isolation.why)}`);
  row('API', `${seen.platform.endpointUrl}  (account ${seen.platform.account}, berth ${seen.platform.version})`);
  row('URLs', `http://NAME.localhost:${seen.platform.endpoint.port}`);
  for (const host of seen.hosts) {
    const { usage, info } = host;
    const memory = `${formatBytes(usage.freeMemoryBytes)} of ${formatBytes(info.memoryBytes)} memory free`;
    const load = `${usage.tasks} task(s), load ${usage.loadPercent} %, ${memory}, ${formatBytes(usage.freeDiskBytes)} disk free`;
    row(
      'host',
      `${info.hostname} ${host.status === 'CONNECTED' ? terminal.style('green', 'connected') : terminal.style('red', 'disconnected')}  ${load}`,
    );
    if (info.taskDisks?.limited === false)
      row('', `${terminal.style('red', '!')} tasks can fill the disk: ephemeral storage is not enforced (${info.taskDisks.reason})`);
    for (const kind of info.isolation)
      row(
        '',
        `${kind.works ? terminal.style('green', '✓') : terminal.style('dim', '–')} ${kind.kind.padEnd(10)} ${terminal.style('dim', describeKind(kind))}`,
      );
    for (const pool of usage.sandboxes ?? []) row('', `  ${describePool(pool)}`);
  }
}
