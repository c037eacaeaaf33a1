import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { attachStages, CURRENT, dropStage, moveStage, PREVIOUS, stagesOf, surplusVersions } from './secret.ts';
import type { SecretVersionRecord, Stages } from './secret.ts';

const stage = fc.constantFrom(CURRENT, PREVIOUS, 'AWSPENDING', 'mine');
const version = fc.constantFrom('a', 'b', 'c', 'd');
const step = fc.oneof(
  fc.record({ how: fc.constant('put' as const), version, stages: fc.uniqueArray(stage, { minLength: 1 }) }),
  fc.record({ how: fc.constant('move' as const), version, stages: fc.tuple(stage) }),
  fc.record({ how: fc.constant('drop' as const), version, stages: fc.tuple(fc.constantFrom(PREVIOUS, 'AWSPENDING', 'mine')) }),
);

test('whatever is put and moved: from the first version on one is current, and the one before it is the previous', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      let stages: Stages = {};
      for (const { how, version, stages: wished } of steps) {
        const before = stages;
        if (how === 'put') stages = attachStages(before, version, wished);
        else if (before[CURRENT] === undefined) continue;
        else stages = how === 'move' ? moveStage(before, wished[0] ?? '', version) : dropStage(before, wished[0] ?? '');
        assert.notEqual(stages[CURRENT], undefined);
        const moved = before[CURRENT] !== undefined && stages[CURRENT] !== before[CURRENT];
        // A caller may say where AWSPREVIOUS goes, beside AWSCURRENT or after it.
        if (moved && !(wished as string[]).includes(PREVIOUS)) assert.equal(stages[PREVIOUS], before[CURRENT]);
        if (how !== 'drop') for (const one of wished) assert.equal(stages[one], moved && one === PREVIOUS ? stages[PREVIOUS] : version);
        for (const one of Object.keys(before)) {
          const touched = (wished as string[]).includes(one) || (moved && one === PREVIOUS);
          if (!touched) assert.equal(stages[one], before[one]);
        }
      }
    }),
  );
});

test('only deprecated versions make way, the oldest first, and no more of them than are too many', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(1000), { maxLength: 12 }),
      fc.array(fc.nat(11), { maxLength: 4 }),
      fc.nat(8),
      (times, named, keep) => {
        const versions = times.map((createdAt) => ({ key: { id: String(createdAt) }, createdAt }) as unknown as SecretVersionRecord);
        const stages = Object.fromEntries(
          named.flatMap((at, index) => (times[at] === undefined ? [] : [[`s${index}`, String(times[at])]])),
        );
        const gone = surplusVersions(stages, versions, keep).map(({ key }) => key.id);
        const deprecated = versions
          .filter(({ key }) => stagesOf(stages, key.id).length === 0)
          .toSorted((a, b) => a.createdAt - b.createdAt);
        const most = Math.max(0, versions.length - keep);
        assert.deepEqual(gone, deprecated.slice(0, most).map(({ key }) => key.id)); // prettier-ignore
      },
    ),
  );
});
