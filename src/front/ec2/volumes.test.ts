/** Volumes and snapshots through the real client; what their hosts do of it is written here as control would. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { CreateVolumeCommandInput } from '@aws-sdk/client-ec2';
import { startEc2, testScope } from './testing.ts';
import type { Ec2Bench } from './testing.ts';

let bench: Ec2Bench;
before(async () => void (bench = await startEc2()));
after(() => bench.close());

const AvailabilityZone = 'us-east-1a';
const create = async (change: Partial<CreateVolumeCommandInput> = {}) =>
  (await bench.ec2.createVolume({ AvailabilityZone, Size: 1, ...change })).VolumeId!;
const named = (Name: string) => ({
  TagSpecifications: [{ ResourceType: 'volume' as const, Tags: [{ Key: 'berth:volume', Value: Name }] }],
});
const made = (id: string) =>
  bench.store.write(async (tx) => {
    const volume = (await tx.volumes.get({ ...testScope, id }))!;
    await tx.volumes.setObserved(volume.key, { hostId: 'h', sizeGib: volume.desired.sizeGib, error: null }, volume.revision);
  });
const taken = (id: string) =>
  bench.store.write(async (tx) => {
    const { key, observed, revision } = (await tx.snapshots.get({ ...testScope, id }))!;
    await tx.snapshots.setObserved(key, { ...observed, state: 'completed', hostId: 'h', completedAt: 1, bytes: 7 }, revision);
  });
const one = async (id: string) => (await bench.ec2.describeVolumes({ VolumeIds: [id] })).Volumes![0]!;
const refused = (call: Promise<unknown>, name: string, message: RegExp) => assert.rejects(call, { name, message });

test('a volume is made, read back, modified and deleted', async () => {
  const VolumeId = await create({ VolumeType: 'gp3', Size: 10, Encrypted: true, KmsKeyId: 'alias/k', ...named('data') });
  // It is made where its first task is.
  assert.equal((await one(VolumeId)).State, 'available');
  assert.equal((await one(await create())).State, 'creating');
  await made(VolumeId);
  const { CreateTime, ...volume } = await one(VolumeId);
  assert.ok(CreateTime instanceof Date);
  assert.deepEqual(volume, {
    VolumeId,
    Size: 10,
    VolumeType: 'gp3',
    Iops: 3000,
    Throughput: 125,
    AvailabilityZone,
    AvailabilityZoneId: 'use1-az1',
    State: 'available',
    Encrypted: true,
    KmsKeyId: 'alias/k',
    MultiAttachEnabled: false,
    SnapshotId: '',
    Attachments: [],
    Tags: [{ Key: 'berth:volume', Value: 'data' }],
  });
  const { VolumeModification } = await bench.ec2.modifyVolume({ VolumeId, Size: 20, Iops: 4000 });
  assert.equal(VolumeModification?.ModificationState, 'modifying');
  await made(VolumeId);
  const { VolumesModifications: [change] = [] } = await bench.ec2.describeVolumesModifications({ VolumeIds: [VolumeId] });
  assert.deepEqual([change?.ModificationState, change?.OriginalSize, change?.TargetSize, change?.TargetIops], ['completed', 10, 20, 4000]);
  await refused(bench.ec2.modifyVolume({ VolumeId, Size: 5 }), 'InvalidParameterValue', /New size cannot be smaller than existing size/);
  await refused(create(named('data')), 'InvalidParameterValue', /There is a volume named 'data' already/);
  const rename = { Resources: [VolumeId], Tags: [{ Key: 'berth:volume', Value: 'other' }] };
  await refused(bench.ec2.createTags(rename), 'InvalidParameterValue', /is a volume's name, 'data' here: it can't be changed/);
  await bench.ec2.createTags({ Resources: [VolumeId], Tags: [{ Key: 'a', Value: 'b' }] });
  const tagged = await bench.ec2.describeVolumes({ Filters: [{ Name: 'tag:a', Values: ['b'] }, { Name: 'status', Values: ['available'] }] }); // prettier-ignore
  assert.deepEqual(tagged.Volumes?.map((item) => item.VolumeId), [VolumeId]); // prettier-ignore
  await bench.ec2.deleteVolume({ VolumeId });
  assert.equal((await one(VolumeId)).State, 'deleting');
});

test('AWS answers what a volume can not be', async () => {
  const before = (await bench.ec2.describeVolumes({})).Volumes?.length;
  const bad: [Partial<CreateVolumeCommandInput>, string, RegExp][] = [
    [{ Size: undefined }, 'MissingParameter', /must contain the parameter size\/snapshot/],
    [{ VolumeType: 'gp9' as never }, 'UnknownVolumeType', /Unsupported volume type 'gp9'/],
    [{ Size: 100, VolumeType: 'st1' }, 'InvalidParameterValue', /Volume of 100GiB is too small for volume type st1; minimum is 125GiB/],
    [{ Size: 16_385 }, 'InvalidParameterValue', /too large for volume type gp2; maximum is 16384GiB/],
    [{ Iops: 100 }, 'InvalidParameterCombination', /The parameter iops is not supported for gp2 volumes/],
    [{ Size: 4, VolumeType: 'io1' }, 'MissingParameter', /iops must be specified for io1 volumes/],
    [{ Size: 4, VolumeType: 'io1', Iops: 201 }, 'InvalidParameterValue', /ratio of 50.250000 is too high; maximum is 50.000000/],
    [{ VolumeType: 'gp3', Iops: 100 }, 'InvalidParameterValue', /Volume iops of 100 is too low; minimum is 3000/],
    [{ VolumeType: 'gp3', Throughput: 1000 }, 'InvalidParameterValue', /Throughput \(MiBps\) to iops ratio of 0.333333 is too high/],
    [{ AvailabilityZone: 'us-east-1z' }, 'InvalidZone.NotFound', /The zone 'us-east-1z' does not exist/],
    [{ SnapshotId: 'snap-0123456789abcdef0' }, 'InvalidSnapshot.NotFound', /The snapshot 'snap-0123456789abcdef0' does not exist/],
    [{ KmsKeyId: 'k' }, 'InvalidParameterDependency', /KmsKeyId requires the parameter Encrypted/],
    [{ MultiAttachEnabled: true }, 'UnsupportedOperation', /does not serve MultiAttachEnabled/],
    [named('a/b'), 'InvalidParameterValue', /'a\/b' is not the name of a volume/],
  ];
  for (const [change, name, message] of bad) await refused(create(change), name, message);
  await refused(bench.ec2.describeVolumes({ VolumeIds: ['vol-0123456789abcdef0'] }), 'InvalidVolume.NotFound', /The volume 'vol-0123456789abcdef0' does not exist/); // prettier-ignore
  const attach = bench.ec2.attachVolume({ VolumeId: 'vol-0123456789abcdef0', InstanceId: 'i-1', Device: '/dev/sdf' });
  await refused(attach, 'UnsupportedOperation', /AttachVolume is not served: there are no instances here/);
  assert.equal((await bench.ec2.describeVolumes({})).Volumes?.length, before);
});

test('the same client token gives the same volume, and another wish with it is refused', async () => {
  const ClientToken = 'token';
  assert.equal(await create({ ClientToken }), await create({ ClientToken }));
  await refused(create({ ClientToken, Size: 2 }), 'IdempotentParameterMismatch', /different parameters/);
});

test('a snapshot is taken, read back, and volumes are made of it, no smaller than it', async () => {
  const VolumeId = await create({ Size: 3 });
  const tags = [{ ResourceType: 'snapshot' as const, Tags: [{ Key: 'k', Value: 'v' }] }];
  const { SnapshotId = '' } = await bench.ec2.createSnapshot({ VolumeId, Description: 'nightly', TagSpecifications: tags });
  await refused(create({ Size: 3, SnapshotId }), 'IncorrectState', /Snapshot is in invalid state - pending/);
  await taken(SnapshotId);
  const { Snapshots: [snapshot] = [] } = await bench.ec2.describeSnapshots({ OwnerIds: ['self'], Filters: [{ Name: 'volume-id', Values: [VolumeId] }] }); // prettier-ignore
  const { State, Progress, VolumeSize, Description, OwnerId, Tags } = snapshot!;
  assert.deepEqual(
    [State, Progress, VolumeSize, Description, OwnerId, Tags],
    ['completed', '100%', 3, 'nightly', testScope.account, [{ Key: 'k', Value: 'v' }]],
  );
  assert.deepEqual((await bench.ec2.describeSnapshots({ OwnerIds: ['amazon'] })).Snapshots, []);
  await refused(create({ Size: 2, SnapshotId }), 'InvalidParameterValue', /smaller than snapshot 'snap-\w+', expect size >= 3GB/);
  const copy = await create({ Size: undefined, SnapshotId });
  assert.equal((await one(copy)).Size, 3);
  await refused(bench.ec2.deleteSnapshot({ SnapshotId }), 'InvalidSnapshot.InUse', /is currently in use by vol-/);
  await made(copy);
  await bench.ec2.deleteSnapshot({ SnapshotId });
  await refused(bench.ec2.describeSnapshots({ SnapshotIds: [SnapshotId] }), 'InvalidSnapshot.NotFound', /does not exist/);
});
