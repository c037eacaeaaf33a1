import { readFileSync } from 'node:fs';
import { Fault, asFault } from '#base/fault.ts';
import type { Arguments } from '../arguments.ts';
import type { Answer } from '../client.ts';
import { exitCodes, jsonOption } from '../command.ts';
import type { Command } from '../command.ts';
import { parseDuration } from '../format.ts';
import { printTable } from '../table.ts';
import type { Column } from '../table.ts';

const amounts = ['vcpuSeconds', 'gbSeconds', 'ephemeralGbHours', 'volumeGbHours', 'fileSystemGbHours'] as const;
type Amount = (typeof amounts)[number];
type Row = { name: string; tasks: number; cost?: number } & Record<Amount, number>;

/** Members of the file of prices, and by how much of an amount each is for. */
const prices: Record<string, { amount: Amount; of: number }> = {
  vcpuHour: { amount: 'vcpuSeconds', of: 3600 },
  gbHour: { amount: 'gbSeconds', of: 3600 },
  ephemeralGbHour: { amount: 'ephemeralGbHours', of: 1 },
  volumeGbMonth: { amount: 'volumeGbHours', of: 730 },
  fileSystemGbMonth: { amount: 'fileSystemGbHours', of: 730 },
};

export const usage: Command = {
  name: 'usage',
  section: 'Run things',
  summary: 'vCPU, memory and storage used, by task, service, cluster, tag or day',
  about:
    'Counts as Fargate bills: a task from the start of its pull until it is STOPPED, to the second and for a minute at least; of its ephemeral storage what is beyond 20 GiB. ' +
    'Volumes count what they were asked to be, file systems what is in them. Kept for 400 days, long after a task can be described. ' +
    `PRICES is JSON with any of ${Object.keys(prices).join(', ')}, and adds what it would cost.`,
  options: [
    { name: 'since', value: 'TIME', summary: 'from then on: 2h, 7d, 2026-11-01, 2026-11-01T12:00Z (default: this month, UTC)' },
    { name: 'until', value: 'TIME', summary: 'up to then (default: now)' },
    { name: 'month', value: 'YYYY-MM', summary: 'this month of the calendar, UTC' },
    { name: 'by', value: 'WHAT', summary: 'task, service, cluster, family, day or tag:KEY (default: service)' },
    { name: 'prices', value: 'FILE', summary: 'what each costs, in JSON' },
    jsonOption,
  ],
  examples: [
    { command: 'berth usage --month 2026-11 --by tag:team', note: 'who used how much' },
    { command: 'berth usage --since 24h --by task --json', note: 'for programs' },
  ],
  async run(args, context) {
    const span = spanOf(args, context.clock.now());
    const by = groupingOf(args);
    const cost = pricesOf(args);
    const client = await context.connect();
    const answer: Answer = await client.call('berth', 'GetUsage', { ...span, by });
    const price = (row: Row): Row => (cost === undefined ? row : { ...row, cost: cost(row) });
    const rows = (answer.groups as Row[]).map(price);
    const total = price({ ...(answer.total as Row), name: 'total' });
    if (args.has('json')) context.terminal.line(JSON.stringify({ ...answer, groups: rows, total }, null, 2));
    else if (rows.length === 0) context.terminal.line('Nothing was used in that time.');
    else printTable(context.terminal, columns(by), [...rows, total]);
    return exitCodes.ok;
  },
};

const bad = (message: string) => new Fault('InvalidParameter', message, { details: { usage: true } });

function groupingOf(args: Arguments): string {
  const by = args.text('by') ?? 'service';
  if (/^(task|service|cluster|family|day|tag:.+)$/.test(by)) return by;
  throw bad(`--by '${by}' must be task, service, cluster, family, day or tag:KEY`);
}

function spanOf(args: Arguments, now: number): { since: number; until?: number } {
  const [month, since, until] = [args.text('month'), args.text('since'), args.text('until')];
  if (month !== undefined) {
    if (since !== undefined || until !== undefined) throw bad('--month says from when and until when; leave out --since and --until');
    const match = /^(\d{4})-(\d{2})$/.exec(month);
    const [year, number] = [Number(match?.[1]), Number(match?.[2])];
    if (match === null || number < 1 || number > 12) throw bad(`--month '${month}' must be a month such as 2026-11`);
    return { since: Date.UTC(year, number - 1), until: Date.UTC(year, number) };
  }
  const today = new Date(now);
  const begin = since === undefined ? Date.UTC(today.getUTCFullYear(), today.getUTCMonth()) : timeOf('since', since, now);
  if (until === undefined) return { since: begin };
  const end = timeOf('until', until, now);
  if (end <= begin)
    throw bad(`--until '${until}' must be later than ${since === undefined ? 'the beginning of this month' : `--since '${since}'`}`);
  return { since: begin, until: end };
}

/** A duration before now, or a time of ISO 8601; one without a zone is UTC. */
function timeOf(option: string, text: string, now: number): number {
  const ago = /^\d{4}-/.test(text) ? undefined : parseDuration(text);
  if (ago !== undefined) return now - ago;
  const zoned = /T.*(Z|[+-]\d{2}:?\d{2})$/.test(text) || !text.includes('T') ? text : `${text}Z`;
  const at = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(zoned) : NaN;
  if (Number.isNaN(at)) throw bad(`--${option} '${text}' must be a time such as 90m, 7d, 2026-11-01 or 2026-11-01T12:00Z`);
  return at;
}

function pricesOf(args: Arguments): ((row: Row) => number) | undefined {
  const file = args.text('prices');
  if (file === undefined) return undefined;
  let given: unknown;
  try {
    given = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw bad(`--prices ${file}: ${asFault(error).message}`);
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw bad(`--prices ${file} must hold a JSON object`);
  const known = Object.entries(given).map(([name, price]) => {
    const what = prices[name];
    if (what === undefined) throw bad(`--prices ${file}: '${name}' is none of ${Object.keys(prices).join(', ')}`);
    if (typeof price !== 'number' || !(price >= 0)) throw bad(`--prices ${file}: ${name} must be a number`);
    return { ...what, price };
  });
  return (row) => known.reduce((sum, { amount, of, price }) => sum + (row[amount] / of) * price, 0);
}

const number = (value: number, digits: number) => (value === 0 ? '' : value.toFixed(digits));

const columns = (by: string): Column<Row>[] => [
  {
    title: by.startsWith('tag:') ? `TAG ${by.slice(4)}` : by.toUpperCase(),
    value: (row) => (row.name === '' ? '(none)' : row.name),
    style: () => 'bold',
    shrinkTo: 12,
  },
  { title: 'TASKS', value: (row) => String(row.tasks), align: 'right' },
  { title: 'vCPU-s', value: (row) => number(row.vcpuSeconds, 1), align: 'right' },
  { title: 'GB-s', value: (row) => number(row.gbSeconds, 1), align: 'right' },
  { title: 'DISK GB-h', value: (row) => number(row.ephemeralGbHours, 3), align: 'right', optional: true },
  { title: 'VOLUME GB-h', value: (row) => number(row.volumeGbHours, 3), align: 'right', optional: true },
  { title: 'FILES GB-h', value: (row) => number(row.fileSystemGbHours, 3), align: 'right', optional: true },
  { title: 'COST', value: (row) => (row.cost === undefined ? '' : row.cost.toFixed(4)), align: 'right', optional: true },
];
