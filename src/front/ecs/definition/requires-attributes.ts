/** The capabilities that ECS reads out of a definition (`requiresAttributes`; ECS developer guide, "Task definition attributes"). */
import type { Attribute, RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';
import { isEcrImage } from '#domain/ecr.ts';

const docker = (version: string) => `com.amazonaws.ecs.capability.docker-remote-api.${version}`;

export function requiresAttributes(definition: RegisterTaskDefinitionRequest): Attribute[] {
  const containers = definition.containerDefinitions ?? [];
  const has = (test: (container: (typeof containers)[number]) => unknown) => containers.some((container) => Boolean(test(container)));
  const logs = new Set(containers.flatMap((container) => container.logConfiguration?.logDriver ?? []));
  const secretsFrom = (manager: boolean) =>
    has((container) => container.secrets?.some((secret) => (secret.valueFrom ?? '').includes(':secretsmanager:') === manager));
  const execution = definition.executionRoleArn !== undefined;
  const fromEcr = has((container) => isEcrImage(container.image ?? ''));
  const rules: [unknown, string][] = [
    ...[...logs].map((driver): [unknown, string] => [true, `com.amazonaws.ecs.capability.logging-driver.${driver}`]),
    [logs.has('awslogs') && execution, 'ecs.capability.execution-role-awslogs'],
    [fromEcr, 'com.amazonaws.ecs.capability.ecr-auth'],
    [execution && fromEcr, 'ecs.capability.execution-role-ecr-pull'],
    [definition.taskRoleArn, 'com.amazonaws.ecs.capability.task-iam-role'],
    [logs.has('awslogs') || has((container) => container.ulimits?.length), docker('1.19')],
    [has((container) => container.memoryReservation), docker('1.21')],
    [has((container) => container.linuxParameters?.initProcessEnabled), docker('1.25')],
    [has((container) => container.healthCheck), docker('1.29')],
    [has((container) => container.healthCheck), 'ecs.capability.container-health-check'],
    [definition.networkMode === 'awsvpc', 'ecs.capability.task-eni'],
    [definition.networkMode === 'awsvpc', docker('1.18')],
    [has((container) => container.dependsOn?.length), 'ecs.capability.container-ordering'],
    [secretsFrom(true), 'ecs.capability.secrets.asm.environment-variables'],
    [secretsFrom(false), 'ecs.capability.secrets.ssm.environment-variables'],
    [has((container) => container.environmentFiles?.length), 'ecs.capability.env-files.s3'],
    [has((container) => container.repositoryCredentials), 'ecs.capability.private-registry-authentication.secretsmanager'],
    [has((container) => container.firelensConfiguration?.type === 'fluentbit'), 'ecs.capability.firelens.fluentbit'],
    [has((container) => container.firelensConfiguration?.type === 'fluentd'), 'ecs.capability.firelens.fluentd'],
    [definition.pidMode ?? definition.ipcMode, 'ecs.capability.pid-ipc-namespace-sharing'],
    [definition.volumes?.some((volume) => volume.efsVolumeConfiguration), 'ecs.capability.efs'],
    [definition.volumes?.some((volume) => volume.s3filesVolumeConfiguration), 'ecs.capability.storage.s3-files'],
    [definition.ephemeralStorage, 'ecs.capability.extensible-ephemeral-storage'],
  ];
  return [...new Set(rules.filter(([holds]) => Boolean(holds)).map(([, name]) => name))].map((name) => ({ name }));
}
