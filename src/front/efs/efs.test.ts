/** EFS through the real gateway, with the SDK's client and the real store. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { EFS } from '@aws-sdk/client-efs';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { authorizeRoot, createGateway, openKeys, type Gateway } from '#gateway/index.ts';
import { ensureRegion } from '#intent/index.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { createEfsApi } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-efs-'));
const deps = { clock: realClock(), random: realRandom(), log: silentLog };
const keys = openKeys(deps, { path: join(folder, 'keys.json'), account: '123456789012' });
const scope = { account: '123456789012', region: 'us-east-1' };
let gateway: Gateway;
let store: Store;
let efs: EFS;
let subnets: string[];

before(async () => {
  store = await createSqliteStore({ path: ':memory:' });
  const info = { hostname: 'h', arch: 'amd64', cpuMillis: 1, memoryBytes: 1, reserveBytes: 0, isolation: [], strictCapacity: false, occupiedCidrs: [], cidrSeed: 0 } as const; // prettier-ignore
  const usage = { freeMemoryBytes: 1, freeDiskBytes: 1, loadPercent: 0, tasks: 0, sandboxes: [] };
  const host = {
    key: { hostId: 'h' },
    info: { ...info, isolation: [], occupiedCidrs: [] },
    usage,
    status: 'CONNECTED' as const,
    seenAt: 1,
  };
  await store.write((tx) => tx.hosts.put(host, 0));
  await ensureRegion({ ...deps, store }, scope);
  subnets = (await store.read((tx) => tx.subnets.list(scope))).map((subnet) => subnet.key.id);
  gateway = createGateway({ ...deps, apis: [createEfsApi({ ...deps, store })], keys, authorize: authorizeRoot, version: 'test' });
  const port = await gateway.listen({ host: '127.0.0.1', port: 0 });
  efs = new EFS({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', maxAttempts: 1, credentials: keys.root });
});
after(async () => {
  efs.destroy();
  await gateway.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

let count = 0;
const create = async () => (await efs.createFileSystem({ CreationToken: `token-${count++}` })).FileSystemId ?? '';

it('tells the size that a host measured last, and never less than that of an empty file system', async () => {
  const id = await create();
  const size = async () => (await efs.describeFileSystems({ FileSystemId: id })).FileSystems?.[0]?.SizeInBytes;
  assert.deepEqual(await size(), { Value: 6144, ValueInIA: 0, ValueInStandard: 6144, ValueInArchive: 0 });
  await store.write(async (tx) => {
    const [host] = await tx.hosts.list({});
    assert.ok(host);
    const fileSystems = [{ id, bytes: 1 << 20, at: 1_700_000_000_000 }];
    await tx.hosts.put({ ...host, usage: { ...host.usage, fileSystems } }, host.revision);
  });
  assert.deepEqual(await size(), { Value: 1 << 20, Timestamp: new Date(1_700_000_000_000), ValueInIA: 0, ValueInStandard: 1 << 20, ValueInArchive: 0 }); // prettier-ignore
  await efs.deleteFileSystem({ FileSystemId: id });
});

it('makes, finds, changes and deletes a file system', async () => {
  const made = await efs.createFileSystem({ CreationToken: 'one', Encrypted: true, Tags: [{ Key: 'Name', Value: 'shared' }] });
  assert.equal(made.$metadata.httpStatusCode, 201);
  assert.match(made.FileSystemId ?? '', /^fs-[0-9a-f]{17}$/);
  const { FileSystemArn: arn, LifeCycleState: state, Name: name, NumberOfMountTargets: targets, Encrypted: encrypted } = made;
  assert.deepEqual([state, name, targets, encrypted], ['available', 'shared', 0, true]);
  assert.ok(Math.abs((made.CreationTime?.getTime() ?? 0) - deps.clock.now()) < 60_000);
  await assert.rejects(efs.createFileSystem({ CreationToken: 'one' }), (error: Error & { FileSystemId?: string; ErrorCode?: string }) => {
    assert.deepEqual(
      [error.name, error.FileSystemId, error.ErrorCode],
      ['FileSystemAlreadyExists', made.FileSystemId, 'FileSystemAlreadyExists'],
    );
    return true;
  });
  for (const query of [{ FileSystemId: arn }, { CreationToken: 'one' }]) {
    assert.equal((await efs.describeFileSystems(query)).FileSystems?.[0]?.FileSystemId, made.FileSystemId);
  }
  const updated = await efs.updateFileSystem({
    FileSystemId: made.FileSystemId,
    ThroughputMode: 'provisioned',
    ProvisionedThroughputInMibps: 8,
  });
  assert.deepEqual(
    [updated.$metadata.httpStatusCode, updated.ThroughputMode, updated.ProvisionedThroughputInMibps],
    [202, 'provisioned', 8],
  );
  assert.equal((await efs.deleteFileSystem({ FileSystemId: made.FileSystemId })).$metadata.httpStatusCode, 204);
  // Until each host has said that its files are gone.
  const [deletion] = (await store.read((tx) => tx.fileSystemDeletions.list({}))).filter(({ key }) => key.id === made.FileSystemId);
  assert.deepEqual(deletion?.observed, { goneFrom: [] });
  await assert.rejects(efs.describeFileSystems({ FileSystemId: made.FileSystemId }), {
    name: 'FileSystemNotFound',
    message: `File system '${made.FileSystemId}' does not exist.`,
  });
});

it('pages through a list', async () => {
  const ids = [await create(), await create(), await create()].sort();
  const seen: (string | undefined)[] = [];
  let marker: string | undefined;
  do {
    const page = await efs.describeFileSystems({ MaxItems: 2, ...(marker === undefined ? {} : { Marker: marker }) });
    seen.push(...(page.FileSystems ?? []).map((one) => one.FileSystemId));
    marker = page.NextMarker;
  } while (marker !== undefined);
  assert.deepEqual(seen, ids);
  await Promise.all(ids.map((FileSystemId) => efs.deleteFileSystem({ FileSystemId })));
});

it('has access points, the same again for the same token, gone with their file system', async () => {
  const FileSystemId = await create();
  const wish = {
    FileSystemId,
    ClientToken: 'a',
    PosixUser: { Uid: 1000, Gid: 1001 },
    RootDirectory: { Path: '/app/data', CreationInfo: { OwnerUid: 1000, OwnerGid: 1001, Permissions: '0750' } },
  };
  const made = await efs.createAccessPoint(wish);
  assert.equal((await efs.createAccessPoint(wish)).AccessPointId, made.AccessPointId);
  await assert.rejects(efs.createAccessPoint({ ...wish, PosixUser: { Uid: 1, Gid: 1 } }), { name: 'AccessPointAlreadyExists' });
  const [found] = (await efs.describeAccessPoints({ FileSystemId })).AccessPoints ?? [];
  assert.deepEqual([found?.RootDirectory, found?.PosixUser], [wish.RootDirectory, wish.PosixUser]);
  await assert.rejects(efs.createAccessPoint({ FileSystemId, RootDirectory: { Path: '/a/../b' } }), { name: 'ValidationException' });
  await assert.rejects(efs.createAccessPoint({ FileSystemId: 'fs-0' }), { name: 'FileSystemNotFound' });
  await efs.deleteFileSystem({ FileSystemId });
  await assert.rejects(efs.describeAccessPoints({ AccessPointId: made.AccessPointId }), { name: 'AccessPointNotFound' });
});

it('has mount targets, one in a zone, that keep the file system from being deleted', async () => {
  const FileSystemId = await create();
  const made = await efs.createMountTarget({ FileSystemId, SubnetId: subnets[0] });
  const subnet = await store.read((tx) => tx.subnets.get({ ...scope, id: subnets[0] ?? '' }));
  assert.ok(made.IpAddress?.startsWith(subnet?.cidr.split('.').slice(0, 2).join('.') ?? 'none'));
  assert.equal(made.AvailabilityZoneName, subnet?.zone);
  await assert.rejects(efs.createMountTarget({ FileSystemId, SubnetId: subnets[0] }), { name: 'MountTargetConflict' });
  await assert.rejects(efs.createMountTarget({ FileSystemId, SubnetId: subnets[1], SecurityGroups: ['sg-0'] }), {
    name: 'SecurityGroupNotFound',
  });
  const other = await create();
  await assert.rejects(efs.createMountTarget({ FileSystemId: other, SubnetId: subnets[0], IpAddress: made.IpAddress }), {
    name: 'IpAddressInUse',
  });
  assert.equal((await efs.describeMountTargetSecurityGroups({ MountTargetId: made.MountTargetId })).SecurityGroups?.length, 1);
  assert.equal((await efs.describeFileSystems({ FileSystemId })).FileSystems?.[0]?.NumberOfMountTargets, 1);
  await assert.rejects(efs.deleteFileSystem({ FileSystemId }), { name: 'FileSystemInUse' });
  await efs.deleteMountTarget({ MountTargetId: made.MountTargetId });
  await assert.rejects(efs.describeMountTargets({ MountTargetId: made.MountTargetId }), { name: 'MountTargetNotFound' });
  await efs.deleteFileSystem({ FileSystemId });
  await efs.deleteFileSystem({ FileSystemId: other });
});

it('keeps tags, lifecycle and backup policies; what berth has not is refused by name', async () => {
  const FileSystemId = await create();
  const arn = (await efs.describeFileSystems({ FileSystemId })).FileSystems?.[0]?.FileSystemArn ?? '';
  await efs.tagResource({ ResourceId: arn, Tags: [{ Key: 'a', Value: '1' }, { Key: 'b/c', Value: '2' }, { Key: 'd', Value: '3' }] }); // prettier-ignore
  await efs.untagResource({ ResourceId: FileSystemId, TagKeys: ['a', 'b/c'] });
  assert.deepEqual((await efs.listTagsForResource({ ResourceId: FileSystemId })).Tags, [{ Key: 'd', Value: '3' }]);
  const LifecyclePolicies = [{ TransitionToIA: 'AFTER_30_DAYS' as const }, { TransitionToPrimaryStorageClass: 'AFTER_1_ACCESS' as const }];
  await efs.putLifecycleConfiguration({ FileSystemId, LifecyclePolicies });
  assert.deepEqual((await efs.describeLifecycleConfiguration({ FileSystemId })).LifecyclePolicies, LifecyclePolicies);
  await efs.putBackupPolicy({ FileSystemId, BackupPolicy: { Status: 'ENABLED' } });
  assert.equal((await efs.describeBackupPolicy({ FileSystemId })).BackupPolicy?.Status, 'ENABLED');
  await assert.rejects(efs.describeFileSystemPolicy({ FileSystemId }), { name: 'PolicyNotFound' });
  const refused = efs.createReplicationConfiguration({ SourceFileSystemId: FileSystemId, Destinations: [{ Region: 'us-east-1' }] });
  await assert.rejects(refused, {
    name: 'UnsupportedOperationException',
    message: /does not implement elasticfilesystem:CreateReplicationConfiguration/,
  });
  await efs.deleteFileSystem({ FileSystemId });
});
