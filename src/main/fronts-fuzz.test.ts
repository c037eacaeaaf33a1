import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fronts, fuzzFront, openFuzzPlatform } from '../../test/fuzz/fronts.ts';

it('whatever the fronts around ECS are sent, it is done or refused, and nothing is half done', async () => {
  const platform = await openFuzzPlatform();
  try {
    for (const name of Object.keys(fronts)) {
      const { done, refused } = await fuzzFront(platform, name, 25, 20_261_127);
      assert.ok(done > 5 && refused > 3, `${name}: ${done} were good, ${refused} refused`);
    }
  } finally {
    await platform.close();
  }
});
