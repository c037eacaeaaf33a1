/** Two hundred tasks started and ended: the machine is as before, and the platform's processes have not grown. */
import assert from 'node:assert/strict';
import { before, it } from 'node:test';
import { script } from '../e2e/aws-sdk.ts';
import { platformFixture } from '../e2e/fixture.ts';
import { assertAsBefore, takeCensus } from './census.ts';

const TASKS = Number(process.env['BERTH_SOAK_TASKS'] ?? 200);
const WAVE = 50;
const WARM_UP = 100;

const { platform, sdk } = await platformFixture({ maxAttempts: 10 });
let definition: string;

before(async () => {
  const volume = { mountPoints: [{ sourceVolume: 'shared', containerPath: '/shared' }] };
  definition = await sdk.register(
    'soak',
    [
      script('until [ -e /shared/ready ]; do sleep 0.05; done; for i in 1 2 3; do echo line $i; done; sleep 0.2; exit 3', {
        name: 'main',
        ...volume,
      }),
      script("trap 'exit 0' TERM; touch /shared/ready; while :; do sleep 0.1; done", { name: 'side', essential: false, ...volume }),
    ],
    { volumes: [{ name: 'shared' }] },
  );
});

async function wave(count: number): Promise<void> {
  const calls = Array.from({ length: Math.ceil(count / 10) }, (_, n) => sdk.run(definition, { count: Math.min(10, count - n * 10) }));
  const ended = await sdk.stopped((await Promise.all(calls)).flat(), 180);
  for (const task of ended) {
    assert.equal(task.containers?.find((one) => one.name === 'main')?.exitCode, 3, JSON.stringify(task));
    assert.deepEqual(await sdk.lines(task, 'main'), ['line 1', 'line 2', 'line 3']);
  }
}

it(`${TASKS} tasks leave the machine and the platform as they were`, async () => {
  for (let done = 0; done < WARM_UP; done += WAVE) await wave(WAVE);
  const before = await takeCensus(platform);
  const began = Date.now();
  for (let done = 0; done < TASKS; done += WAVE) await wave(Math.min(WAVE, TASKS - done));
  console.log(`  ${TASKS} tasks of two containers from start to end: ${((Date.now() - began) / 1000).toFixed(1)} s`);
  await assertAsBefore(platform, before);
});
