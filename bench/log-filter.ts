/**
 * FilterLogEvents on 10 million events that lie over 24 hours in 20 streams: the SDK's paginator asks for one hour and a pattern that 1,000
 * of its events have. They come in by PutLogEvents, as from anybody. It promises seconds, not a ratio: docker's json-file driver
 * takes no times of its own, so that nothing beside it could hold a day.
 */
import { createRequire } from 'node:module';
import type { Bed } from './bed.ts';
import { median, report } from './promises.ts';

const { CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, PutLogEventsCommand, paginateFilterLogEvents } = createRequire(
  import.meta.url,
)('@aws-sdk/client-cloudwatch-logs') as typeof import('@aws-sdk/client-cloudwatch-logs');

const EVENTS = Number(process.env['BERTH_BENCH_EVENTS'] ?? 10_000_000);
const STREAMS = 20;
const DAY_MS = 24 * 3600_000;
const HOUR_MS = 3600_000;
const HITS = 1000;
const ROUNDS = 5;
/** As many as PutLogEvents takes of this length. */
const BATCH = 7500;
const GROUP = '/bench/filter';
const PATTERNS = ['"code=4711"', '?"code=4711" ?"never said"'];

export async function logFilter(bed: Bed): Promise<boolean> {
  const client = new CloudWatchLogsClient(bed.settings);
  const begin = Date.now() - DAY_MS;
  const hour = { from: begin + 12 * HOUR_MS, to: begin + 13 * HOUR_MS };
  await fill(client, begin, hour);
  const times: number[] = [];
  for (const filterPattern of PATTERNS) {
    for (let round = 0; round < ROUNDS; round++) {
      const before = performance.now();
      let found = 0;
      let pages = 0;
      const range = { logGroupName: GROUP, startTime: hour.from, endTime: hour.to, filterPattern };
      for await (const page of paginateFilterLogEvents({ client }, range)) {
        found += page.events?.length ?? 0;
        pages++;
      }
      times.push((performance.now() - before) / 1000);
      if (found !== HITS) throw new Error(`${filterPattern} found ${found} of ${HITS} events on ${pages} pages`);
    }
  }
  client.destroy();
  return report('log-filter', Math.max(...times), `slowest of ${times.length}, median ${median(times).toFixed(2)} s, of ${EVENTS} events`);
}

/** Each stream has a twentieth of the events, one each so many ms; hits are spread evenly over the hour. */
async function fill(client: InstanceType<typeof CloudWatchLogsClient>, begin: number, hour: { from: number; to: number }): Promise<void> {
  await client.send(new CreateLogGroupCommand({ logGroupName: GROUP }));
  const each = EVENTS / STREAMS;
  const inHour = Math.floor((each * HOUR_MS) / DAY_MS);
  const everyHit = Math.floor(inHour / (HITS / STREAMS));
  await Promise.all(
    Array.from({ length: STREAMS }, async (_, s) => {
      const logStreamName = `task/${s}`;
      await client.send(new CreateLogStreamCommand({ logGroupName: GROUP, logStreamName }));
      let seen = 0;
      const eventAt = (i: number) => {
        const timestamp = Math.floor(begin + (i * DAY_MS) / each);
        const hit = timestamp >= hour.from && timestamp < hour.to && seen < (everyHit * HITS) / STREAMS && seen++ % everyHit === 0;
        return {
          timestamp,
          message: `GET /orders/${i} 200 bytes=${i * 7} agent="loader/1.0 (bench)" code=${hit ? 4711 : 1000 + (i % 3000)} took=${i % 90}ms`,
        };
      };
      for (let at = 0; at < each; at += BATCH) {
        const logEvents = Array.from({ length: Math.min(BATCH, each - at) }, (_one, i) => eventAt(at + i));
        await client.send(new PutLogEventsCommand({ logGroupName: GROUP, logStreamName, logEvents }));
      }
    }),
  );
}
