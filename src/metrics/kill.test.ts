/** A process that puts metrics is killed at a moment of its own: what it had acknowledged is there, and nothing counts twice. */
import { it } from 'node:test';
import { burstAndKill, putUntilKilled } from '../../test/metric-burst.ts';

const [, , role, path] = process.argv;

if (role === 'writer') await putUntilKilled(path as string, { series: 40, tidyEvery: 150 });
else {
  it('keeps what it acknowledged through kill -9, again and again', { timeout: 60_000 }, () =>
    burstAndKill(import.meta.filename, { series: 40, lives: [50, 400, 900, 300] }),
  );
}
