/** Snapshots of volumes. */
import type {
  CreateSnapshotRequest,
  DeleteSnapshotRequest,
  DescribeSnapshotsRequest,
  DescribeSnapshotsResult,
  Snapshot,
} from '@aws-sdk/client-ec2';
import { Fault } from '#base/fault.ts';
import type { SnapshotRecord } from '#domain/volume.ts';
import { createSnapshot, deleteSnapshot } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { ec2Operation, scopeOf } from './operation.ts';
import { select, tagViews, type ResourceKind } from './selection.ts';
import { tagsFor } from './tag-specifications.ts';
import { refuseMembers } from './unserved.ts';

const DESCRIPTION_CHARS = 255;

const kind: ResourceKind<SnapshotRecord> = {
  noun: 'snapshot',
  code: 'InvalidSnapshot',
  malformedCode: 'InvalidParameterValue',
  prefix: 'snap-',
  id: ({ key }) => key.id,
  tags: ({ desired }) => desired.tags,
  filters: {
    'snapshot-id': ({ key }) => [key.id],
    description: ({ desired }) => [desired.description],
    encrypted: ({ desired }) => [String(desired.encrypted)],
    'owner-alias': () => [],
    'owner-id': ({ key }) => [key.account],
    progress: (record) => [progressOf(record)],
    'start-time': ({ desired }) => [new Date(desired.createdAt).toISOString()],
    status: ({ observed }) => [observed.state],
    'storage-tier': () => ['standard'],
    'transfer-type': () => ['standard'],
    'volume-id': ({ desired }) => [desired.volumeId],
    'volume-size': ({ desired }) => [String(desired.sizeGib)],
  },
};

/** A host tells no part of the way. */
const progressOf = ({ observed }: SnapshotRecord) => (observed.state === 'completed' ? '100%' : '0%');

function snapshotView(record: SnapshotRecord): Snapshot {
  const { key, desired, observed } = record;
  return {
    SnapshotId: key.id,
    VolumeId: desired.volumeId,
    VolumeSize: desired.sizeGib,
    State: observed.state,
    StateMessage: observed.error ?? undefined,
    Progress: progressOf(record),
    StartTime: new Date(desired.createdAt),
    CompletionTime: observed.completedAt === null ? undefined : new Date(observed.completedAt),
    Description: desired.description,
    Encrypted: desired.encrypted,
    KmsKeyId: desired.kmsKeyId ?? undefined,
    OwnerId: key.account,
    StorageTier: 'standard',
    TransferType: 'standard',
    FullSnapshotSizeInBytes: observed.bytes ?? undefined,
    Tags: tagViews(desired.tags),
  };
}

export const createSnapshotOperation = (deps: IntentDeps) =>
  ec2Operation<CreateSnapshotRequest, Snapshot>('CreateSnapshot', async (input, context) => {
    refuseMembers(input, ['OutpostArn', 'Location']);
    const description = input.Description ?? '';
    if (description.length > DESCRIPTION_CHARS) {
      throw new Fault('InvalidParameter', `Description may have up to ${DESCRIPTION_CHARS} characters; it has ${description.length}.`);
    }
    const tags = tagsFor('snapshot', input.TagSpecifications);
    return snapshotView(await createSnapshot(deps, scopeOf(context), { volumeId: input.VolumeId ?? '', description, tags }));
  });

export const deleteSnapshotOperation = (deps: IntentDeps) =>
  ec2Operation<DeleteSnapshotRequest, object>('DeleteSnapshot', async (input, context) => {
    await deleteSnapshot(deps, scopeOf(context), input.SnapshotId ?? '');
    return {};
  });

export const describeSnapshotsOperation = ({ store }: IntentDeps) =>
  ec2Operation<DescribeSnapshotsRequest, DescribeSnapshotsResult>('DescribeSnapshots', async (input, context) => {
    const { SnapshotIds: ids, Filters: filters, MaxResults: maxResults, NextToken } = input;
    const own = (who: string) => who === 'self' || who === context.account;
    // Nobody else's are here: whoever asks for another owner's, or for what is shared with all, sees none.
    const seen = (input.OwnerIds?.some(own) ?? true) && (input.RestorableByUserIds?.some(own) ?? true);
    const all = await store.read((tx) => tx.snapshots.list(scopeOf(context)));
    const shown = seen ? all.filter(({ desired }) => desired.deletedAt === null) : [];
    const { page, nextToken } = select(kind, shown, { ids, filters, maxResults, nextToken: NextToken });
    return { Snapshots: page.map(snapshotView), NextToken: nextToken };
  });
