/**
 * Counters of listeners and groups out of `show stat`, kept over HAProxys that come and go: of each process what it counted since the last look is added. What
 * a process counts after its last look (requests that it finishes while another one has taken over) is lost.
 */
import type { Clock } from '#base/clock.ts';
import { isOpen } from './render-group.ts';
import type { StatLine } from './runtime.ts';
import type { BalancerMetrics, TrafficCounters } from './types.ts';

const columns = {
  requests: 'req_tot',
  connections: 'stot',
  bytesIn: 'bin',
  bytesOut: 'bout',
  connectionErrors: 'econ',
  responseErrors: 'eresp',
  '1xx': 'hrsp_1xx',
  '2xx': 'hrsp_2xx',
  '3xx': 'hrsp_3xx',
  '4xx': 'hrsp_4xx',
  '5xx': 'hrsp_5xx',
  other: 'hrsp_other',
} as const;
type Counter = keyof typeof columns;
const counters = Object.keys(columns) as Counter[];
const classes = ['1xx', '2xx', '3xx', '4xx', '5xx', 'other'] as const;

type Entry = {
  totals: Record<Counter, number>;
  last: Record<Counter, number>;
  pid: number;
  sumMs: number;
  longest: { at: number; ms: number }[];
  line: StatLine;
  up: number;
  down: number;
};

/** How long the longest answers are remembered: whoever wants them looks each minute. */
const KEEP_MS = 180_000;

export function createMetrics(clock: Clock): { take(pid: number, lines: readonly StatLine[]): void; now(): BalancerMetrics } {
  let entries = new Map<string, Entry>();
  let at = clock.now();
  return {
    take(pid, lines) {
      at = clock.now();
      const next = new Map<string, Entry>();
      for (const line of lines) {
        const [name = '', kind = ''] = [line['pxname'], line['svname']];
        if ((name.startsWith('l_') && kind === 'FRONTEND') || (name.startsWith('tg_') && kind === 'BACKEND')) {
          next.set(name, counted(entries.get(name), { pid, line, at }));
        }
      }
      for (const line of lines) countServer(next.get(line['pxname'] ?? ''), line);
      entries = next;
    },
    now: () => ({
      at,
      listeners: [...entries].flatMap(([name, entry]) => (name.startsWith('l_') ? [{ id: name.slice(2), ...shown(entry) }] : [])),
      groups: [...entries].flatMap(([name, entry]) =>
        name.startsWith('tg_') ? [{ id: name.slice(3), ...shown(entry), ...ofGroup(entry) }] : [],
      ),
    }),
  };
}

function counted(before: Entry | undefined, { pid, line, at }: { pid: number; line: StatLine; at: number }): Entry {
  const seen = Object.fromEntries(counters.map((counter) => [counter, Number(line[columns[counter]] ?? 0)])) as Record<Counter, number>;
  const same = before?.pid === pid;
  const grown = (counter: Counter) => Math.max(0, seen[counter] - (same ? (before?.last[counter] ?? 0) : 0));
  const totals = Object.fromEntries(counters.map((counter) => [counter, (before?.totals[counter] ?? 0) + grown(counter)]));
  const sumMs = (before?.sumMs ?? 0) + grown('requests') * Number(line['rtime'] ?? 0);
  // Of what was there before anybody looked, nobody knows when it was.
  const ms = before === undefined ? 0 : Number(line['rtime_max'] ?? 0);
  const longest = (before?.longest ?? []).filter((one) => one.at > at - KEEP_MS);
  if (ms > 0) longest.push({ at, ms });
  return { totals: totals as Record<Counter, number>, last: seen, pid, sumMs, longest, line, up: 0, down: 0 };
}

/** A target has one server that counts, but for one that lets another take its place: that is in maintenance. */
function countServer(entry: Entry | undefined, { svname = '', status = '' }: StatLine): void {
  if (entry === undefined || !svname.startsWith('t_') || isOpen(svname) || status.startsWith('MAINT')) return;
  if (status.startsWith('UP')) entry.up += 1;
  else entry.down += 1;
}

function shown({ totals, line }: Entry): TrafficCounters & { activeConnections: number } {
  const responses = Object.fromEntries(classes.map((name) => [name, totals[name]])) as TrafficCounters['responses'];
  const { requests, connections, bytesIn, bytesOut, connectionErrors, responseErrors } = totals;
  return {
    requests,
    responses,
    connections,
    bytesIn,
    bytesOut,
    connectionErrors,
    responseErrors,
    activeConnections: Number(line['scur'] ?? 0),
  };
}

function ofGroup({ line, sumMs, longest, up, down }: Entry) {
  return {
    healthy: up,
    unhealthy: down,
    responseMs: { mean: Number(line['rtime'] ?? 0), longest, sum: sumMs },
  };
}
