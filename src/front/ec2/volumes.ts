/** Block volumes: made, read, grown and removed. A host's disk is as fast as it is: speed is checked by AWS's rules, kept and read back. */
import type {
  CreateVolumeRequest,
  DeleteVolumeRequest,
  DescribeVolumesModificationsRequest,
  DescribeVolumesModificationsResult,
  DescribeVolumesRequest,
  DescribeVolumesResult,
  ModifyVolumeRequest,
  ModifyVolumeResult,
  Volume,
  VolumeAttachment,
  VolumeModification,
} from '@aws-sdk/client-ec2';
import { Fault } from '#base/fault.ts';
import { taskArn } from '#domain/arn.ts';
import { blockVolumes, volumeUsers } from '#domain/block-volume.ts';
import { zonesOf } from '#domain/network.ts';
import type { Scope } from '#domain/scope.ts';
import type { TaskRecord } from '#domain/task.ts';
import { volumeState } from '#domain/volume.ts';
import type { VolumeRecord } from '#domain/volume.ts';
import { createVolume, deleteVolume, ec2Fault, modifyVolume } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import type { ReadTx } from '#store/types.ts';
import { ec2Operation, scopeOf } from './operation.ts';
import { select, tagViews, type ResourceKind } from './selection.ts';
import { tagsFor } from './tag-specifications.ts';
import { refuseMembers } from './unserved.ts';

type Item = { record: VolumeRecord; users: TaskRecord[] };

const kind: ResourceKind<Item> = {
  noun: 'volume',
  code: 'InvalidVolume',
  malformedCode: 'InvalidParameterValue',
  prefix: 'vol-',
  id: ({ record }) => record.key.id,
  tags: ({ record }) => record.desired.tags,
  filters: {
    'volume-id': ({ record }) => [record.key.id],
    'availability-zone': ({ record }) => [record.desired.zone],
    'availability-zone-id': ({ record }) => [record.desired.zoneId],
    'create-time': ({ record }) => [new Date(record.desired.createdAt).toISOString()],
    encrypted: ({ record }) => [String(record.desired.encrypted)],
    'multi-attach-enabled': () => ['false'],
    'fast-restored': () => ['false'],
    'operator.managed': () => ['false'],
    size: ({ record }) => [String(record.desired.sizeGib)],
    'snapshot-id': ({ record }) => [record.desired.snapshotId ?? undefined],
    status: (item) => [stateOf(item)],
    'volume-type': ({ record }) => [record.desired.type],
    'attachment.status': (item) => attachmentsOf(item).map(({ State }) => State),
    'attachment.attach-time': (item) => attachmentsOf(item).map(({ AttachTime }) => AttachTime?.toISOString()),
    'attachment.delete-on-termination': (item) => attachmentsOf(item).map(({ DeleteOnTermination }) => String(DeleteOnTermination)),
    // Tasks are no instances, and what they have is no device by name.
    'attachment.device': () => [],
    'attachment.instance-id': () => [],
  },
};

const stateOf = ({ record, users }: Item) => volumeState(record, users.length > 0);

/** As AWS shows a volume that is attached to a Fargate task: by the task's ARN. */
function attachmentsOf({ record, users }: Item): VolumeAttachment[] {
  return users.map((task) => ({
    VolumeId: record.key.id,
    State: task.observed.status === 'RUNNING' ? 'attached' : task.desired.status === 'STOPPED' ? 'detaching' : 'attaching',
    AttachTime: new Date(task.placement?.at ?? task.desired.createdAt),
    DeleteOnTermination: deletedWith(task, record.key.id),
    AssociatedResource: taskArn(task.key),
    InstanceOwningService: 'ecs.amazonaws.com',
  }));
}

function deletedWith(task: TaskRecord, id: string): boolean {
  const from = blockVolumes(task.desired.spec).find(({ volumeId }) => volumeId === id)?.from;
  return from?.by === 'launch' && from.deleteOnTermination;
}

function volumeView(item: Item): Volume {
  const { key, desired } = item.record;
  return {
    ...made(item.record),
    State: stateOf(item),
    Attachments: attachmentsOf(item),
    VolumeInitializationRate: desired.initializationRate ?? undefined,
    SnapshotId: desired.snapshotId ?? '',
    Tags: tagViews(desired.tags),
    VolumeId: key.id,
  };
}

/** What never changes but by ModifyVolume, and what CreateVolume answers. */
function made({ key, desired }: VolumeRecord): Volume {
  return {
    VolumeId: key.id,
    Size: desired.sizeGib,
    VolumeType: desired.type,
    Iops: desired.iops ?? undefined,
    Throughput: desired.throughput ?? undefined,
    AvailabilityZone: desired.zone,
    AvailabilityZoneId: desired.zoneId,
    CreateTime: new Date(desired.createdAt),
    Encrypted: desired.encrypted,
    KmsKeyId: desired.kmsKeyId ?? undefined,
    MultiAttachEnabled: false,
    SnapshotId: desired.snapshotId ?? '',
  };
}

async function items(tx: ReadTx, scope: Scope): Promise<Item[]> {
  const users = volumeUsers(await tx.tasks.list({ ...scope, live: true }));
  return (await tx.volumes.list(scope)).map((record) => ({ record, users: users.get(record.key.id) ?? [] }));
}

export const describeVolumesOperation = ({ store }: IntentDeps) =>
  ec2Operation<DescribeVolumesRequest, DescribeVolumesResult>('DescribeVolumes', async (input, context) => {
    const all = await store.read((tx) => items(tx, scopeOf(context)));
    const { VolumeIds: ids, Filters: filters, MaxResults: maxResults, NextToken } = input;
    const { page, nextToken } = select(kind, all, { ids, filters, maxResults, nextToken: NextToken });
    return { Volumes: page.map(volumeView), NextToken: nextToken };
  });

function zoneOf(scope: Scope, input: CreateVolumeRequest): { zone: string; zoneId: string } {
  const { AvailabilityZone: zone, AvailabilityZoneId: id } = input;
  if (zone === undefined && id === undefined) throw ec2Fault('MissingParameter', 'The request must contain the parameter zone');
  const found = zonesOf(scope.region).find((one) => (zone === undefined || zone === one.name) && (id === undefined || id === one.id));
  if (found === undefined) throw ec2Fault('InvalidZone.NotFound', `The zone '${(zone ?? id ?? '').slice(0, 100)}' does not exist.`);
  return { zone: found.name, zoneId: found.id };
}

export const createVolumeOperation = (deps: IntentDeps) =>
  ec2Operation<CreateVolumeRequest, Volume>('CreateVolume', async (input, context) => {
    refuseMembers(input, ['OutpostArn', 'MultiAttachEnabled', 'Operator']);
    if (input.KmsKeyId !== undefined && input.Encrypted !== true) {
      throw ec2Fault('InvalidParameterDependency', 'The parameter KmsKeyId requires the parameter Encrypted to be set.');
    }
    if (input.VolumeInitializationRate !== undefined) assertRate(input.VolumeInitializationRate, input.SnapshotId);
    const { Size: sizeGib, VolumeType: type, Iops: iops, Throughput: throughput } = input;
    const tags = tagsFor('volume', input.TagSpecifications);
    const volume = await createVolume(deps, scopeOf(context), {
      ...zoneOf(scopeOf(context), input),
      settings: { sizeGib, type, iops, throughput },
      encrypted: input.Encrypted ?? false,
      kmsKeyId: input.KmsKeyId ?? null,
      snapshotId: input.SnapshotId || null,
      initializationRate: input.VolumeInitializationRate ?? null,
      clientToken: input.ClientToken || null,
      tags,
    });
    return { ...made(volume), State: volumeState(volume, false), Tags: tagViews(volume.desired.tags) };
  });

/** A snapshot's blocks are there at once here. */
function assertRate(rate: number, snapshot: string | undefined): void {
  if (!snapshot) throw ec2Fault('InvalidParameterCombination', 'VolumeInitializationRate can be specified only with a snapshot.');
  if (rate < 100 || rate > 300)
    throw new Fault('InvalidParameter', `VolumeInitializationRate must be between 100 and 300 MiB/s; it is ${rate}.`);
}

export const deleteVolumeOperation = (deps: IntentDeps) =>
  ec2Operation<DeleteVolumeRequest, object>('DeleteVolume', async (input, context) => {
    await deleteVolume(deps, scopeOf(context), input.VolumeId ?? '');
    return {};
  });

export const modifyVolumeOperation = (deps: IntentDeps) =>
  ec2Operation<ModifyVolumeRequest, ModifyVolumeResult>('ModifyVolume', async (input, context) => {
    refuseMembers(input, ['MultiAttachEnabled']);
    const { Size, VolumeType: type, Iops: iops, Throughput: throughput } = input;
    const given = Object.fromEntries(Object.entries({ sizeGib: Size, type, iops, throughput }).filter(([, value]) => value !== undefined));
    if (Object.keys(given).length === 0)
      throw ec2Fault('MissingParameter', 'The request must contain the parameter size, volumeType, iops or throughput');
    return { VolumeModification: modificationView(await modifyVolume(deps, scopeOf(context), input.VolumeId ?? '', given)) };
  });

/** It is over when the host has done it: nothing is moved from one kind of disk to another. */
function modificationView({ key, desired, observed }: VolumeRecord): VolumeModification {
  const { at = desired.createdAt, before = desired } = desired.modification ?? {};
  const done = observed.sizeGib !== null && observed.sizeGib >= desired.sizeGib;
  return {
    VolumeId: key.id,
    ModificationState: done ? 'completed' : 'modifying',
    StatusMessage: observed.error ?? undefined,
    OriginalSize: before.sizeGib,
    OriginalIops: before.iops ?? undefined,
    OriginalVolumeType: before.type,
    OriginalThroughput: before.throughput ?? undefined,
    OriginalMultiAttachEnabled: false,
    TargetSize: desired.sizeGib,
    TargetIops: desired.iops ?? undefined,
    TargetVolumeType: desired.type,
    TargetThroughput: desired.throughput ?? undefined,
    TargetMultiAttachEnabled: false,
    Progress: done ? 100 : 0,
    StartTime: new Date(at),
    ...(done ? { EndTime: new Date(at) } : {}),
  };
}

const modifications: ResourceKind<VolumeRecord> = {
  noun: 'volume',
  code: 'InvalidVolume',
  malformedCode: 'InvalidParameterValue',
  prefix: 'vol-',
  id: ({ key }) => key.id,
  tags: ({ desired }) => desired.tags,
  filters: {
    'volume-id': ({ key }) => [key.id],
    'modification-state': (record) => [modificationView(record).ModificationState],
    'original-size': (record) => [String(modificationView(record).OriginalSize)],
    'original-volume-type': (record) => [modificationView(record).OriginalVolumeType],
    'target-size': ({ desired }) => [String(desired.sizeGib)],
    'target-volume-type': ({ desired }) => [desired.type],
  },
};

export const describeVolumesModificationsOperation = ({ store }: IntentDeps) =>
  ec2Operation<DescribeVolumesModificationsRequest, DescribeVolumesModificationsResult>(
    'DescribeVolumesModifications',
    async (input, context) => {
      const all = await store.read((tx) => tx.volumes.list(scopeOf(context)));
      const named = input.VolumeIds ?? [];
      const shown = all.filter(({ key, desired }) => desired.modification !== null || named.includes(key.id));
      const { VolumeIds: ids, Filters: filters, MaxResults: maxResults, NextToken } = input;
      const { page, nextToken } = select(modifications, shown, { ids, filters, maxResults, nextToken: NextToken });
      const unmodified = page.find(({ desired }) => desired.modification === null);
      if (unmodified !== undefined) {
        const text = `Modification for volume '${unmodified.key.id}' does not exist.`;
        throw ec2Fault('InvalidVolumeModification.NotFound', text, 'ResourceNotFound');
      }
      return { VolumesModifications: page.map(modificationView), NextToken: nextToken };
    },
  );

/** There are no instances to attach to; a task gets its volume when it is launched. */
const noInstances = (name: string) => () =>
  ec2Operation<{ DryRun?: boolean }, object>(name, async () => {
    throw new Fault(
      'Unsupported',
      `${name} is not served: there are no instances here. A task gets its volume when it is launched (volumeConfigurations of RunTask and of services).`,
    );
  });
export const attachVolumeOperation = noInstances('AttachVolume');
export const detachVolumeOperation = noInstances('DetachVolume');
