/**
 * Two hundred tasks in microVMs (under emulation) and fifty in gVisor, one pair after the other: one of each ends by itself, the other is
 * stopped. The machine is as before, and the platform's processes have not grown. BERTH_SOAK_MICROVM, BERTH_SOAK_GVISOR: other counts.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { script } from '../e2e/aws-sdk.ts';
import { platformFixture } from '../e2e/fixture.ts';
import { assertAsBefore, takeCensus } from './census.ts';

const COUNTS = { microvm: Number(process.env['BERTH_SOAK_MICROVM'] ?? 200), gvisor: Number(process.env['BERTH_SOAK_GVISOR'] ?? 50) };
const WARM_UP = 6;
const PATIENCE_S = 120;

const { platform, sdk } = await platformFixture({ upArgs: ['--accel', 'tcg'], maxAttempts: 10 });

/** All that stands ready for the next tasks is made, which is told a heartbeat later. */
async function atRest(kind: keyof typeof COUNTS): Promise<void> {
  const full = new RegExp(`"kind": *"${kind}",\\s*"ready": *2\\b`);
  for (let waited = 0; !full.test((await platform.berth(['status', '--json'])).stdout); waited++) {
    assert.ok(waited < PATIENCE_S, `the pool of ${kind} fills`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  await new Promise((resolve) => setTimeout(resolve, 10_000));
}

for (const kind of ['gvisor', 'microvm'] as const) {
  it(`${COUNTS[kind]} tasks of the kind ${kind} leave the machine and the platform as they were`, async () => {
    const wish = { tags: [{ key: 'berth:isolation', value: kind }] };
    const ends = await sdk.register(`${kind}-ends`, [script('for i in 1 2 3; do echo line $i; done; exit 3')]);
    const stays = await sdk.register(`${kind}-stays`, [script("trap 'exit 4' TERM; echo up; while :; do sleep 0.1; done")]);
    const pair = async () => {
      const [ending, staying] = await Promise.all([sdk.run(ends, wish), sdk.run(stays, wish)]);
      for (;;) {
        const lines = await sdk.lines(staying[0] ?? '', 'main').catch(() => []);
        const now = (await sdk.describe(staying))[0];
        if (lines.length > 0 || now?.lastStatus === 'STOPPED') break;
      }
      await sdk.stop(staying);
      const [ended, stopped] = await Promise.all([sdk.stopped(ending, PATIENCE_S), sdk.stopped(staying, PATIENCE_S)]);
      assert.equal(ended[0]?.containers?.[0]?.exitCode, 3, JSON.stringify(ended));
      assert.deepEqual(await sdk.lines(ended[0] ?? '', 'main'), ['line 1', 'line 2', 'line 3']);
      assert.equal(stopped[0]?.containers?.[0]?.exitCode, 4, JSON.stringify(stopped));
    };
    for (let done = 0; done < WARM_UP; done += 2) await pair();
    await atRest(kind);
    const first = await takeCensus(platform);
    const began = Date.now();
    for (let done = 0; done < COUNTS[kind]; done += 2) await pair();
    console.log(`  ${COUNTS[kind]} ${kind} tasks, two at a time, from start to end: ${((Date.now() - began) / 1000).toFixed(1)} s`);
    await assertAsBefore(platform, first);
  });
}
