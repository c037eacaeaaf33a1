/** S3 Files through the real gateway, with the SDK's client and the real store. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { S3Files } from '@aws-sdk/client-s3files';
import { realClock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { authorizeRoot, createGateway, openKeys, type Gateway } from '#gateway/index.ts';
import { ensureRegion } from '#intent/index.ts';
import { openObjects, type Objects } from '#objects/index.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { createS3FilesApi } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-s3files-'));
const deps = { clock: realClock(), random: realRandom(), log: silentLog };
const keys = openKeys(deps, { path: join(folder, 'keys.json'), account: '123456789012' });
const scope = { account: '123456789012', region: 'us-east-1' };
const roleArn = 'arn:aws:iam::123456789012:role/sync';
const foreignRole = 'arn:aws:iam::123456789012:role/of-others';
const bucket = 'arn:aws:s3:::shelf';
const nobody = `fs-${'0'.repeat(17)}`;
let gateway: Gateway;
let store: Store;
let objects: Objects;
let api: S3Files;
let subnets: string[];

before(async () => {
  store = await createSqliteStore({ path: ':memory:' });
  objects = await openObjects(deps, { dir: join(folder, 'objects') });
  objects.createBucket({ name: 'shelf', ...scope, tags: [] });
  objects.createBucket({ name: 'foreign', account: '999999999999', region: 'us-east-1', tags: [] });
  objects.createBucket({ name: 'far', account: scope.account, region: 'eu-west-1', tags: [] });
  const info = { hostname: 'h', arch: 'amd64' as const, cpuMillis: 1, memoryBytes: 1, reserveBytes: 0, isolation: [], strictCapacity: false, occupiedCidrs: [], cidrSeed: 0 }; // prettier-ignore
  const usage = { freeMemoryBytes: 1, freeDiskBytes: 1, loadPercent: 0, tasks: 0, sandboxes: [] };
  await store.write((tx) => tx.hosts.put({ key: { hostId: 'h' }, info, usage, status: 'CONNECTED', seenAt: 1 }, 0));
  await ensureRegion({ ...deps, store }, scope);
  subnets = (await store.read((tx) => tx.subnets.list(scope))).map((subnet) => subnet.key.id);
  gateway = createGateway({
    ...deps,
    apis: [createS3FilesApi({ ...deps, store, objects })],
    keys,
    authorize: (principal, action, resources, context, facts) => {
      if (action === 'iam:PassRole' && resources.includes(foreignRole)) throw new Fault('AccessDenied', `${facts['iam:PassedToService']}`);
      return authorizeRoot(principal, action, resources, context, facts);
    },
    version: 'test',
  });
  const port = await gateway.listen({ host: '127.0.0.1', port: 0 });
  api = new S3Files({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', maxAttempts: 1, credentials: keys.root });
});
after(async () => {
  api.destroy();
  await gateway.close();
  await objects.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const create = async (more: object = {}) => (await api.createFileSystem({ bucket, roleArn, ...more })).fileSystemId ?? '';

it('makes, finds, lists and deletes a file system, by its id and by its ARN', async () => {
  const wish = { bucket, roleArn, prefix: 'a/b/', clientToken: 'one', tags: [{ key: 'Name', value: 'shared' }] };
  const made = await api.createFileSystem(wish);
  assert.equal(made.$metadata.httpStatusCode, 201);
  assert.match(made.fileSystemId ?? '', /^fs-[0-9a-f]{17}$/);
  assert.deepEqual(
    [made.status, made.name, made.bucket, made.prefix, made.roleArn, made.ownerId, made.fileSystemArn],
    ['available', 'shared', bucket, 'a/b/', roleArn, scope.account, `arn:aws:s3files:us-east-1:${scope.account}:file-system/${made.fileSystemId}`], // prettier-ignore
  );
  assert.equal((await api.createFileSystem(wish)).fileSystemId, made.fileSystemId);
  await assert.rejects(api.createFileSystem({ ...wish, prefix: '' }), {
    name: 'ConflictException',
    errorCode: 'FileSystemAlreadyExists',
    resourceId: made.fileSystemId,
  });
  for (const fileSystemId of [made.fileSystemId, made.fileSystemArn]) {
    const { $metadata: _a, ...found } = await api.getFileSystem({ fileSystemId });
    const { $metadata: _b, ...first } = made;
    assert.deepEqual(found, first);
  }
  const other = await create();
  const first = await api.listFileSystems({ maxResults: 1, bucket });
  const second = await api.listFileSystems({ maxResults: 1, bucket, nextToken: first.nextToken });
  const ids = [...(first.fileSystems ?? []), ...(second.fileSystems ?? [])].map(({ fileSystemId }) => fileSystemId);
  assert.deepEqual([ids, second.nextToken], [[made.fileSystemId, other].toSorted(), undefined]);
  assert.deepEqual((await api.listFileSystems({ bucket: `${bucket}-2` })).fileSystems, []);
  assert.equal((await api.deleteFileSystem({ fileSystemId: made.fileSystemArn })).$metadata.httpStatusCode, 204);
  await api.deleteFileSystem({ fileSystemId: other });
  await assert.rejects(api.getFileSystem({ fileSystemId: made.fileSystemId }), {
    name: 'ResourceNotFoundException',
    errorCode: 'FileSystemNotFound',
    message: `File system '${made.fileSystemId}' does not exist.`,
  });
});

it('refuses what is no bucket of the account and region, no prefix and no role, and changes nothing', async () => {
  const refusals: [object, string][] = [
    [{ bucket: 'arn:aws:s3:::none' }, 'ResourceNotFoundException'],
    [{ bucket: 'arn:aws:s3:::foreign' }, 'ResourceNotFoundException'],
    [{ bucket: 'arn:aws:s3:::far' }, 'ValidationException'],
    [{ bucket: 'shelf' }, 'ValidationException'],
    [{ prefix: 'a' }, 'ValidationException'],
    [{ prefix: `${'a'.repeat(1024)}/` }, 'ValidationException'],
    [{ roleArn: 'sync' }, 'ValidationException'],
    [{ roleArn: foreignRole }, 'AccessDeniedException'],
    [{ tags: [{ key: 'berth:export-after', value: 'soon' }] }, 'ValidationException'],
    [{ tags: [{ key: 'aws:x', value: '' }] }, 'ValidationException'],
  ];
  for (const [more, name] of refusals) await assert.rejects(create(more), { name });
  assert.deepEqual((await api.listFileSystems({})).fileSystems, []);
});

it('has access points, the same again for the same token, gone with their file system', async () => {
  const fileSystemId = await create();
  const wish = {
    fileSystemId,
    clientToken: 'a',
    posixUser: { uid: 1000, gid: 1001, secondaryGids: [7] },
    rootDirectory: { path: '/app/data', creationPermissions: { ownerUid: 1000, ownerGid: 1001, permissions: '0750' } },
  };
  const made = await api.createAccessPoint(wish);
  assert.equal(
    made.accessPointArn,
    `arn:aws:s3files:us-east-1:${scope.account}:file-system/${fileSystemId}/access-point/${made.accessPointId}`,
  );
  assert.equal((await api.createAccessPoint(wish)).accessPointId, made.accessPointId);
  await assert.rejects(api.createAccessPoint({ ...wish, posixUser: { uid: 1, gid: 1 } }), {
    name: 'ConflictException',
    errorCode: 'AccessPointAlreadyExists',
    resourceId: made.accessPointId,
    resourceType: 'AccessPoint',
  });
  const found = await api.getAccessPoint({ accessPointId: made.accessPointArn });
  assert.deepEqual([found.rootDirectory, found.posixUser, found.fileSystemId], [wish.rootDirectory, wish.posixUser, fileSystemId]);
  const [listed] = (await api.listAccessPoints({ fileSystemId })).accessPoints ?? [];
  assert.equal(listed?.accessPointId, made.accessPointId);
  for (const path of ['/a/../b', '/a/.', 'a', '/a/b/c/d/e', '/a|b'])
    await assert.rejects(api.createAccessPoint({ fileSystemId, rootDirectory: { path } }), { name: 'ValidationException' });
  await assert.rejects(api.createAccessPoint({ fileSystemId: nobody }), { errorCode: 'FileSystemNotFound' });
  await api.deleteFileSystem({ fileSystemId });
  await assert.rejects(api.getAccessPoint({ accessPointId: made.accessPointId }), { errorCode: 'AccessPointNotFound' });
});

it('has mount targets, one in a zone, that keep the file system from being deleted', async () => {
  const fileSystemId = await create();
  const made = await api.createMountTarget({ fileSystemId, subnetId: subnets[0] });
  const subnet = await store.read((tx) => tx.subnets.get({ ...scope, id: subnets[0] ?? '' }));
  assert.ok(made.ipv4Address?.startsWith(subnet?.cidr.split('.').slice(0, 2).join('.') ?? 'none'));
  assert.deepEqual([made.availabilityZoneId, made.vpcId], [subnet?.zoneId, subnet?.vpcId]);
  await assert.rejects(api.createMountTarget({ fileSystemId, subnetId: subnets[0] }), {
    name: 'ConflictException',
    errorCode: 'MountTargetConflict',
  });
  await assert.rejects(api.createMountTarget({ fileSystemId, subnetId: subnets[1], ipv4Address: made.ipv4Address }), {
    name: 'ValidationException',
  });
  const groups = made.securityGroups ?? [];
  assert.deepEqual((await api.updateMountTarget({ mountTargetId: made.mountTargetId, securityGroups: groups })).securityGroups, groups);
  await assert.rejects(api.deleteFileSystem({ fileSystemId, forceDelete: true }), {
    name: 'ConflictException',
    errorCode: 'FileSystemInUse',
  });
  assert.equal((await api.listMountTargets({ fileSystemId })).mountTargets?.[0]?.mountTargetId, made.mountTargetId);
  await api.deleteMountTarget({ mountTargetId: made.mountTargetId });
  await assert.rejects(api.getMountTarget({ mountTargetId: made.mountTargetId }), { errorCode: 'MountTargetNotFound' });
  await api.deleteFileSystem({ fileSystemId });
});

it('is deleted with changes that the bucket lacks by force alone, and tells why they are not there', async () => {
  const fileSystemId = await create();
  await store.write(async (tx) => {
    const record = await tx.bucketSystems.get({ ...scope, id: fileSystemId });
    assert.ok(record);
    const observed = { hosts: { h: { pending: 2, hidden: 0, failure: 'the role may not' } } };
    await tx.bucketSystems.setObserved(record.key, observed, record.revision);
  });
  const { status, statusMessage } = await api.getFileSystem({ fileSystemId });
  assert.deepEqual([status, statusMessage], ['error', 'the role may not']);
  await assert.rejects(api.deleteFileSystem({ fileSystemId }), { name: 'ConflictException', errorCode: 'PendingExports' });
  await api.deleteFileSystem({ fileSystemId, forceDelete: true });
});

it('keeps rules of synchronization, of which the caller must know the newest, and tags', async () => {
  const fileSystemId = await create();
  const first = await api.getSynchronizationConfiguration({ fileSystemId });
  assert.deepEqual(first.expirationDataRules, [{ daysAfterLastAccess: 30 }]);
  const rules = { importDataRules: [{ prefix: 'a/', trigger: 'ON_FILE_ACCESS' as const, sizeLessThan: 5 }], expirationDataRules: [{ daysAfterLastAccess: 7 }] }; // prettier-ignore
  await api.putSynchronizationConfiguration({ fileSystemId, ...rules, latestVersionNumber: first.latestVersionNumber });
  const { latestVersionNumber, importDataRules, expirationDataRules } = await api.getSynchronizationConfiguration({ fileSystemId });
  assert.deepEqual({ importDataRules, expirationDataRules }, rules);
  assert.equal(latestVersionNumber, (first.latestVersionNumber ?? 0) + 1);
  await assert.rejects(api.putSynchronizationConfiguration({ fileSystemId, ...rules, latestVersionNumber: 1 }), {
    name: 'ConflictException',
  });
  await assert.rejects(api.putSynchronizationConfiguration({ fileSystemId, ...rules, expirationDataRules: [{ daysAfterLastAccess: 0 }] }), {
    name: 'ValidationException',
  });
  await assert.rejects(api.getFileSystemPolicy({ fileSystemId }), { name: 'ResourceNotFoundException', errorCode: 'PolicyNotFound' });
  await api.tagResource({ resourceId: fileSystemId, tags: [{ key: 'a', value: '1' }, { key: 'b', value: '2' }] }); // prettier-ignore
  await api.untagResource({ resourceId: fileSystemId, tagKeys: ['a'] });
  assert.deepEqual((await api.listTagsForResource({ resourceId: fileSystemId })).tags, [{ key: 'b', value: '2' }]);
  await api.deleteFileSystem({ fileSystemId });
});
