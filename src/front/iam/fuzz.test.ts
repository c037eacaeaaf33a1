/** Bad input to every operation of IAM and to AssumeRole: one of AWS's errors, never one of our own, and nothing changed. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import * as fc from 'fast-check';
import type { CallContext, Operation } from '#gateway/types.ts';
import { createStsApi } from '../sts/index.ts';
import { isDoneOrRefused, oddNumbers, oddTexts, spoiledCalls } from '../../../test/fuzz/calls.ts';
import { iamGround, iamInputs as good } from '../../../test/fuzz/iam-inputs.ts';
import { account, openIamPlatform } from '../../../test/iam/platform.ts';
import { iamErrors } from './errors.ts';
import { createIamApi } from './index.ts';

const RUNS = 400;
const LONG = 60;

let platform: Awaited<ReturnType<typeof openIamPlatform>>;
let operations: Map<string, Operation>;

const context: CallContext = {
  account,
  region: 'us-east-1',
  requestId: 'r',
  principal: { account, arn: `arn:aws:iam::${account}:root`, userId: account, accessKeyId: 'k' },
  assertAllowed: async () => {},
  sourceIp: '127.0.0.1',
  userAgent: 'test',
};
const call = async (name: string, input: unknown) => await operations.get(name)?.handle(input, context);
const written = () =>
  platform.store.read(
    async (tx) =>
    JSON.stringify([await tx.iamUsers.list({}), await tx.iamRoles.list({}), await tx.iamPolicies.list({}), await tx.iamAccessKeys.list({}), await tx.iamInstanceProfiles.list({}), await tx.iamStamps.list({})]), // prettier-ignore
  );

before(async () => {
  platform = await openIamPlatform();
  const deps = { store: platform.store, clock: platform.clock, random: platform.random, identity: platform.identity };
  operations = new Map(
    [...createIamApi(deps).operations, ...createStsApi(deps).operations].map((operation) => [operation.name, operation]),
  );
  for (const [name, input] of iamGround) await call(name, input);
});

after(() => platform?.close());

it('every operation takes what it should', async () => {
  for (const [name, input] of Object.entries(good)) {
    assert.ok(operations.has(name), name);
    await isDoneOrRefused({ name, input }, { call, written, errors: iamErrors, statuses: [400, 403, 404, 409] });
  }
});

it('whatever is sent, it is done or refused, and nothing is half done', async () => {
  let refused = 0;
  const junk = fc.constantFrom(
    ...oddTexts,
    ...oddNumbers,
    '{"Version":"2012-10-17","Statement":[{}]}',
    'arn:aws:iam::1:role/x',
    '${aws:username}',
  );
  await fc.assert(
    fc.asyncProperty(spoiledCalls(good, Object.keys(good), junk, LONG), async (one) => {
      const done = await isDoneOrRefused(one, { call, written, errors: iamErrors, statuses: [400, 403, 404, 409] });
      if (!done) refused++;
    }),
    { numRuns: RUNS },
  );
  assert.ok(refused > RUNS / 4, `${refused} of ${RUNS} were refused`);
});
