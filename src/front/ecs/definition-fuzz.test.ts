import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fuzzDefinitions } from '../../../test/fuzz/definitions.ts';

it('whatever RegisterTaskDefinition and RunTask are sent, it is done or refused, and nothing is half done', async () => {
  const done = await fuzzDefinitions(200);
  assert.ok(done.RegisterTaskDefinition > 5 && done.RunTask > 5, `hardly anything was good: ${JSON.stringify(done)}`);
});
