import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { CreateServiceRequest, UpdateServiceRequest } from '@aws-sdk/client-ecs';
import * as fc from 'fast-check';
import { realClock } from '#base/clock.ts';
import { realRandom } from '#base/random.ts';
import type { CallContext } from '#gateway/types.ts';
import { createEcsApi } from './index.ts';
import { ecsErrors } from './errors.ts';
import { account, addTargetGroups, region, startTestPlatform, type TestPlatform } from './test-platform.ts';
import { isDoneOrRefused } from '../../../test/fuzz/calls.ts';

let platform: TestPlatform;
let groups: string[];
let listener: string;
before(async () => {
  platform = await startTestPlatform();
  const made = await addTargetGroups(platform, [
    { name: 'a' },
    { name: 'b' },
    { name: 'alone', listened: false },
    { name: 'odd', targetType: 'instance' },
  ]);
  groups = Object.values(made.arns);
  listener = made.listener;
});
after(() => platform?.close());

const scope = { account, region };
const principal = { account, arn: `arn:aws:iam::${account}:root`, userId: account, accessKeyId: 'A' };
const context: CallContext = {
  ...scope,
  requestId: 'r',
  principal,
  sourceIp: '127.0.0.1',
  userAgent: 'fuzz',
  assertAllowed: async () => {},
};
const handle = (name: string, input: unknown): Promise<unknown> => {
  const api = createEcsApi({ store: platform.store, clock: realClock(), random: realRandom() });
  const operation = api.operations.find((one) => one.name === name);
  assert.ok(operation);
  return operation.handle(input, context);
};

/** All that a wish about services could write. */
const dump = () =>
  platform.store.read(async (tx) =>
    JSON.stringify([
      await tx.services.list(scope),
      await tx.serviceRevisions.list(scope),
      await tx.serviceDeployments.list(scope),
      await tx.taskSets.list(scope),
      await tx.clientTokens.list(scope),
      await tx.clusters.list(scope),
      await tx.tasks.list(scope),
    ]),
  );

const odd = fc.constantFrom<string>('', 'x', 'ENABLED', 'arn:aws:ecs:us-west-2:1:service/a/b', 'é'.repeat(300), '__proto__');
const number = fc.oneof(fc.integer({ min: -2, max: 300 }), fc.constantFrom(0.5, Number.NaN, 2 ** 31, -1));
/** Most calls leave most members out: else none would be good. */
const rarely = <T>(value: fc.Arbitrary<T>, weight = 1) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(undefined) }, { weight, arbitrary: value });
const maybe = <T>(value: fc.Arbitrary<T>) => rarely(value, 2);
const often = <T>(good: T, value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 16, arbitrary: fc.constant(good) }, { weight: 1, arbitrary: value });

function balancer() {
  const group = fc.oneof(fc.constantFrom(...groups), odd);
  return fc.record({
    targetGroupArn: maybe(group),
    containerName: maybe(often('web', odd)),
    containerPort: maybe(often(80, number)),
    loadBalancerName: rarely(odd),
    advancedConfiguration: maybe(fc.record({ alternateTargetGroupArn: maybe(group), productionListenerRule: maybe(often(listener, odd)) })),
  });
}

function configuration() {
  const stage = fc.constantFrom('POST_SCALE_UP', 'PRODUCTION_TRAFFIC_SHIFT', 'nothing');
  return fc.record({
    maximumPercent: maybe(number),
    minimumHealthyPercent: maybe(number),
    strategy: maybe(fc.constantFrom('ROLLING', 'BLUE_GREEN', 'CANARY', 'LINEAR', 'odd')),
    bakeTimeInMinutes: maybe(number),
    canaryConfiguration: maybe(fc.record({ canaryPercent: maybe(number), canaryBakeTimeInMinutes: maybe(number) })),
    linearConfiguration: maybe(fc.record({ stepPercent: maybe(number), stepBakeTimeInMinutes: maybe(number) })),
    deploymentCircuitBreaker: maybe(
      fc.record({
        enable: fc.boolean(),
        rollback: fc.boolean(),
        thresholdConfiguration: maybe(fc.record({ type: fc.constantFrom('COUNT', 'BOUNDED_PERCENT', 'odd'), value: number })),
      }),
    ),
    alarms: maybe(fc.record({ alarmNames: fc.array(odd, { maxLength: 2 }), enable: fc.boolean(), rollback: fc.boolean() })),
    lifecycleHooks: maybe(
      fc.array(
        fc.record({ targetType: maybe(fc.constantFrom('PAUSE', 'AWS_LAMBDA')), lifecycleStages: maybe(fc.array(stage, { maxLength: 2 })) }),
        {
          maxLength: 2,
        },
      ),
    ),
  });
}

function members() {
  const { subnets } = platform;
  const strategy = fc.record({
    capacityProvider: fc.constantFrom('FARGATE', 'FARGATE_SPOT', 'no'),
    weight: maybe(number),
    base: maybe(number),
  });
  return {
    cluster: rarely(odd),
    taskDefinition: often<string | undefined>('web:1', fc.oneof(odd, fc.constantFrom('web', 'web:9', 'none:1', undefined))),
    desiredCount: often<number | undefined>(1, fc.oneof(number, fc.constant(undefined))),
    launchType: often<string | undefined>('FARGATE', fc.constantFrom('EC2', 'odd', undefined)),
    capacityProviderStrategy: rarely(fc.array(strategy, { maxLength: 3 })),
    platformVersion: maybe(often('LATEST', odd)),
    networkConfiguration: often<object | undefined>(
      { awsvpcConfiguration: { subnets } },
      maybe(
        fc.record({
          awsvpcConfiguration: maybe(
            fc.record({ subnets: fc.array(fc.oneof(odd, fc.constantFrom(...subnets))), securityGroups: maybe(fc.array(odd)) }),
          ),
        }),
      ),
    ),
    loadBalancers: maybe(fc.array(balancer(), { maxLength: 2 })),
    healthCheckGracePeriodSeconds: rarely(number),
    deploymentConfiguration: maybe(configuration()),
    propagateTags: maybe(often('SERVICE', odd)),
    availabilityZoneRebalancing: maybe(often('DISABLED', odd)),
    enableExecuteCommand: maybe(fc.boolean()),
    serviceRegistries: rarely(fc.constant([{ registryArn: 'a' }])),
  };
}

/** What the wish names is there, and fits the limits that the planner trusts. */
async function assertWhole(): Promise<void> {
  await platform.store.read(async (tx) => {
    for (const service of await tx.services.list(scope)) {
      const { desired, key } = service;
      assert.ok(Number.isInteger(desired.desiredCount) && desired.desiredCount >= 0);
      if (desired.controller === 'EXTERNAL') continue;
      const revision = await tx.serviceRevisions.get({ ...key, id: desired.revisionId ?? '' });
      const deployment = await tx.serviceDeployments.get({ ...key, id: desired.deploymentId ?? '' });
      assert.equal(deployment?.desired.targetRevisionId, revision?.key.id);
      assert.ok(revision !== undefined && revision.desired.network.subnetIds.length > 0);
      const config = desired.deployment;
      assert.ok(config.maximumPercent >= 100 && config.minimumHealthyPercent >= 0 && config.minimumHealthyPercent <= 100);
    }
  });
}

describe('whatever CreateService and UpdateService are asked', () => {
  it('it is done, or refused with nothing changed', async () => {
    let done = 0;
    const create = fc.record({
      ...members(),
      serviceName: often('s', fc.oneof(odd, fc.constantFrom('t', 'u', 'v'))),
      clientToken: maybe(fc.constantFrom('t', 'é', 'x'.repeat(37))),
      schedulingStrategy: rarely(fc.constantFrom('REPLICA', 'DAEMON', 'odd')),
      deploymentController: fc.option(fc.record({ type: fc.constantFrom('ECS', 'EXTERNAL', 'CODE_DEPLOY', 'odd') }), {
        nil: undefined,
        freq: 5,
      }),
      role: rarely(odd),
      tags: maybe(fc.array(fc.record({ key: odd, value: odd }), { maxLength: 2 })),
    });
    const update = fc.record({
      ...members(),
      service: often('s', fc.constantFrom('t', 'u', 'nothing', '')),
      forceNewDeployment: maybe(fc.boolean()),
    });
    const call = fc.oneof(
      create.map((input) => ({ name: 'CreateService', input: input as unknown as CreateServiceRequest })),
      update.map((input) => ({ name: 'UpdateService', input: input as unknown as UpdateServiceRequest })),
    );
    const good = {
      taskDefinition: 'web:1',
      desiredCount: 1,
      launchType: 'FARGATE',
      networkConfiguration: { awsvpcConfiguration: { subnets: platform.subnets } },
    };
    await handle('CreateService', { serviceName: 's', ...good });
    const target = { call: handle, written: dump, errors: ecsErrors };
    await fc.assert(
      fc.asyncProperty(call, async ({ name, input }) => {
        if (await isDoneOrRefused({ name, input }, target)) done++;
      }),
      { numRuns: 1500 },
    );
    await assertWhole();
    assert.ok(done > 20, `only ${done} calls were good: nothing was tried`);
  });
});
