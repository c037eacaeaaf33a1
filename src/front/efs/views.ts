/** Records as EFS describes them. */
import type { AccessPointDescription, FileSystemDescription, MountTargetDescription } from '@aws-sdk/client-efs';
import { accessPointArn, fileSystemArn } from '#domain/file-system.ts';
import type { AccessPointRecord, FileSystemRecord, MountTargetRecord } from '#domain/file-system.ts';
import type { FileSystemSize } from '#domain/records.ts';
import { tagView } from '#gateway/key-value-tags.ts';
import { nameOf } from './input.ts';

/** Everything is there at once, and what is deleted is gone at once: there is no other state. */
const LifeCycleState = 'available';

/** EFS meters an empty file system so. */
const EMPTY_BYTES = 6144;

/** `size`: as its host last measured it. */
export function fileSystemView(system: FileSystemRecord, mountTargets: number, size?: FileSystemSize): FileSystemDescription {
  const bytes = Math.max(size?.bytes ?? 0, EMPTY_BYTES);
  return {
    OwnerId: system.key.account,
    CreationToken: system.creationToken,
    FileSystemId: system.key.id,
    FileSystemArn: fileSystemArn(system.key),
    CreationTime: new Date(system.createdAt),
    LifeCycleState,
    Name: nameOf(system.tags),
    NumberOfMountTargets: mountTargets,
    SizeInBytes: {
      Value: bytes,
      Timestamp: size === undefined ? undefined : new Date(size.at),
      ValueInIA: 0,
      ValueInStandard: bytes,
      ValueInArchive: 0,
    },
    PerformanceMode: system.performanceMode,
    Encrypted: system.encrypted,
    KmsKeyId: system.kmsKeyId ?? undefined,
    ThroughputMode: system.throughputMode,
    ProvisionedThroughputInMibps: system.provisionedMibps ?? undefined,
    AvailabilityZoneName: system.zone ?? undefined,
    Tags: tagView(system.tags),
    FileSystemProtection: { ReplicationOverwriteProtection: system.overwriteProtection },
  };
}

export function accessPointView(point: AccessPointRecord): AccessPointDescription {
  const { user, root } = point;
  const owner = root.creation;
  return {
    ClientToken: point.clientToken,
    Name: nameOf(point.tags),
    Tags: tagView(point.tags),
    AccessPointId: point.key.id,
    AccessPointArn: accessPointArn(point.key),
    FileSystemId: point.fileSystemId,
    PosixUser: user === null ? undefined : { Uid: user.uid, Gid: user.gid, ...(user.secondaryGids.length > 0 ? { SecondaryGids: user.secondaryGids } : {}) }, // prettier-ignore
    RootDirectory: {
      Path: root.path,
      CreationInfo: owner === null ? undefined : { OwnerUid: owner.uid, OwnerGid: owner.gid, Permissions: owner.permissions },
    },
    OwnerId: point.key.account,
    LifeCycleState,
  };
}

export function mountTargetView(target: MountTargetRecord): MountTargetDescription {
  return {
    OwnerId: target.key.account,
    MountTargetId: target.key.id,
    FileSystemId: target.fileSystemId,
    SubnetId: target.subnetId,
    LifeCycleState,
    IpAddress: target.ip,
    NetworkInterfaceId: target.networkInterfaceId,
    AvailabilityZoneId: target.zoneId,
    AvailabilityZoneName: target.zone,
    VpcId: target.vpcId,
  };
}
