import { clusterOption, exitCodes, jsonOption } from '../command.ts';
import type { Command, Context } from '../command.ts';
import type { Client } from '../client.ts';
import { formatBytes } from '../format.ts';
import { renderTable } from '../table.ts';
import type { Column } from '../table.ts';
import { findTasks, listTasks } from '../tasks.ts';
import type { TaskRow } from '../tasks.ts';
import { lookAt, usageRows } from '../usage.ts';
import type { Look, UsageRow } from '../usage.ts';

const EVERY_MS = 1_000;
/** Tasks that came or went are looked for every so many rounds. */
const ROUNDS_PER_LIST = 3;

export const top: Command = {
  name: 'top',
  section: 'Run things',
  summary: 'what runs and what it uses: CPU, memory, network, disk',
  about: 'Redraws every second until Ctrl-C. With --once, or into a pipe, it looks twice, prints once and ends.',
  positionals: [{ name: 'NAME', required: false, summary: 'only a service, a name of berth ps, or the beginning of a task id' }],
  options: [{ name: 'once', summary: 'print once and end' }, clusterOption, jsonOption],
  examples: [
    { command: 'berth top', note: 'everything that runs' },
    { command: 'berth top web --once --json | jq ".[].cpuPercent"', note: 'for programs' },
  ],
  async run(args, context) {
    const client = await context.connect();
    const cluster = args.text('cluster') ?? 'default';
    const list = () => running(client, cluster, args.positional('NAME'));
    if (args.has('json') || args.has('once') || !context.terminal.interactive) {
      const tasks = await list();
      const before = await lookAt(client, tasks);
      await context.clock.sleep(EVERY_MS);
      const rows = usageRows(tasks, await lookAt(client, tasks), before);
      if (args.has('json')) context.terminal.line(JSON.stringify(rows.map(plain), null, 2));
      else for (const line of lines(context, rows, tasks)) context.terminal.line(line);
      return exitCodes.ok;
    }
    return redraw(client, context, list);
  },
};

async function running(client: Client, cluster: string, name: string | undefined): Promise<TaskRow[]> {
  const all = await listTasks(client, cluster, { stopped: false });
  const ofService = all.filter((task) => name === undefined || task.service === name);
  const tasks = ofService.length > 0 || name === undefined ? ofService : await findTasks(client, cluster, name, { stopped: false });
  return tasks.sort((a, b) => a.name.localeCompare(b.name) || a.createdAt - b.createdAt);
}

async function redraw(client: Client, context: Context, list: () => Promise<TaskRow[]>): Promise<number> {
  const { terminal } = context;
  let before: Look = new Map();
  let tasks: TaskRow[] = [];
  terminal.write('\u001b[2J');
  for (let round = 0; !context.signal.aborted; round++) {
    if (round % ROUNDS_PER_LIST === 0) tasks = await list();
    const now = await lookAt(client, tasks);
    // Home, each line with the rest of the former one cut off, and nothing below the last: no flicker.
    const text = lines(context, usageRows(tasks, now, before), tasks).map((line) => `${line}\u001b[K\n`);
    terminal.write(`\u001b[H${text.join('')}\u001b[J`);
    before = now;
    await context.clock.sleep(EVERY_MS);
  }
  return exitCodes.ok;
}

function lines(context: Context, rows: UsageRow[], tasks: TaskRow[]): string[] {
  const { terminal } = context;
  if (rows.length === 0) return [tasks.length === 0 ? 'Nothing runs.' : `${tasks.length} task(s), none of which tells what it uses yet.`];
  const cpu = rows.reduce((sum, row) => sum + (row.cpuPercent ?? 0), 0);
  const memory = rows.reduce((sum, row) => sum + row.memoryBytes, 0);
  const tasksShown = new Set(rows.map((row) => row.task.id)).size;
  const total = `${tasksShown} task(s), ${rows.length} container(s), ${cpu.toFixed(1)} % CPU, ${formatBytes(memory)} memory`;
  return [terminal.style('bold', total), ...renderTable(columns, rows, terminal.width(), terminal.style)];
}

const rateCell = (bytes: number | null) => (bytes === null ? '' : `${formatBytes(Math.round(bytes))}/s`);

const columns: Column<UsageRow>[] = [
  { title: 'NAME', value: (row) => row.task.name, style: () => 'bold', shrinkTo: 12 },
  { title: 'TASK', value: (row) => row.task.id.slice(0, 8) },
  { title: 'CONTAINER', value: (row) => row.container, shrinkTo: 10 },
  { title: 'CPU %', value: (row) => row.cpuPercent?.toFixed(1) ?? '', align: 'right' },
  { title: 'MEMORY', value: (row) => formatBytes(row.memoryBytes), align: 'right' },
  { title: 'LIMIT', value: (row) => formatBytes(row.memoryLimitBytes), align: 'right', drop: 2 },
  { title: 'RECEIVED', value: (row) => rateCell(row.rx), align: 'right' },
  { title: 'SENT', value: (row) => rateCell(row.tx), align: 'right' },
  { title: 'DISK', value: (row) => (row.diskBytes === null ? '' : formatBytes(row.diskBytes)), align: 'right', drop: 2 },
  { title: 'PIDS', value: (row) => String(row.pids), align: 'right', drop: 1 },
  { title: 'ISOLATION', value: (row) => row.task.isolation, optional: true, drop: 3 },
];

function plain({ task, rx, tx, ...row }: UsageRow): Record<string, unknown> {
  return { task: task.id, name: task.name, ...row, rxBytesPerSecond: rx, txBytesPerSecond: tx };
}
