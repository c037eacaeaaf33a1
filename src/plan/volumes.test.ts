import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostRecord } from '#domain/records.ts';
import type { TaskRecord } from '#domain/task.ts';
import type { SnapshotRecord, VolumeRecord } from '#domain/volume.ts';
import { planVolumes } from './volumes.ts';
import type { VolumesSnapshot } from './volumes.ts';

const scope = { account: '1', region: 'r' };
type Change<R extends { desired: object; observed: object }> = Partial<R['desired'] & R['observed']>;
const hostIn = (hostId: string, freeDiskBytes: number, status = 'CONNECTED') => ({ key: { hostId }, status, usage: { freeDiskBytes } }) as HostRecord; // prettier-ignore
const hosts = [hostIn('small', 1), hostIn('large', 2), hostIn('gone', 3, 'DISCONNECTED')];
function volume(change: Change<VolumeRecord> = {}): VolumeRecord {
  const { hostId = null, sizeGib: _, error = null, ...desired } = change;
  const made = change.sizeGib ?? null;
  const wish = { sizeGib: 2, task: null, name: null, snapshotId: null, deletedAt: null, ...desired };
  return { key: { ...scope, id: 'vol' }, revision: 1, desired: wish, observed: { hostId, sizeGib: made, error } } as VolumeRecord;
}
function snapshot(change: Change<SnapshotRecord> = {}): SnapshotRecord {
  const { state = 'pending', hostId = null, ...desired } = change;
  return { key: { ...scope, id: 'snap' }, revision: 1, desired: { volumeId: 'vol', deletedAt: null, ...desired }, observed: { state, hostId } } as SnapshotRecord; // prettier-ignore
}
const task = (status: string, startedAt: number | null) => ({ key: { id: 't' }, observed: { status, startedAt } }) as unknown as TaskRecord;
const owner = (deleteOnTermination: boolean) => ({ cluster: 'c', id: 't', volume: 'v', deleteOnTermination });
function steps(change: Partial<VolumesSnapshot>): string[] {
  return planVolumes({ volumes: [], snapshots: [], hosts, tasks: new Map(), ...change }).map((step) =>
    'hostId' in step ? `${step.kind} ${step.hostId}` : step.kind,
  );
}

test('a volume goes where there is most room, or where its snapshot is; a name waits for its first task', () => {
  assert.deepEqual(steps({ volumes: [volume()] }), ['place large']);
  assert.deepEqual(steps({ volumes: [volume({ snapshotId: 'snap' })], snapshots: [snapshot({ state: 'completed', hostId: 'small' })] }), [
    'place small',
  ]);
  assert.deepEqual(steps({ volumes: [volume({ name: 'n' })] }), []);
  assert.deepEqual(steps({ volumes: [volume({ name: 'n' })], snapshots: [snapshot()] }), ['place large']);
});

test('it is made and grown by its host alone, when that is there', () => {
  assert.deepEqual(steps({ volumes: [volume({ hostId: 'small' })] }), ['keep small']);
  assert.deepEqual(steps({ volumes: [volume({ hostId: 'small', sizeGib: 1 })] }), ['keep small']);
  assert.deepEqual(steps({ volumes: [volume({ hostId: 'small', sizeGib: 2 })] }), []);
  assert.deepEqual(steps({ volumes: [volume({ hostId: 'gone' })] }), []);
});

test('what was made for a task goes with it, or stays and is told of', () => {
  const at = (status: string, startedAt: number | null) => new Map([['t', task(status, startedAt)]]);
  for (const stays of [true, false]) {
    const made = (hostId: string | null) => [volume({ task: owner(!stays), hostId })];
    assert.deepEqual(steps({ volumes: made(null), tasks: at('PROVISIONING', null) }), []);
    assert.deepEqual(steps({ volumes: made('small'), tasks: at('PENDING', null) }), []);
    assert.deepEqual(steps({ volumes: made('small'), tasks: at('RUNNING', 1) }), ['keep small']);
    assert.deepEqual(steps({ volumes: made('small'), tasks: at('STOPPED', 1) }), [stays ? 'keep small' : 'remove small']);
    assert.deepEqual(steps({ volumes: made('small') }), [stays ? 'keep small' : 'remove small']);
    assert.deepEqual(steps({ volumes: made(null), tasks: at('STOPPED', null) }), [stays ? 'place large' : 'remove null']);
  }
});

test('a snapshot is taken before its volume goes, and fails when that is gone', () => {
  const going = { hostId: 'small', sizeGib: 2, deletedAt: 1 };
  assert.deepEqual(steps({ volumes: [volume(going)], snapshots: [snapshot()] }), ['take small']);
  assert.deepEqual(steps({ volumes: [volume(going)], snapshots: [snapshot({ state: 'completed', hostId: 'small' })] }), ['remove small']);
  assert.deepEqual(steps({ volumes: [volume({ hostId: 'small', deletedAt: 1 })], snapshots: [snapshot()] }), ['keep small']);
  assert.deepEqual(steps({ volumes: [volume({ deletedAt: 1 })], snapshots: [snapshot()] }), ['remove null']);
  assert.deepEqual(steps({ snapshots: [snapshot()] }), ['fail']);
  assert.deepEqual(steps({ snapshots: [snapshot({ state: 'completed', hostId: 'small', deletedAt: 1 })] }), ['drop small']);
  assert.deepEqual(steps({ snapshots: [snapshot({ state: 'completed', hostId: 'gone', deletedAt: 1 })] }), []);
});
