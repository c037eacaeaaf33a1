/** Records as S3 Files describes them. */
import type {
  GetAccessPointResponse,
  GetFileSystemResponse,
  GetMountTargetResponse,
  ListFileSystemsDescription,
} from '@aws-sdk/client-s3files';
import type { AccessPointRecord, MountTargetRecord } from '#domain/file-system.ts';
import { bucketPointArn, bucketSystemArn, type BucketSystemRecord } from '#domain/s3-files.ts';
import { nameOf } from './input.ts';

/** Everything is there at once, and what is deleted is gone at once. */
const status = 'available' as const;

export const bucketArn = (bucket: string) => `arn:aws:s3:::${bucket}`;

/** A file system that a host can't bring together with its bucket is in error, and says why. */
export function systemSummary({ key, desired, observed }: BucketSystemRecord): ListFileSystemsDescription {
  const failure = Object.values(observed.hosts).find((host) => host.failure !== null)?.failure;
  return {
    creationTime: new Date(desired.createdAt),
    fileSystemArn: bucketSystemArn(key),
    fileSystemId: key.id,
    name: nameOf(desired.tags),
    bucket: bucketArn(desired.bucket),
    status: failure === undefined ? status : 'error',
    statusMessage: failure ?? undefined,
    roleArn: desired.role,
    ownerId: key.account,
  };
}

export function systemView(record: BucketSystemRecord): GetFileSystemResponse {
  const { prefix, clientToken, kmsKeyId, tags } = record.desired;
  return { ...systemSummary(record), prefix, clientToken, kmsKeyId: kmsKeyId ?? undefined, tags };
}

export function pointView({ key, fileSystemId, clientToken, user, root, tags }: AccessPointRecord): GetAccessPointResponse {
  const owner = root.creation;
  return {
    accessPointArn: bucketPointArn({ ...key, id: fileSystemId }, key.id),
    accessPointId: key.id,
    clientToken,
    fileSystemId,
    status,
    ownerId: key.account,
    posixUser: user === null ? undefined : { uid: user.uid, gid: user.gid, ...(user.secondaryGids.length > 0 ? { secondaryGids: user.secondaryGids } : {}) }, // prettier-ignore
    rootDirectory: {
      path: root.path,
      creationPermissions: owner === null ? undefined : { ownerUid: owner.uid, ownerGid: owner.gid, permissions: owner.permissions },
    },
    tags,
    name: nameOf(tags),
  };
}

export function targetView(target: MountTargetRecord): GetMountTargetResponse {
  return {
    availabilityZoneId: target.zoneId,
    ownerId: target.key.account,
    mountTargetId: target.key.id,
    fileSystemId: target.fileSystemId,
    subnetId: target.subnetId,
    ipv4Address: target.ip,
    networkInterfaceId: target.networkInterfaceId,
    vpcId: target.vpcId,
    securityGroups: target.securityGroups,
    status,
  };
}
