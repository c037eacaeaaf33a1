/** Volumes of a task definition (RegisterTaskDefinition). */
import type { Volume } from '@aws-sdk/client-ecs';
import { isName } from '#domain/names.ts';
import { assertBucketVolume } from '../task/bucket-volume.ts';
import { assertNamed } from '../task/named-volume.ts';
import { refuseIf } from './refuse.ts';

/** Throws ClientError. */
export function assertVolumes(volumes: Volume[], taskRole: string | undefined): void {
  for (const volume of volumes) {
    refuseIf(!volume.name, 'Volume.name should not be null or empty.');
    refuseIf(!isName(volume.name ?? ''), 'Volume.name contains invalid characters.');
    const kinds = [
      volume.host?.sourcePath === undefined ? undefined : volume.host,
      volume.dockerVolumeConfiguration,
      volume.efsVolumeConfiguration,
      volume.s3filesVolumeConfiguration,
      volume.fsxWindowsFileServerVolumeConfiguration,
      volume.configuredAtLaunch === true ? volume : undefined,
    ].filter((kind) => kind !== undefined);
    refuseIf(kinds.length > 1, `Volume '${volume.name}' can have only one kind of configuration.`);
    assertEfs(volume);
    const bucket = volume.s3filesVolumeConfiguration;
    if (bucket !== undefined) assertBucketVolume(volume.name ?? '', bucket, taskRole);
    if (volume.dockerVolumeConfiguration !== undefined) assertNamed(volume.name ?? '', volume.dockerVolumeConfiguration);
  }
  const names = volumes.map((volume) => volume.name);
  refuseIf(new Set(names).size !== names.length, 'Volume names must be unique within a task definition.');
  refuseIf(volumes.filter((volume) => volume.configuredAtLaunch === true).length > 1, 'Only one volume can be configured at launch.');
}

function assertEfs(volume: Volume): void {
  const efs = volume.efsVolumeConfiguration;
  if (efs === undefined) return;
  const encrypted = efs.transitEncryption === 'ENABLED';
  refuseIf(!efs.fileSystemId, 'EFS volume fileSystemId should not be null or empty.');
  refuseIf(efs.authorizationConfig?.iam === 'ENABLED' && !encrypted, 'EFS IAM authorization requires transit encryption to be enabled.');
  refuseIf(
    efs.authorizationConfig?.accessPointId !== undefined && !encrypted,
    'EFS access points require transit encryption to be enabled.',
  );
  refuseIf(efs.transitEncryptionPort !== undefined && !encrypted, 'EFS transit encryption port requires transit encryption to be enabled.');
  refuseIf(
    efs.authorizationConfig?.accessPointId !== undefined && !['/', '', undefined].includes(efs.rootDirectory),
    'When using an EFS access point, the root directory must either be set to "/" or be omitted.',
  );
}
