/** Puts into metrics from a process that is killed, and looks afterwards whether each sample is there once. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { realClock } from '#base/clock.ts';
import { openMetrics, statisticSet } from '#metrics/index.ts';
import type { SeriesIdentity } from '#metrics/types.ts';

const MINUTE_MS = 60_000;
const MINUTES = 30;
const ACKS = '.acks';
const scope = { account: '123456789012', region: 'us-east-1' };
/** Of a fixed day, so that all lives put into the same minutes; young enough to be kept by the minute. */
const day = () => Math.floor(realClock().now() / (1440 * MINUTE_MS)) * 1440 * MINUTE_MS - 1440 * MINUTE_MS;
const seriesOf = (n: number): SeriesIdentity => ({
  ...scope,
  namespace: 'Burst',
  name: 'Requests',
  dimensions: { N: String(n) },
  unit: 'Count',
});

/**
 * Each series by itself puts one sample after the other into one of MINUTES, and notes it once it is acknowledged: `series` as a line of the file ACKS, which
 * outlives the process at once (what waits for a full pipe would not). A line on the output says only that it goes on. Ends by a signal.
 */
export async function putUntilKilled(path: string, { series, tidyEvery }: { series: number; tidyEvery: number }): Promise<void> {
  const metrics = openMetrics({ clock: realClock() }, { path });
  const acks = openSync(path + ACKS, 'a');
  let puts = 0;
  await Promise.all(
    Array.from({ length: series }, async (_, n) => {
      for (let at = 0; ; at++) {
        // Two values in one sample: never one without the other.
        const values = statisticSet([[1, 1], [3, 1]]); // prettier-ignore
        await metrics.put([{ series: seriesOf(n), at: day() + (at % MINUTES) * MINUTE_MS, values }]);
        writeSync(acks, `${n}\n`);
        process.stdout.write('.\n');
        if (++puts % tidyEvery === 0) void metrics.tidy();
      }
    }),
  );
}

/** `lives`: after how many acknowledged samples each life of `program` (which calls `putUntilKilled`) is killed. */
export async function burstAndKill(program: string, { series, lives }: { series: number; lives: readonly number[] }): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'berth-burst-'));
  const path = join(dir, 'metrics.db');
  try {
    let before = Array.from({ length: series }, () => 0);
    for (const life of lives) {
      const acknowledged = Array.from({ length: series }, () => 0);
      const child = spawn(process.execPath, [program, 'writer', path], { stdio: ['ignore', 'pipe', 'inherit'] });
      let lines = 0;
      for await (const _line of createInterface({ input: child.stdout })) if (++lines === life) child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      assert.equal(child.signalCode, 'SIGKILL');
      for (const line of readFileSync(path + ACKS, 'utf8')
        .trimEnd()
        .split('\n'))
        acknowledged[Number(line)] = (acknowledged[Number(line)] ?? 0) + 1;
      rmSync(path + ACKS);
      before = await check(path, before, acknowledged);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Samples of each series now. Of each at most one was put that its process did not live to acknowledge. */
async function check(path: string, before: readonly number[], acknowledged: readonly number[]): Promise<number[]> {
  const metrics = openMetrics({ clock: realClock() }, { path });
  const now = before.map((had, n) => {
    const ids = metrics.find(scope, seriesOf(n)).map(({ id }) => id);
    const buckets = metrics.read(ids, { start: day() - 1440 * MINUTE_MS, end: day() + 2 * 1440 * MINUTE_MS, periodS: 60 });
    const count = buckets.reduce((sum, { values }) => sum + values.count, 0);
    const sum = buckets.reduce((all, { values }) => all + values.sum, 0);
    assert.equal(sum, 2 * count, 'a sample is whole or not there');
    const least = had + (acknowledged[n] ?? 0);
    const samples = count / 2;
    assert.ok(samples === least || samples === least + 1, `series ${n} has ${samples} samples; ${least} were acknowledged`);
    return samples;
  });
  await metrics.close();
  return now;
}
