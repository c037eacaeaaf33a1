/** s3filesVolumeConfiguration: a directory of a file system that shows a bucket (ECS API reference, S3FilesVolumeConfiguration). */
import type { S3FilesVolumeConfiguration } from '@aws-sdk/client-ecs';
import type { BucketVolume } from '#domain/bucket-files.ts';
import { clip } from '#domain/names.ts';
import { refuseIf } from '../definition/refuse.ts';

const SYSTEM = /^arn:aws[-a-z]*:s3files:([0-9a-z-]+):(\d{12}):file-system\/(fs-[0-9a-f]{17,40})$/;
const POINT = /^(arn:aws[-a-z]*:s3files:[0-9a-z-]+:\d{12}:file-system\/fs-[0-9a-f]{17,40})\/access-point\/(fsap-[0-9a-f]{17,40})$/;
const PORT_MAX = 65_535;

/** Throws ClientError. `taskRole`: whether the definition has one. */
export function assertBucketVolume(name: string, config: S3FilesVolumeConfiguration, taskRole: string | undefined): void {
  const { fileSystemArn, accessPointArn, rootDirectory, transitEncryptionPort: port } = config;
  refuseIf(!fileSystemArn, 'S3Files volume fileSystemArn should not be null or empty.');
  refuseIf(!SYSTEM.test(fileSystemArn ?? ''), `S3Files volume '${name}' has an invalid fileSystemArn: '${clip(fileSystemArn ?? '')}'.`);
  const point = accessPointArn === undefined ? undefined : POINT.exec(accessPointArn);
  refuseIf(point === null, `S3Files volume '${name}' has an invalid accessPointArn: '${clip(accessPointArn ?? '')}'.`);
  refuseIf(
    point !== undefined && point?.[1] !== fileSystemArn,
    `The access point of S3Files volume '${name}' belongs to another file system.`,
  );
  refuseIf(
    accessPointArn !== undefined && !['/', '', undefined].includes(rootDirectory),
    'When using an S3Files access point, the root directory must either be set to "/" or be omitted.',
  );
  refuseIf(
    port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= PORT_MAX),
    `S3Files volume '${name}' has an invalid transitEncryptionPort: it is a number from 0 to ${PORT_MAX}.`,
  );
  refuseIf(!taskRole, 'Task definitions with S3Files volumes must have a task role (taskRoleArn).');
}

/** Of a checked one. */
export function bucketVolume(
  name: string,
  { fileSystemArn = '', accessPointArn, rootDirectory }: S3FilesVolumeConfiguration,
): BucketVolume {
  const [, region = '', account = '', fileSystemId = ''] = SYSTEM.exec(fileSystemArn) ?? [];
  const accessPointId = accessPointArn === undefined ? null : (POINT.exec(accessPointArn)?.[2] ?? null);
  return { name, kind: 'bucket', account, region, fileSystemId, rootDirectory: rootDirectory || '/', accessPointId };
}
