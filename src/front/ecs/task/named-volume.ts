/** dockerVolumeConfiguration: volumes that outlive their tasks, as on EC2 instances; Fargate has none, berth's extension `volumes` does. */
import type { DockerVolumeConfiguration } from '@aws-sdk/client-ecs';
import { assertTags } from '#domain/tags.ts';
import type { VolumeSpec } from '#domain/task-spec.ts';
import { assertVolumeName } from '#domain/volume-names.ts';
import { refuse, refuseIf } from '../definition/refuse.ts';

/** What a named volume may grow to that says nothing: it takes what is written. */
const NAMED_GIB = 64;
const MAX_GIB = 16_384;

/** A checked configuration as what a task gets: scope `task` is an empty directory of the task's own, `shared` a volume of this name. */
export function namedVolume(name: string, docker: DockerVolumeConfiguration): VolumeSpec {
  if (docker.scope !== 'shared') return { name, kind: 'scratch' };
  return {
    name,
    kind: 'block',
    volumeId: '',
    sizeGib: sizeOf(docker) ?? NAMED_GIB,
    fileSystem: null,
    snapshotId: null,
    from: { by: 'name', volume: name, create: docker.autoprovision ?? false, tags: labelsOf(docker) },
  };
}

/** Throws ClientError. */
export function assertNamed(name: string, docker: DockerVolumeConfiguration): void {
  const { scope, autoprovision, driver, driverOpts = {} } = docker;
  refuseIf(
    scope !== undefined && scope !== 'task' && scope !== 'shared',
    `Invalid scope '${scope}' of volume '${name}': use task or shared.`,
  );
  refuseIf(scope !== 'shared' && autoprovision !== undefined, `autoprovision of volume '${name}' can be set only if its scope is shared.`);
  refuseIf(driver !== undefined && driver !== 'local', `Volume '${name}' asks for the driver '${driver}': only local is here.`);
  const option = Object.keys(driverOpts).find((key) => key !== 'size');
  refuseIf(option !== undefined, `Volume '${name}' has the driver option '${option}': only size is known (as 10g).`);
  if (scope === 'shared') assertVolumeName(name);
  sizeOf(docker);
  labelsOf(docker);
}

/** Whole GiB, rounded up: `500m`, `10g`, `10GiB`, `1t`, or bytes. */
function sizeOf({ driverOpts }: DockerVolumeConfiguration): number | undefined {
  const text = driverOpts?.['size'];
  if (text === undefined) return undefined;
  const [, digits, unit = ''] = /^(\d{1,15})([kmgt]?)(?:i?b)?$/i.exec(text) ?? [];
  if (digits === undefined) throw refuse(`Invalid volume size '${text.slice(0, 40)}': say it as 500m, 10g or 1t.`);
  const bytes = Number(digits) * 1024 ** ['', 'k', 'm', 'g', 't'].indexOf(unit.toLowerCase());
  const gib = Math.ceil(bytes / 1024 ** 3);
  refuseIf(gib < 1 || gib > MAX_GIB, `Invalid volume size '${text}': from 1 byte to ${MAX_GIB} GiB.`);
  return gib;
}

const labelsOf = ({ labels = {} }: DockerVolumeConfiguration) => assertTags(Object.entries(labels).map(([key, value]) => ({ key, value })));
