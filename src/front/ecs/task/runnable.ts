/**
 * Parts of a definition that are kept but can't be run yet, where running without them would do something else than was asked. They are
 * named when the task is run, never ignored in silence.
 */
import type { ContainerDefinition, TaskDefinition, TaskOverride, Volume } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { assertEnvironmentFiles } from '../definition/container-rules.ts';

/** Throws ClientError that names the field and the container. */
export function assertRunnable(definition: TaskDefinition, overrides: TaskOverride): void {
  const system = definition.runtimePlatform?.operatingSystemFamily;
  if (system !== undefined && system !== 'LINUX')
    throw notYet(`runtimePlatform.operatingSystemFamily ${system}: berth runs Linux containers`);
  if (definition.proxyConfiguration !== undefined) throw notYet('proxyConfiguration');
  for (const volume of definition.volumes ?? []) {
    const kind = foreignKind(volume);
    if (kind !== undefined)
      throw notYet(
        `${kind} (volume '${volume.name}'): berth has bind mounts on the task's own storage, EFS, S3 Files, volumes configured at launch and named ones`,
      );
  }
  for (const container of definition.containerDefinitions ?? []) {
    const field = foreignField(container);
    if (field !== undefined) throw notYet(`${field} (container '${container.name}')`);
  }
  if ((overrides.inferenceAcceleratorOverrides ?? []).length > 0) {
    throw new Fault('ClientError', "Unsupported field 'inferenceAcceleratorOverrides'");
  }
  for (const override of overrides.containerOverrides ?? []) {
    assertEnvironmentFiles(override.environmentFiles ?? []);
    if ((override.resourceRequirements ?? []).length > 0) {
      throw new Fault('ClientError', 'Tasks using the Fargate launch type do not support GPU resource requirements');
    }
  }
}

function foreignKind(volume: Volume): string | undefined {
  if (volume.fsxWindowsFileServerVolumeConfiguration !== undefined) return 'fsxWindowsFileServerVolumeConfiguration';
  return volume.host?.sourcePath === undefined ? undefined : 'host.sourcePath';
}

function foreignField(container: ContainerDefinition): string | undefined {
  const driver = container.logConfiguration?.logDriver;
  if (driver === 'awslogs' && (container.logConfiguration?.secretOptions ?? []).length > 0)
    return 'logConfiguration.secretOptions of logDriver awslogs';
  if (driver !== undefined && !['awslogs', 'splunk', 'awsfirelens'].includes(driver)) return `logDriver ${driver}`;
  const options = Object.keys(container.logConfiguration?.options ?? {});
  return options.includes('awslogs-endpoint') ? 'logConfiguration.options awslogs-endpoint' : undefined;
}

function notYet(what: string): Fault {
  return new Fault('ClientError', `This task definition can't be run here yet, because of ${what}.`);
}
