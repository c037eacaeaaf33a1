/** A process that writes is killed at a moment of its own; what it had said to be stored must be there, once. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { it } from 'node:test';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { packSource } from '#base/packed-events.ts';
import { createLogs } from './index.ts';

const scope = { account: '123456789012', region: 'us-east-1' };
const STREAMS = 5;
const [, , role, dirOfWriter] = process.argv;

if (role === 'writer') await write(dirOfWriter as string);
else it('keeps what it acknowledged through kill -9, again and again', { timeout: 60_000 }, killAndCheck);

/** Goes on from where each stream is, and prints `stream number` once a line is stored. */
async function write(dir: string): Promise<void> {
  const logs = createLogs({ dir, clock: realClock(), log: silentLog });
  if ((await logs.getGroup(scope, 'g')) === undefined) await logs.createGroup(scope, 'g', { tags: {} });
  const fill = 'x'.repeat(5000);
  await Promise.all(
    Array.from({ length: STREAMS }, async (_, s) => {
      for (let n = 0; ; n++) {
        // Every life begins at 0 again: what was taken before must be left out.
        await logs.putOnce(
          scope,
          'g',
          `s${s}`,
          `t${s}`,
          n,
          n + 1,
          packSource([{ timestamp: 1_763_892_000_000 + n, message: `${n} ${fill}`, end: n + 1 }]),
        );
        process.stdout.write(`${s} ${n}\n`);
      }
    }),
  );
}

async function killAndCheck(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'berth-logs-kill-'));
  const acknowledged = Array.from({ length: STREAMS }, () => -1);
  try {
    for (const life of [200, 700, 1500]) {
      const child = spawn(process.execPath, [import.meta.filename, 'writer', dir], { stdio: ['ignore', 'pipe', 'inherit'] });
      let lines = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        const [s, n] = line.split(' ').map(Number) as [number, number];
        acknowledged[s] = Math.max(acknowledged[s] ?? -1, n);
        if (++lines === life) child.kill('SIGKILL');
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await check(dir, acknowledged);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function check(dir: string, acknowledged: number[]): Promise<void> {
  const logs = createLogs({ dir, clock: realClock(), log: silentLog });
  for (const [s, last] of acknowledged.entries()) {
    const numbers: number[] = [];
    for (let token: string | undefined; ;) {
      const page = await logs.getEvents(scope, 'g', `s${s}`, { fromHead: true, limit: 10_000, ...(token === undefined ? {} : { token }) });
      if (page.events.length === 0) break;
      numbers.push(...page.events.map((event) => Number.parseInt(event.message, 10)));
      token = page.forward;
    }
    assert.deepEqual(
      numbers,
      Array.from({ length: numbers.length }, (_, i) => i),
      'each line once, in order',
    );
    assert.ok(numbers.length > last, `stream ${s} has ${numbers.length} lines, ${last + 1} were acknowledged`);
  }
  await logs.close();
}
