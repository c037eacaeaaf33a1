/** A checked RunTask call and its task definition -> the wish that intent commits. */
import type { RunTaskRequest, TaskDefinition, TaskOverride } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { beyondFargate, EXTENSIONS_TAG, hasExtension } from '#domain/extensions.ts';
import { LARGE_TASK_CPU } from '#domain/fargate-sizes.ts';
import { isolationWish } from '#domain/isolation.ts';
import type { ClusterRecord, TaskDefinitionRecord } from '#domain/records.ts';
import { assertTags, mergeTags } from '#domain/tags.ts';
import type { TaskSpec } from '#domain/task-spec.ts';
import type { Tag } from '#domain/task.ts';
import type { RunTaskWish } from '#intent/index.ts';
import type { TaskFront } from './describe-task.ts';
import { PLATFORM_VERSION } from './run-task-input.ts';
import { taskSize } from './task-size.ts';
import { toTaskSpec } from './to-task-spec.ts';

type Source = {
  input: RunTaskRequest;
  cluster: ClusterRecord;
  definition: TaskDefinitionRecord;
  token: RunTaskWish['token'];
  region: string;
  arch: 'amd64' | 'arm64';
};

const EPHEMERAL_GIB = 20;

/** Throws InvalidParameter or ClientError. */
export function wishOf(source: Source): RunTaskWish {
  const { input, definition: record, region, arch } = source;
  const definition = record.definition as TaskDefinition;
  const overrides = input.overrides ?? {};
  const callTags = assertTags(input.tags ?? []);
  const isolation = isolationWish(callTags, record.tags, source.cluster.tags);
  const version = input.platformVersion ?? 'LATEST';
  assertPlatform(version, definition, overrides);
  return {
    cluster: source.cluster.key.name,
    count: input.count ?? 1,
    family: record.key.family,
    revision: record.key.taskRevision,
    spec: (taskId) => optedIn(record, toTaskSpec({ definition, overrides, taskId, isolation, region, arch })),
    network: networkOf(input),
    launchType: input.launchType ?? null,
    strategy: input.capacityProviderStrategy ?? [],
    group: input.group ?? `family:${record.key.family}`,
    startedBy: input.startedBy ?? null,
    tags: tagsOf(source, callTags),
    platformVersion: version === 'LATEST' ? PLATFORM_VERSION : version,
    enableExec: input.enableExecuteCommand ?? false,
    front: frontOf(definition, input),
    token: source.token,
  };
}

/** Large tasks and chosen storage came with platform version 1.4.0 (ECS developer guide, "Fargate platform versions"). */
function assertPlatform(version: string, definition: TaskDefinition, overrides: TaskOverride): void {
  if (version === 'LATEST' || version === PLATFORM_VERSION) return;
  const large = taskSize(definition, overrides).cpu >= LARGE_TASK_CPU;
  const storage = overrides.ephemeralStorage ?? definition.ephemeralStorage;
  if (!large && storage === undefined) return;
  const what = large ? `${LARGE_TASK_CPU} CPU or more` : 'ephemeralStorage';
  throw new Fault(
    'ClientError',
    `The specified platform version '${version}' does not support tasks with ${what}: use ${PLATFORM_VERSION}.`,
    {
      details: { errorName: 'PlatformTaskDefinitionIncompatibilityException' },
    },
  );
}

/** A definition that was allowed more by its tag keeps it only with the tag. */
function optedIn(record: TaskDefinitionRecord, spec: TaskSpec): TaskSpec {
  const wish = beyondFargate(spec);
  if (wish === undefined || hasExtension(record.tags, 'privileged')) return spec;
  throw new Fault(
    'InvalidParameter',
    `The task definition asks for ${wish}, but no longer has the tag ${EXTENSIONS_TAG} with 'privileged', which allowed that.`,
  );
}

function networkOf(input: RunTaskRequest): RunTaskWish['network'] {
  const vpc = input.networkConfiguration?.awsvpcConfiguration;
  if (vpc === undefined) {
    throw new Fault('InvalidParameter', "Network Configuration must be provided when networkMode 'awsvpc' is specified.");
  }
  return {
    subnetIds: vpc.subnets ?? [],
    securityGroupIds: vpc.securityGroups ?? [],
    publicIp: vpc.assignPublicIp === 'ENABLED',
  };
}

/** The call's own go before those of the definition; ECS's managed tag comes on top. */
function tagsOf(source: Source, callTags: Tag[]): Tag[] {
  const propagated = source.input.propagateTags === 'TASK_DEFINITION' ? mergeTags(source.definition.tags, callTags) : callTags;
  return source.input.enableECSManagedTags === true
    ? [...propagated, { key: 'aws:ecs:clusterName', value: source.cluster.key.name }]
    : propagated;
}

function frontOf(definition: TaskDefinition, input: RunTaskRequest): Record<string, unknown> {
  const overrides = input.overrides ?? {};
  const size = taskSize(definition, overrides);
  const overrideOf = new Map((overrides.containerOverrides ?? []).map((override) => [override.name, override]));
  const front: TaskFront = {
    cpu: String(size.cpu),
    memory: String(size.memoryMib),
    overrides,
    containers: (definition.containerDefinitions ?? []).map((container) => {
      const override = overrideOf.get(container.name);
      const memory = override?.memory ?? container.memory;
      const reservation = override?.memoryReservation ?? container.memoryReservation;
      return {
        name: container.name ?? '',
        image: container.image ?? '',
        cpu: String(override?.cpu ?? container.cpu ?? 0),
        ...(memory === undefined ? {} : { memory: String(memory) }),
        ...(reservation === undefined ? {} : { memoryReservation: String(reservation) }),
      };
    }),
    ephemeralGib: overrides.ephemeralStorage?.sizeInGiB ?? definition.ephemeralStorage?.sizeInGiB ?? EPHEMERAL_GIB,
  };
  return { ...front, propagateTags: input.propagateTags ?? null };
}
