import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { isFault, type FaultCode } from '#base/fault.ts';
import { clusterArn, clusterName, taskArn, taskDefinitionRef, taskId } from './arn.ts';
import { assertStrategy, divide } from './capacity-strategy.ts';
import { cpuUnitsToMillis, parseCpu, parseMemory } from './fargate-sizes.ts';
import { assertClusterName, assertText, isName } from './names.ts';
import { assertTags, mergeTags } from './tags.ts';

const scope = { account: '123456789012', region: 'us-east-1' };
const id = 'a'.repeat(32);
const is = (code: FaultCode) => (error: unknown) => isFault(error, code);

describe('names and ARNs', () => {
  it('a cluster by name, by ARN and by default', () => {
    assert.equal(clusterName(scope, undefined), 'default');
    assert.equal(clusterName(scope, 'c'), 'c');
    assert.equal(clusterName(scope, clusterArn(scope, 'c')), 'c');
    const elsewhere = [clusterArn({ ...scope, region: 'eu-west-1' }, 'c'), 'arn:aws:ecs:us-east-1:123456789012:task/c', 'arn:x'];
    for (const ref of elsewhere) assert.throws(() => clusterName(scope, ref), is('ClusterNotFound'));
  });

  it('a task by id and by ARN, long and short', () => {
    assert.equal(taskId(scope, 'c', id), id);
    assert.equal(taskId(scope, 'c', taskArn({ ...scope, cluster: 'c', id })), id);
    assert.equal(taskId(scope, 'c', `arn:aws:ecs:us-east-1:123456789012:task/${id}`), id);
    for (const ref of [taskArn({ ...scope, cluster: 'd', id }), 'a/b', clusterArn(scope, 'c')]) {
      assert.throws(() => taskId(scope, 'c', ref), is('InvalidParameter'));
    }
  });

  it('a task definition by family, with a revision, by ARN', () => {
    assert.deepEqual(taskDefinitionRef(scope, 'web'), { family: 'web', revision: undefined });
    assert.deepEqual(taskDefinitionRef(scope, 'web:7'), { family: 'web', revision: 7 });
    assert.deepEqual(taskDefinitionRef(scope, 'arn:aws:ecs:us-east-1:123456789012:task-definition/web:7'), { family: 'web', revision: 7 });
    for (const ref of ['', 'web:x', 'a/b', 'arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7']) {
      assert.throws(() => taskDefinitionRef(scope, ref), is('ClientError'));
    }
  });

  it('names have 1 to 255 letters, digits, hyphens and underscores', () => {
    assert.ok(isName('A-z_09') && isName('a'.repeat(255)));
    for (const name of ['', 'a'.repeat(256), 'a b', 'ä', 'a/b']) assert.throws(() => assertClusterName(name), is('InvalidParameter'));
    assert.throws(() => assertText('é', { what: 'token', max: 64, pattern: /^[!-~]*$/ }), is('InvalidParameter'));
  });
});

describe('sizes', () => {
  it('are written as numbers or with their units', () => {
    const cases = [
      [parseCpu('256'), 256],
      [parseCpu('.25 vCPU'), 256],
      [parseCpu('1vcpu'), 1024],
      [parseCpu('1 GB'), undefined],
      [parseCpu('0'), undefined],
      [parseCpu('1.5'), undefined],
      [parseMemory('512'), 512],
      [parseMemory('0.5GB'), 512],
      [parseMemory('2 gb'), 2048],
      [parseMemory('2 MB'), undefined],
      [parseMemory(''), undefined],
      [cpuUnitsToMillis(256), 250],
    ];
    for (const [found, expected] of cases) assert.equal(found, expected);
  });
});

describe('tags', () => {
  it('are refused when they break a rule', () => {
    const wrong = [
      [{ key: '', value: '' }],
      [{ key: 'k'.repeat(129), value: '' }],
      [{ key: 'k', value: 'v'.repeat(257) }],
      [{ key: 'AWS:k', value: '' }],
      [{ key: 'k', value: 'a\nb' }],
      [{ key: 'k' }, { key: 'k' }],
      Array.from({ length: 51 }, (_, i) => ({ key: `k${i}` })),
    ];
    for (const tags of wrong) assert.throws(() => assertTags(tags), is('InvalidParameter'));
    assert.deepEqual(assertTags([{ key: 'berth:endpoint', value: 'ä b+c=d@e' }, { key: 'k' }]), [
      { key: 'berth:endpoint', value: 'ä b+c=d@e' },
      { key: 'k', value: '' },
    ]);
  });

  it('new ones go over those that are there', () => {
    assert.deepEqual(mergeTags([{ key: 'a', value: '1' }], [{ key: 'a', value: '2' }]), [{ key: 'a', value: '2' }]);
  });
});

describe('capacity provider strategies', () => {
  it('are refused when they break a rule', () => {
    const wrong = [
      [{ capacityProvider: 'a', weight: 1001 }],
      [{ capacityProvider: 'a', weight: 1, base: -1 }],
      [{ capacityProvider: 'a', weight: 0 }],
      [
        { capacityProvider: 'a', weight: 1 },
        { capacityProvider: 'a', weight: 1 },
      ],
      [
        { capacityProvider: 'a', weight: 1, base: 1 },
        { capacityProvider: 'b', weight: 1, base: 1 },
      ],
      Array.from({ length: 21 }, (_, i) => ({ capacityProvider: `p${i}`, weight: 1 })),
    ];
    for (const strategy of wrong) assert.throws(() => assertStrategy(strategy), is('InvalidParameter'));
  });

  it('property: every task has a provider, the base is met first, and shares follow the weights', () => {
    const weights = fc.tuple(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 0, max: 10 }), fc.nat(5), fc.nat(60));
    fc.assert(
      fc.property(weights, ([a, b, base, count]) => {
        const chosen = divide(
          [
            { capacityProvider: 'a', weight: a, base },
            { capacityProvider: 'b', weight: b, base: 0 },
          ],
          count,
        );
        const given = chosen.filter((name) => name === 'a').length;
        assert.equal(chosen.length, count);
        assert.ok(given >= Math.min(base, count));
        const rest = Math.max(0, count - base);
        assert.ok(Math.abs(given - Math.min(base, count) - (rest * a) / (a + b)) <= 1);
      }),
    );
  });
});
