import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { expiredImages, parseLifecycle, type LifecycleImage } from './ecr-lifecycle.ts';

const DAY = 24 * 3600_000;
const NOW = 1000 * DAY;
const image = (digest: string, daysAgo: number, tags: string[] = [], more: Partial<LifecycleImage> = {}): LifecycleImage => ({
  digest,
  pushedAt: NOW - daysAgo * DAY,
  pulledAt: null,
  tags,
  children: [],
  subject: null,
  ...more,
});
const policy = (...selections: object[]) =>
  parseLifecycle(
    JSON.stringify({ rules: selections.map((selection, i) => ({ rulePriority: i + 1, selection, action: { type: 'expire' } })) }, null, 8),
  );
const due = (images: LifecycleImage[], ...selections: object[]) =>
  expiredImages(images, policy(...selections), NOW).map(({ digest, priority }) => `${digest}${priority}`);
const more = (countNumber: number, other: object) => ({ countType: 'imageCountMoreThan', countNumber, ...other });
const since = (countNumber: number, other: object) => ({ countType: 'sinceImagePushed', countUnit: 'days', countNumber, ...other });

it('the examples of the user guide', () => {
  const images = [
    image('a', 9, ['prod1', 'beta1']),
    image('b', 8, ['beta1', 'beta2']),
    image('c', 7, ['beta3']),
    image('d', 20),
    image('e', 1),
  ];
  assert.deepEqual(due(images, since(14, { tagStatus: 'untagged' })), ['d1']);
  assert.deepEqual(due(images, more(1, { tagStatus: 'tagged', tagPrefixList: ['beta'] })), ['b1', 'a1']);
  // An image needs a tag for each of the prefixes.
  assert.deepEqual(due(images, since(1, { tagStatus: 'tagged', tagPrefixList: ['prod', 'beta'] })), ['a1']);
  // What a rule selects is decided by it, whatever comes behind.
  assert.deepEqual(due(images, more(1, { tagStatus: 'tagged', tagPatternList: ['prod*'] }), more(1, { tagStatus: 'any' })), [
    'c2',
    'b2',
    'd2',
  ]);
  assert.deepEqual(due(images, more(99, { tagStatus: 'any' })), []);
});

it('what an index names stays, and what speaks of an image goes with it', () => {
  const images = [image('i', 30, ['x'], { children: ['c'] }), image('c', 40), image('s', 1, [], { subject: 'o' }), image('o', 50)];
  assert.deepEqual(due(images, since(14, { tagStatus: 'untagged' })), ['o1', 's1']);
});

it('no policy keeps fewer, or an image that is younger, than it says', () => {
  const images = fc.array(fc.record({ days: fc.nat(40), tags: fc.subarray(['a1', 'a2', 'b1']) }), { maxLength: 12 }).map((all) => all.map(({ days, tags }, i) => image(`d${i}`, days, tags))); // prettier-ignore
  fc.assert(
    fc.property(images, fc.integer({ min: 1, max: 10 }), (all, n) => {
      assert.equal(expiredImages(all, policy(more(n, { tagStatus: 'any' })), NOW).length, Math.max(0, all.length - n));
      const old = new Set(expiredImages(all, policy(since(n, { tagStatus: 'any' })), NOW).map(({ digest }) => digest));
      for (const { digest, pushedAt } of all) assert.equal(old.has(digest), NOW - pushedAt > n * DAY);
    }),
  );
});

it('what is no policy is refused', () => {
  const bad = (text: string, why: RegExp) => assert.throws(() => parseLifecycle(text.padEnd(120)), why);
  bad('no', /not JSON/);
  bad('{"rules":[]}', /missing required properties/);
  const one = (rule: object) =>
    JSON.stringify({ rules: [{ rulePriority: 1, action: { type: 'expire' }, selection: more(1, { tagStatus: 'any' }), ...rule }] });
  bad(one({ rulePriority: 0 }), /rulePriority/);
  bad(one({ action: { type: 'keep' } }), /must be expire/);
  bad(one({ selection: more(0, { tagStatus: 'any' }) }), /countNumber/);
  bad(one({ selection: more(1, { tagStatus: 'some' }) }), /tagStatus/);
  bad(one({ selection: more(1, { tagStatus: 'tagged' }) }), /tagPrefixList/);
  bad(one({ selection: { ...since(1, { tagStatus: 'any' }), countUnit: 'hours' } }), /countUnit/);
});
