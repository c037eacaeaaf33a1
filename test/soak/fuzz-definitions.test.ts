/** Hostile task definitions and RunTask calls, at full count; `src/front/ecs/definition-fuzz.test.ts` has the small one. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fuzzDefinitions } from '../fuzz/definitions.ts';

const ROUNDS = Number(process.env['BERTH_FUZZ_ROUNDS'] ?? 20);

it('whatever RegisterTaskDefinition and RunTask are sent, it is done or refused, and nothing is half done', async (t) => {
  // Each round has a platform of its own: what was good stays there, and every look at it would take longer and longer.
  for (let round = 0; round < ROUNDS; round++) {
    const done = await fuzzDefinitions(1000);
    assert.ok(done.RegisterTaskDefinition > 20 && done.RunTask > 20, JSON.stringify(done));
    t.diagnostic(`round ${round}: good ${JSON.stringify(done)}`);
  }
});
