import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { taskDesired, taskKey } from '../../test/conformance/store.ts';
import { newTaskObserved } from './task.ts';
import type { TaskDesired, TaskObserved, TaskRecord } from './task.ts';
import { addUsage, emptyUsage, taskUsage, usageGrouping, usageGroups } from './usage.ts';
import type { UsageEntry, UsageGrouping, UsageSpan } from './usage.ts';

const AT = Date.UTC(2026, 10, 27);
const DAY = 24 * 3600_000;

function task(times: Partial<TaskObserved>, change: Partial<TaskDesired> = {}): TaskRecord {
  const desired = taskDesired(change);
  return { key: taskKey('t'), revision: 1, desired, placement: null, observed: { ...newTaskObserved(desired.spec), ...times } };
}

describe('a task counts', () => {
  const lasts = (times: Partial<TaskObserved>, now = AT + 10 * DAY) => {
    const entry = taskUsage(task(times), now);
    return entry === undefined ? undefined : [entry.from - AT, entry.to - AT];
  };

  it('from the start of its pull to its stop, to the second and at least for a minute', () => {
    assert.deepEqual(lasts({ pullStartedAt: AT, startedAt: AT + 5000, stoppedAt: AT + 90_001 }), [0, 91_000]);
    assert.deepEqual(lasts({ pullStartedAt: AT, stoppedAt: AT + 90_000 }), [0, 90_000]);
    assert.deepEqual(lasts({ pullStartedAt: AT, stoppedAt: AT + 10 }), [0, 60_000]);
    assert.deepEqual(lasts({ pullStartedAt: AT }, AT + 7), [0, 7]);
    assert.equal(lasts({ stoppedAt: AT }), undefined);
  });

  it('its size, and of its ephemeral storage what is beyond 20 GiB', () => {
    assert.deepEqual(taskUsage(task({ pullStartedAt: AT }), AT)?.rates, {
      cpuMillis: 250,
      memoryMib: 512,
      ephemeralMib: 1024,
      volumeMib: 0,
      fileSystemMib: 0,
    });
  });
});

const entries = fc.array(
  fc.record({
    kind: fc.constantFrom('task' as const, 'volume' as const, 'fileSystem' as const),
    from: fc.integer({ min: 0, max: 3 * DAY }),
    ms: fc.integer({ min: 1, max: 3 * DAY }),
    rate: fc.integer({ min: 0, max: 1 << 20 }),
    name: fc.constantFrom('a', 'b', ''),
  }),
  { minLength: 1, maxLength: 12 },
);
type Drawn = { kind: UsageEntry['key']['kind']; from: number; ms: number; rate: number; name: string };
const entryOf = ({ kind, from, ms, rate, name }: Drawn, index: number): UsageEntry => ({
  key: { account: '1', region: 'r', kind, id: `x${index}` },
  from: AT + from,
  to: AT + from + ms,
  rates: { cpuMillis: rate, memoryMib: rate, ephemeralMib: rate, volumeMib: rate, fileSystemMib: rate },
  task: kind === 'task' ? `x${index}` : null,
  cluster: name,
  service: name === '' ? null : name,
  family: name,
  tags: name === '' ? [] : [{ key: 'team', value: name }],
});

/** Without the count of tasks: one that reaches over a cut is in both parts. */
function sumOf(all: readonly UsageEntry[], spans: readonly UsageSpan[]) {
  const sum = emptyUsage();
  for (const span of spans) for (const entry of all) addUsage(sum, entry, span);
  return { ...sum, tasks: 0 };
}

describe('sums', () => {
  it('over any split of a span are the whole, to the last bit', () => {
    const cuts = fc.array(fc.integer({ min: 0, max: 7 * DAY }), { maxLength: 8 });
    fc.assert(
      fc.property(entries, cuts, fc.boolean(), (drawn, at, open) => {
        const all = drawn.map(entryOf);
        const edges = [0, ...at, 7 * DAY].toSorted((a, b) => a - b).map((edge) => AT + edge);
        const parts = edges.slice(1).map((end, index) => ({ start: edges[index] ?? 0, end }));
        const last = parts.at(-1);
        if (open && last !== undefined) last.end = Infinity;
        assert.deepEqual(sumOf(all, parts), sumOf(all, [{ start: AT, end: Infinity }]));
      }),
    );
  });

  it('by whatever they are grouped are together the whole', () => {
    const groupings = ['task', 'service', 'cluster', 'family', 'day', 'tag:team'] satisfies UsageGrouping[];
    fc.assert(
      fc.property(
        entries,
        fc.constantFrom(...groupings),
        fc.integer({ min: 0, max: 4 * DAY }),
        fc.integer({ min: 1, max: 4 * DAY }),
        (drawn, by, start, ms) => {
          const all = drawn.map(entryOf);
          const span = { start: AT + start, end: AT + start + ms };
          const groups = new Map<string, ReturnType<typeof emptyUsage>>();
          for (const entry of all) {
            for (const group of usageGroups(entry, by, span)) {
              const sum = groups.get(group.name) ?? emptyUsage();
              addUsage(sum, entry, group.span);
              groups.set(group.name, sum);
            }
          }
          const together = emptyUsage();
          for (const sum of groups.values()) for (const name of Object.keys(sum) as (keyof typeof sum)[]) together[name] += sum[name];
          assert.deepEqual({ ...together, tasks: 0 }, sumOf(all, [span]));
        },
      ),
    );
  });

  it('know by what they may be grouped', () => {
    assert.deepEqual(['task', 'tag:a:b', 'tag:', 'hour', ''].map(usageGrouping), ['task', 'tag:a:b', undefined, undefined, undefined]);
  });
});
