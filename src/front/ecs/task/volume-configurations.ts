/** Volumes that a definition leaves to the launch: what RunTask and services say of them (API reference, TaskVolumeConfiguration and ServiceVolumeConfiguration). */
import type { TaskDefinition, TaskManagedEBSVolumeConfiguration, TaskVolumeConfiguration, Volume } from '@aws-sdk/client-ecs';
import { asFault, Fault } from '#base/fault.ts';
import type { BlockVolume } from '#domain/block-volume.ts';
import { clip } from '#domain/names.ts';
import { assertTags, mergeTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';
import { volumeFileSystems } from '#domain/volume.ts';
import { volumeSettings, volumeTypes } from '#domain/volume-types.ts';

/** Whose tags may be propagated to a volume. */
export type TagSources = { definition: readonly Tag[]; service: readonly Tag[] | null };

/** By the volume's name in the definition. Throws InvalidParameter. */
export function launchedVolumes(
  definition: TaskDefinition,
  configurations: readonly TaskVolumeConfiguration[],
  sources: TagSources,
): Map<string, BlockVolume> {
  if (configurations.length > 1) throw refuse('Only one volume configuration can be specified: a task has at most one Amazon EBS volume.');
  const open = (definition.volumes ?? []).filter((volume) => volume.configuredAtLaunch === true);
  const left = open.find((volume) => !configurations.some(({ name }) => name === volume.name));
  const found = configurations.map((configuration) => [configuration.name ?? '', launchedVolume(open, configuration, sources)] as const);
  if (left !== undefined) {
    throw refuse(`The volume '${left.name}' of the task definition is configured at launch: it must be given in volumeConfigurations.`);
  }
  return new Map(found);
}

function launchedVolume(
  open: readonly Volume[],
  { name, managedEBSVolume: ebs }: TaskVolumeConfiguration,
  sources: TagSources,
): BlockVolume {
  if (!name) throw refuse('volumeConfigurations.name should not be null or empty.');
  if (!open.some((volume) => volume.name === name)) {
    throw refuse(`The volume '${clip(name)}' of volumeConfigurations is not one of the task definition's that are configured at launch.`);
  }
  if (ebs === undefined) throw refuse(`managedEBSVolume must be specified for the volume '${name}'.`);
  assertManaged(ebs);
  const { volumeType: type, iops, throughput } = ebs;
  const settings = {
    ...(type ? { type } : {}),
    ...(iops === undefined ? {} : { iops }),
    ...(throughput === undefined ? {} : { throughput }),
  };
  if (ebs.sizeInGiB !== undefined) assertSettings({ ...settings, sizeGib: ebs.sizeInGiB });
  return {
    name,
    kind: 'block',
    volumeId: '',
    sizeGib: ebs.sizeInGiB ?? 0,
    fileSystem: fileSystemOf(ebs),
    snapshotId: ebs.snapshotId || null,
    from: {
      by: 'launch',
      settings,
      encrypted: ebs.encrypted ?? true,
      kmsKeyId: ebs.kmsKeyId || null,
      initializationRate: ebs.volumeInitializationRate ?? null,
      roleArn: ebs.roleArn ?? '',
      deleteOnTermination: ebs.terminationPolicy?.deleteOnTermination ?? true,
      tags: tagsOf(ebs, sources),
    },
  };
}

const ROLE = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/;
const SNAPSHOT = /^snap-([0-9a-f]{8}|[0-9a-f]{17})$/;

function assertManaged(ebs: TaskManagedEBSVolumeConfiguration): void {
  if (!ebs.roleArn) throw refuse('managedEBSVolume.roleArn should not be null or empty.');
  if (!ROLE.test(ebs.roleArn)) throw refuse(`managedEBSVolume.roleArn '${clip(ebs.roleArn)}' is not the ARN of an IAM role.`);
  if (ebs.sizeInGiB === undefined && !ebs.snapshotId) throw refuse('managedEBSVolume must have a sizeInGiB or a snapshotId.');
  if (ebs.snapshotId && !SNAPSHOT.test(ebs.snapshotId)) throw refuse(`Invalid id: "${clip(ebs.snapshotId)}" (expecting "snap-...")`);
  if (ebs.kmsKeyId && ebs.encrypted === false) throw refuse('managedEBSVolume.kmsKeyId requires an encrypted volume.');
  const rate = ebs.volumeInitializationRate;
  if (rate !== undefined && !ebs.snapshotId)
    throw refuse('managedEBSVolume.volumeInitializationRate can be specified only with a snapshotId.');
  if (rate !== undefined && (rate < 100 || rate > 300))
    throw refuse(`managedEBSVolume.volumeInitializationRate must be between 100 and 300; it is ${rate}.`);
  if (ebs.volumeType && !volumeTypes.some((type) => type === ebs.volumeType)) {
    throw refuse(`managedEBSVolume.volumeType '${clip(ebs.volumeType)}' is not one of ${volumeTypes.join(', ')}.`);
  }
  if (ebs.volumeType === 'standard') throw refuse('The magnetic volume type, standard, is not supported on Fargate.');
}

function assertSettings(wish: { type?: string; sizeGib: number; iops?: number; throughput?: number }): void {
  try {
    volumeSettings(wish, 'gp2');
  } catch (error) {
    // EC2's names of errors are not ECS's.
    throw refuse(asFault(error).message);
  }
}

function fileSystemOf({ filesystemType: wanted }: TaskManagedEBSVolumeConfiguration): BlockVolume['fileSystem'] {
  if (wanted === undefined) return 'xfs';
  const found = volumeFileSystems.find((one) => one === wanted);
  if (found !== undefined) return found;
  throw refuse(`managedEBSVolume.filesystemType '${clip(wanted)}' can't be used by Linux tasks: use ${volumeFileSystems.join(', ')}.`);
}

function tagsOf({ tagSpecifications = [] }: TaskManagedEBSVolumeConfiguration, sources: TagSources): Tag[] {
  if (tagSpecifications.length > 1) throw refuse('Only one tag specification can be given for a volume.');
  const [specification] = tagSpecifications;
  if (specification === undefined) return [];
  const { resourceType, tags = [], propagateTags = 'NONE' } = specification;
  if (resourceType !== 'volume') throw refuse(`tagSpecifications.resourceType '${clip(resourceType ?? '')}' is not valid: use volume.`);
  const own = assertTags(tags);
  if (propagateTags === 'NONE') return own;
  if (propagateTags === 'TASK_DEFINITION') return mergeTags(sources.definition, own);
  if (propagateTags === 'SERVICE' && sources.service !== null) return mergeTags(sources.service, own);
  throw refuse(
    `tagSpecifications.propagateTags '${clip(propagateTags)}' is not valid here: use TASK_DEFINITION${sources.service === null ? '' : ', SERVICE'} or NONE.`,
  );
}

const refuse = (text: string) => new Fault('InvalidParameter', text);
