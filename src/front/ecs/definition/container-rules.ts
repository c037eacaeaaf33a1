/** What every container of a task definition must be, whatever runs it (RegisterTaskDefinition; texts are AWS's where they are known). */
import type { ContainerDefinition, EnvironmentFile, HealthCheck } from '@aws-sdk/client-ecs';
import { limits } from '#base/limits.ts';
import { parseObjectArn } from '#domain/env-file.ts';
import { isName } from '#domain/names.ts';
import { refuse, refuseIf } from './refuse.ts';

const imageRule = /^[A-Za-z0-9_.:/@#+-]{1,255}$/;
const MIN_CONTAINER_MEMORY_MIB = 4;

export type TaskBounds = {
  cpu: number | undefined;
  memoryMib: number | undefined;
  volumes: string[];
  executionRoleArn: string | undefined;
};

/** Checks all containers, on their own and against each other. Throws ClientError. */
export function assertContainers(containers: ContainerDefinition[], bounds: TaskBounds): void {
  refuseIf(containers.length === 0, 'Container list cannot be empty.');
  refuseIf(containers.length > limits.containersPerTask, 'Too many containers.');
  for (const container of containers) {
    assertIdentity(container);
    assertMemory(container, bounds.memoryMib);
    assertFetched(container, bounds.executionRoleArn);
    assertHealthCheck(container.healthCheck);
    assertRestartPolicy(container);
    assertLimits(container);
    for (const mount of container.mountPoints ?? []) {
      refuseIf(!bounds.volumes.includes(mount.sourceVolume ?? ''), `Unknown volume '${mount.sourceVolume ?? ''}'.`);
      refuseIf(
        !(mount.containerPath ?? '').startsWith('/'),
        `Invalid mount point: containerPath '${mount.containerPath ?? ''}' must be an absolute path.`,
      );
    }
  }
  const names = containers.map((container) => container.name ?? '');
  refuseIf(new Set(names).size !== names.length, 'Container names must be unique within a task definition.');
  refuseIf(
    containers.every((container) => container.essential === false),
    'Task definition does not have any essential container. At least one container must be essential.',
  );
  const cpuSum = containers.reduce((sum, container) => sum + (container.cpu ?? 0), 0);
  refuseIf(
    bounds.cpu !== undefined && cpuSum > bounds.cpu,
    "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
  );
  for (const container of containers) {
    for (const from of container.volumesFrom ?? []) {
      refuseIf(!names.includes(from.sourceContainer ?? ''), `Unknown container '${from.sourceContainer ?? ''}' in volumesFrom.`);
    }
  }
}

function assertIdentity(container: ContainerDefinition): void {
  const { name = '', image = '' } = container;
  refuseIf(name === '', 'Container.name should not be null or empty.');
  refuseIf(!isName(name), 'Container.name contains invalid characters.');
  refuseIf(image === '', 'Container.image should not be null or empty.');
  refuseIf(!imageRule.test(image), 'Container.image contains invalid characters.');
  const { versionConsistency } = container;
  refuseIf(
    versionConsistency !== undefined && !['', 'enabled', 'disabled'].includes(versionConsistency),
    `Invalid 'versionConsistency' setting '${versionConsistency}' for container '${name}': use enabled or disabled.`,
  );
  refuseIf((container.cpu ?? 0) < 0, `Invalid setting for container '${name}'. 'cpu' must not be negative.`);
}

function assertMemory(container: ContainerDefinition, taskMemoryMib: number | undefined): void {
  const { name, memory, memoryReservation } = container;
  const setting = `Invalid setting for container '${name}'.`;
  refuseIf(
    taskMemoryMib === undefined && memory === undefined && memoryReservation === undefined,
    `${setting} At least one of 'memory' or 'memoryReservation' must be specified.`,
  );
  for (const [what, value] of [['memory', memory] as const, ['memoryReservation', memoryReservation] as const]) {
    refuseIf(
      value !== undefined && value < MIN_CONTAINER_MEMORY_MIB,
      `${setting} '${what}' must be at least ${MIN_CONTAINER_MEMORY_MIB} MiB.`,
    );
  }
  refuseIf(
    memory !== undefined && memoryReservation !== undefined && memoryReservation > memory,
    `${setting} 'memory' must be greater than or equal to 'memoryReservation'.`,
  );
  refuseIf(
    taskMemoryMib !== undefined && Math.max(memory ?? 0, memoryReservation ?? 0) > taskMemoryMib,
    "The 'memory' setting for container is greater than for the task.",
  );
}

/** The environment, and what needs the execution role. */
function assertFetched(container: ContainerDefinition, executionRoleArn: string | undefined): void {
  const { environment = [], secrets = [], environmentFiles = [] } = container;
  for (const { name = '' } of environment) {
    refuseIf(name === '' || name.includes('=') || name.includes('\0'), `Environment variable name '${name}' is invalid.`);
  }
  for (const { value } of environment)
    refuseIf((value ?? '').includes('\0'), 'Environment variable values must not contain a null character.');
  const names = new Set(environment.map((variable) => variable.name));
  for (const secret of secrets) {
    refuseIf(!secret.name || !secret.valueFrom, 'Secret name and valueFrom should not be null or empty.');
    refuseIf(
      names.has(secret.name),
      `The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '${secret.name}'.`,
    );
    names.add(secret.name);
  }
  refuseIf(
    secrets.length > 0 && !executionRoleArn,
    "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'",
  );
  refuseIf(
    container.repositoryCredentials !== undefined && !executionRoleArn,
    'Private repository authentication requires that the task definition specify a value for executionRoleArn.',
  );
  assertEnvironmentFiles(environmentFiles);
}

/** Of a definition, and of a call that has others. Throws ClientException. */
export function assertEnvironmentFiles(files: readonly EnvironmentFile[]): void {
  refuseIf(files.length > limits.environmentFiles, `A container can have at most ${limits.environmentFiles} environment files.`);
  for (const { type, value = '' } of files) {
    refuseIf(type !== 's3', `Invalid environment file type '${type}': the only supported value is 's3'.`);
    refuseIf(
      parseObjectArn(value) === undefined || !value.endsWith('.env'),
      `Invalid environment file '${value.slice(0, 200)}': give the ARN of an object of S3 whose name ends with .env, like arn:aws:s3:::bucket/name.env.`,
    );
  }
}

function assertHealthCheck(check: HealthCheck | undefined): void {
  if (check === undefined) return;
  const [kind] = check.command ?? [];
  refuseIf(kind === undefined || kind === '', 'Container health check command should not be null or empty.');
  refuseIf(
    check.command?.length === 1 && (kind === 'CMD' || kind === 'CMD-SHELL'),
    'Container health check command must name what to run after CMD or CMD-SHELL.',
  );
  const ranges = [
    ['interval', check.interval, 5, 300],
    ['timeout', check.timeout, 2, 60],
    ['retries', check.retries, 1, 10],
    ['startPeriod', check.startPeriod, 0, 300],
  ] as const;
  for (const [what, value, low, high] of ranges) {
    refuseIf(value !== undefined && (value < low || value > high), `Container health check ${what} must be between ${low} and ${high}.`);
  }
}

function assertRestartPolicy(container: ContainerDefinition): void {
  const policy = container.restartPolicy;
  if (policy === undefined) return;
  const { restartAttemptPeriod: period, ignoredExitCodes = [] } = policy;
  refuseIf(
    period !== undefined && (period < 60 || period > 1800),
    `The 'restartAttemptPeriod' setting for container '${container.name}' must be between 60 and 1800.`,
  );
  refuseIf(
    ignoredExitCodes.length > limits.ignoredExitCodes,
    `The 'ignoredExitCodes' setting for container '${container.name}' can have at most ${limits.ignoredExitCodes} exit codes.`,
  );
}

function assertLimits(container: ContainerDefinition): void {
  for (const { name, softLimit = 0, hardLimit = 0 } of container.ulimits ?? []) {
    refuseIf(softLimit > hardLimit && hardLimit !== -1, `Soft limit exceeds hard limit for ulimit ${name}.`);
  }
  const names = (container.ulimits ?? []).map((limit) => limit.name);
  refuseIf(new Set(names).size !== names.length, 'Duplicate ulimits are not allowed.');
  for (const mount of container.linuxParameters?.tmpfs ?? []) {
    refuseIf(
      !(mount.containerPath ?? '').startsWith('/'),
      `Invalid tmpfs: containerPath '${mount.containerPath ?? ''}' must be an absolute path.`,
    );
    if ((mount.size ?? 0) < 1) throw refuse('Invalid tmpfs: size must be at least 1 MiB.');
  }
  const path = container.workingDirectory;
  refuseIf(path !== undefined && path !== '' && !path.startsWith('/'), `The working directory '${path}' must be an absolute path.`);
}
