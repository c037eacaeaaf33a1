/** Hostile input to EventBridge, Scheduler, CloudWatch, SSM, Secrets Manager, ECR, IAM, STS and S3, at full count; `src/main/fronts-fuzz.test.ts` has the small one. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fronts, fuzzFront, openFuzzPlatform } from '../fuzz/fronts.ts';

const ROUNDS = Number(process.env['BERTH_FUZZ_ROUNDS'] ?? 10);
const RUNS = 1000;
const only = process.env['BERTH_FUZZ_FRONT'];

for (const name of Object.keys(fronts)) {
  if (only !== undefined && only !== name) continue;
  it(`${name}: whatever is sent, it is done or refused, and nothing is half done`, async (t) => {
    // Each round has a platform of its own: what was good stays there, and every look at it would take longer and longer.
    for (let round = 0; round < ROUNDS; round++) {
      const platform = await openFuzzPlatform();
      try {
        const { done, refused } = await fuzzFront(platform, name, RUNS);
        t.diagnostic(`round ${round}: ${done} done, ${refused} refused`);
        assert.ok(done > RUNS / 20 && refused > RUNS / 20, `${done} of ${RUNS} were good, ${refused} refused`);
      } finally {
        await platform.close();
      }
    }
  });
}
