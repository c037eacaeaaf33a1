/** GetUsage over a store of its own: what has ended and what lives, in one answer. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { newTaskObserved } from '#domain/task.ts';
import type { TaskObserved } from '#domain/task.ts';
import type { HostRecord } from '#domain/records.ts';
import { newVolumeObserved } from '#domain/volume.ts';
import type { VolumeDesired } from '#domain/volume.ts';
import { deleteFileSystem, modifyVolume } from '#intent/index.ts';
import { silentLog } from '#base/log.ts';
import { startUsageLoop } from '#control/usage-loop.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { realRandom } from '#base/random.ts';
import type { CallContext } from '#gateway/types.ts';
import { scope, taskDesired, taskKey } from '../../../test/conformance/store.ts';
import { getUsage } from './get-usage.ts';

const HOUR = 3600_000;
const START = Date.UTC(2026, 10, 27);
const clock = virtualClock(START + 24 * HOUR);
let store: Store;

before(async () => {
  store = await createSqliteStore({ path: ':memory:' });
});
after(() => store.close());

async function task(id: string, team: string | null, times: Partial<TaskObserved>) {
  const tags = team === null ? [] : [{ key: 'team', value: team }];
  const desired = taskDesired({ tags, service: { name: 'web', revisionId: 'r', taskSetId: null } });
  await store.write(async (tx) => {
    await tx.tasks.insert(taskKey(id), desired, newTaskObserved(desired.spec));
    await tx.tasks.setObserved(taskKey(id), { ...newTaskObserved(desired.spec), status: 'RUNNING', ...times }, 1);
  });
}

const ask = async (input: object) =>
  (await getUsage({ store, clock }).handle(input, scope as CallContext)) as {
    groups: Record<string, unknown>[];
    total: Record<string, unknown>;
  };
const row = (name: string | undefined, tasks: number, hours: number, more = {}) => ({
  ...(name === undefined ? {} : { name }),
  tasks,
  vcpuSeconds: 0.25 * hours * 3600,
  gbSeconds: 0.5 * hours * 3600,
  ephemeralGbHours: hours,
  volumeGbHours: 0,
  fileSystemGbHours: 0,
  ...more,
});

it('sums what ended and what lives, for any span and by what is asked', async () => {
  await task('ended', 'a', { status: 'STOPPED', pullStartedAt: START, stoppedAt: START + 2 * HOUR });
  await task('runs', 'b', { pullStartedAt: START + 20 * HOUR });
  await task('waits', 'b', {});
  await task('old', null, { status: 'STOPPED', pullStartedAt: START - 48 * HOUR, stoppedAt: START - 47 * HOUR });
  const all = await ask({ by: 'tag:team' });
  assert.deepEqual(all.groups, [row('', 1, 1), row('a', 1, 2), row('b', 1, 4)]);
  assert.deepEqual(all.total, row(undefined, 3, 7));
  const part = { since: START + HOUR, until: START + 21 * HOUR };
  assert.deepEqual((await ask({ ...part, by: 'task' })).groups, [row('ended', 1, 1), row('runs', 1, 1)]);
  assert.deepEqual((await ask(part)).groups, [row('default/web', 2, 2)]);
  const days = (await ask({ by: 'day' })).groups;
  assert.deepEqual(days, [row('2026-11-25', 1, 1), row('2026-11-27', 2, 6)]);
  // Named in its own region alone.
  assert.deepEqual((await getUsage({ store, clock }).handle({}, { ...scope, region: 'eu-west-1' } as CallContext)).groups, []);
});

it('counts a volume by each size that it had, whatever it was before', async () => {
  const wish: VolumeDesired = {
    type: 'gp3', sizeGib: 10, iops: 3000, throughput: 125, createdAt: START, zone: 'us-east-1a', zoneId: 'use1-az1', encrypted: false, kmsKeyId: null,
    snapshotId: null, initializationRate: null, tags: [{ key: 'team', value: 'v' }], clientToken: null, task: null, name: null, modification: null, deletedAt: null,
  }; // prettier-ignore
  const id = `vol-${'0'.repeat(17)}`;
  await store.write((tx) => tx.volumes.insert({ ...scope, id }, wish, { ...newVolumeObserved(), sizeGib: 10 }));
  await modifyVolume({ store, clock, random: realRandom() }, scope, id, { sizeGib: 20 });
  await clock.advance(HOUR);
  const volume = { tasks: 0, vcpuSeconds: 0, gbSeconds: 0, ephemeralGbHours: 0, volumeGbHours: 24 * 10 + 20, fileSystemGbHours: 0 };
  assert.deepEqual((await ask({ by: 'tag:team' })).groups.at(-1), { name: 'v', ...volume });
  assert.deepEqual((await ask({ by: 'task', since: START })).groups.at(-1), { name: id, ...volume });
});

it('counts a file system by what its host measured in it, and what was noted of it before', async () => {
  const id = `fs-${'0'.repeat(17)}`;
  const system = {
    key: { ...scope, id }, creationToken: 'x', createdAt: START, performanceMode: 'generalPurpose' as const, throughputMode: 'elastic' as const, provisionedMibps: null,
    encrypted: false, kmsKeyId: null, zone: null, backup: false, lifecycle: [], overwriteProtection: 'ENABLED' as const, tags: [],
  }; // prettier-ignore
  const usage = {
    freeMemoryBytes: 0,
    freeDiskBytes: 0,
    loadPercent: 0,
    tasks: 0,
    sandboxes: [],
    fileSystems: [{ id, bytes: 3 * 1024 ** 3, at: START }],
  };
  await store.write(async (tx) => {
    await tx.fileSystems.put(system, 0);
    await tx.hosts.put({ key: { hostId: 'h' }, info: {} as HostRecord['info'], usage, status: 'CONNECTED', seenAt: 1 }, 0);
  });
  const told = async () => (await ask({ by: 'task', since: START })).groups.find(({ name }) => name === id)?.['fileSystemGbHours'];
  assert.equal(await told(), 25 * 3);
  const loop = startUsageLoop({ store, clock, log: silentLog }, 'me');
  await clock.advance(60_000);
  await loop.stop();
  const noted = await store.read((tx) => tx.usage.lastEnd('fileSystem', id));
  assert.equal(noted, START + 25 * HOUR);
  await store.write(async (tx) => {
    const host = await tx.hosts.get({ hostId: 'h' });
    assert.ok(host);
    await tx.hosts.put({ ...host, usage: { ...usage, fileSystems: [{ id, bytes: 1024 ** 3, at: START }] } }, host.revision);
  });
  await clock.advance(HOUR - 60_000);
  assert.equal(await told(), 25 * 3 + 1);
  await deleteFileSystem({ store, clock, random: realRandom() }, scope, id);
  await clock.advance(HOUR);
  assert.equal(await told(), 25 * 3 + 1, 'it counts to its end, and is remembered');
});

it('refuses what makes no sense', async () => {
  for (const input of [{ by: 'hour' }, { by: 'tag:' }, { since: 5, until: 5 }, { since: -1 }, { since: NaN }, { since: 9, until: 8 }]) {
    await assert.rejects(ask(input), (error) => isFault(error, 'InvalidParameter'), JSON.stringify(input));
  }
});
