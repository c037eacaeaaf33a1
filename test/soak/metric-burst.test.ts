/**
 * A burst of PutMetricData while the control plane is killed, over and over: what was acknowledged is there, and nothing counts twice. Through the front door
 * by the stock SDK, and in a store alone with many more lives. BERTH_SOAK_ROUNDS (default: 12) kills, BERTH_SOAK_WRITERS (default: 16), BERTH_SOAK_LIVES (default: 60).
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CloudWatch } from '@aws-sdk/client-cloudwatch';
import { platformFixture } from '../e2e/fixture.ts';
import { until } from '../e2e/platform.ts';
import { processesOf } from '../e2e/processes.ts';
import { burstAndKill, putUntilKilled } from '../metric-burst.ts';

const ROUNDS = Number(process.env['BERTH_SOAK_ROUNDS'] ?? 12);
const WRITERS = Number(process.env['BERTH_SOAK_WRITERS'] ?? 16);
const LIVES = Number(process.env['BERTH_SOAK_LIVES'] ?? 60);
const Namespace = 'Soak';
const [, , role, path] = process.argv;

if (role === 'writer') await putUntilKilled(path as string, { series: 200, tidyEvery: 700 });
else await soak();

async function soak(): Promise<void> {
  const { platform, sdk } = await platformFixture();
  const { endpoint, region, credentials } = sdk.config;
  const client = new CloudWatch({ endpoint, region, credentials, maxAttempts: 1 });

  it(`${LIVES} lives of a store that is killed`, async () => {
    const lives = Array.from({ length: LIVES }, (_, n) => 50 + ((n * 7919) % 4000));
    await burstAndKill(import.meta.filename, { series: 200, lives });
  });

  it(`${WRITERS} writers through ${ROUNDS} deaths of the control plane`, async () => {
    let over = false;
    const began = new Date(Math.floor(Date.now() / 60_000) * 60_000);
    /** Of each writer: what was acknowledged, and what nobody said anything about. */
    const counts = await Promise.all([
      ...Array.from({ length: WRITERS }, async (_, n) => {
        const count = { acknowledged: 0, unknown: 0 };
        while (!over) {
          const MetricData = [1, 2, 3].map((Value) => ({ MetricName: `m${n}`, Value, Timestamp: began }));
          const answer = await client.putMetricData({ Namespace, MetricData }).catch(() => undefined);
          if (answer === undefined) count.unknown += 1;
          else count.acknowledged += 1;
        }
        return count;
      }),
      (async () => {
        for (let round = 0; round < ROUNDS; round++) {
          await new Promise((resolve) => setTimeout(resolve, 300 + ((round * 7919) % 1500)));
          const victim = (await until('every process', async () => processesOf(platform))).control;
          process.kill(victim, 'SIGKILL');
          await until('another control plane', async () => (await client.listMetrics({}).catch(() => undefined)) !== undefined);
        }
        over = true;
        return undefined;
      })(),
    ]);
    for (const [n, count] of counts.entries()) {
      if (count === undefined) continue;
      const { Datapoints = [] } = await client.getMetricStatistics({
        Namespace,
        MetricName: `m${n}`,
        StartTime: began,
        EndTime: new Date(began.getTime() + 60_000),
        Period: 60,
        Statistics: ['SampleCount', 'Sum'],
      });
      const [{ SampleCount = 0, Sum = 0 } = {}] = Datapoints;
      const calls = SampleCount / 3;
      assert.equal(Sum, calls * 6, 'a call is whole or not there');
      assert.ok(
        calls >= count.acknowledged && calls <= count.acknowledged + count.unknown,
        `m${n}: ${calls} calls are there; ${count.acknowledged} were acknowledged, of ${count.unknown} nobody knows`,
      );
    }
    const sum = (of: 'acknowledged' | 'unknown') => counts.reduce((all, count) => all + (count?.[of] ?? 0), 0);
    console.log(`  ${sum('acknowledged')} calls acknowledged, of ${sum('unknown')} nobody knew`);
    client.destroy();
  });
}
