import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleContainer, sampleImage, samplePlan } from './samples.ts';
import { volumePlaces } from './volume-places.ts';

function placesOf(declared: string[], change: Parameters<typeof sampleContainer>[0] = {}) {
  const container = sampleContainer({ name: 'app', mounts: [], tmpfs: [], ...change });
  const plan = samplePlan([container]);
  const app = { ref: 'r', digest: 'd', layers: [], config: { ...sampleImage, volumes: declared } };
  const volumes = { data: { kind: 'scratch' as const }, shared: { kind: 'directory' as const, path: '/host/shared' } };
  return volumePlaces({ ...plan, volumes, images: { app } }, '/task/disk');
}

test('what an image declares is filled where it is mounted, and a volume without a name where it isn’t', () => {
  const mounts = [{ volume: 'data', path: '/srv/a/', readOnly: true }, { volume: 'data', path: '/b', readOnly: false }]; // prettier-ignore
  const { places, scratch, containers } = placesOf(['/srv//a', '/c'], { mounts });
  assert.deepEqual(scratch, ['/task/disk/volumes/0', '/task/disk/volumes/0-0']);
  assert.deepEqual(places, { data: '/task/disk/volumes/0', shared: '/host/shared', 'app /c': '/task/disk/volumes/0-0' });
  assert.deepEqual(containers['app']?.mounts, [...mounts, { volume: 'app /c', path: '/c', readOnly: false }]);
  assert.deepEqual(containers['app']?.fill, [
    { path: '/srv/a', volume: '/task/disk/volumes/0' },
    { path: '/c', volume: '/task/disk/volumes/0-0' },
  ]);
});

test('a named volume is filled wherever it is mounted, one that was made at launch is not', () => {
  const container = sampleContainer({ name: 'app', tmpfs: [], mounts: ['n', 'l'].map((volume) => ({ volume, path: `/${volume}`, readOnly: false })) }); // prettier-ignore
  const plan = samplePlan([container]);
  const volume = { kind: 'block' as const, volumeId: 'vol-1', sizeGib: 1, fileSystem: null, snapshotId: null };
  const named = { ...volume, name: 'n', from: { by: 'name' as const, volume: 'n', create: true, tags: [] } };
  const launched = { ...volume, name: 'l', from: { by: 'launch' as const, settings: {}, encrypted: false, kmsKeyId: null, initializationRate: null, roleArn: 'r', deleteOnTermination: true, tags: [] } }; // prettier-ignore
  const volumes = { n: { kind: 'directory' as const, path: '/v/n' }, l: { kind: 'directory' as const, path: '/v/l' } };
  const spec = { ...plan.spec, volumes: [named, launched] };
  assert.deepEqual(volumePlaces({ ...plan, spec, volumes }, '/task').containers['app']?.fill, [{ path: '/n', volume: '/v/n' }]);
});

test('never a directory of the host’s, the platform’s own places, nor what is no path', () => {
  const { containers, scratch } = placesOf(['/s', '/', '/proc/x', '/dev', '/sys', '/a/../proc', 'relative', '/t'], {
    mounts: [{ volume: 'shared', path: '/s', readOnly: false }],
    tmpfs: [{ path: '/t', sizeBytes: 1, options: [] }],
  });
  assert.deepEqual(containers['app']?.fill, []);
  assert.deepEqual(scratch, ['/task/disk/volumes/0']);
});
