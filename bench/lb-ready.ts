/** A fresh task answers its load balancer's health check -> the first 200 of it through the load balancer. */
import { Agent, get } from 'node:http';
import type { Bed } from './bed.ts';
import { median, quantile, report } from './promises.ts';
import { serve } from './served.ts';
import { until } from '../test/e2e/platform.ts';

const ROUNDS = Number(process.env['BERTH_BENCH_ROUNDS'] ?? 30);
const TASKS = 4;
const CLIENTS = 2;
const PAUSE_MS = 1;
/** A healthy target that none of the requests reaches in so long counts as one that was not met. */
const MET_WITHIN_MS = 5000;

/** By task, which is known by when it began to listen: its first answer to a check and to one of ours, in ns of CLOCK_MONOTONIC. */
type Seen = Map<string, { checkedAt: bigint; answeredAt: bigint }>;

export async function lbReady(bed: Bed): Promise<boolean> {
  const served = await serve(bed, 'ready', { port: 80, count: 0 });
  const seen: Seen = new Map();
  let running = true;
  const clients = Array.from({ length: CLIENTS }, () => ask(served.address, served.port, seen, () => running));
  for (let round = 0; round < ROUNDS; round++) {
    const met = seen.size + TASKS;
    await served.scale(TASKS);
    await until('each task is met', async () => seen.size >= met, MET_WITHIN_MS).catch(() => {});
    await served.scale(0);
  }
  running = false;
  await Promise.all(clients);
  await served.end();
  const ms = [...seen.values()].map((one) => Number(one.answeredAt - one.checkedAt) / 1e6);
  const sinceListening = [...seen].map(([listeningAt, one]) => Number(one.answeredAt - BigInt(listeningAt)) / 1e6);
  const missed = ROUNDS * TASKS - seen.size;
  const line = (name: string, all: number[]) => `${name} p50 ${median(all).toFixed(1)}, p99 ${quantile(all, 0.99).toFixed(1)} ms`;
  const detail = `${line('first check answered -> first 200', ms)}; ${line('port open -> first 200', sinceListening)}; ${seen.size} tasks, ${missed} of them not met`;
  return report('lb-ready', missed > 0 ? NaN : quantile(ms, 0.99), detail);
}

/** One request after the other over one connection; whoever answers for the first time is noted. */
async function ask(host: string, port: number, seen: Seen, goesOn: () => boolean): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  while (goesOn()) {
    const body = await new Promise<string>((resolve) => {
      get({ host, port, agent }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        answer.on('end', () => resolve(answer.statusCode === 200 ? text : ''));
      }).on('error', () => resolve(''));
    });
    const answeredAt = process.hrtime.bigint();
    const [, listeningAt = '', checkedAt = ''] = /^0*(\d+) 0*(\d+)$/.exec(body.trim()) ?? [];
    if (listeningAt !== '' && !seen.has(listeningAt)) seen.set(listeningAt, { checkedAt: BigInt(checkedAt), answeredAt });
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  agent.destroy();
}
