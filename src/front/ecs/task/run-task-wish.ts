/** A checked RunTask call and its task definition -> the wish that intent commits. */
import type { RunTaskRequest, TaskDefinition } from '@aws-sdk/client-ecs';
import { extensionsOf } from '#domain/extensions.ts';
import { isolationWish } from '#domain/isolation.ts';
import type { ClusterRecord, TaskDefinitionRecord } from '#domain/records.ts';
import type { LogDelivery } from '#domain/task-spec.ts';
import { assertTags, mergeTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';
import type { RunTaskWish } from '#intent/index.ts';
import { networkOf, optedIn, platformFor, taskFrontOf } from './launch.ts';
import { toTaskSpec } from './to-task-spec.ts';
import { launchedVolumes } from './volume-configurations.ts';

type Source = {
  input: RunTaskRequest;
  cluster: ClusterRecord;
  definition: TaskDefinitionRecord;
  token: RunTaskWish['token'];
  region: string;
  arch: 'amd64' | 'arm64';
  logMode: LogDelivery['mode'];
};

/** Throws InvalidParameter or ClientError. */
export function wishOf(source: Source): RunTaskWish {
  const { input, definition: record, region, arch, logMode } = source;
  const definition = record.definition as TaskDefinition;
  const overrides = input.overrides ?? {};
  const callTags = assertTags(input.tags ?? []);
  const extensions = extensionsOf(record.tags);
  const isolation = isolationWish(callTags, record.tags, source.cluster.tags);
  const launched = launchedVolumes(definition, input.volumeConfigurations ?? [], { definition: record.tags, service: null });
  return {
    cluster: source.cluster.key.name,
    count: input.count ?? 1,
    family: record.key.family,
    revision: record.key.taskRevision,
    platformVersion: platformFor(input.platformVersion, definition, overrides, extensions),
    spec: (taskId) =>
      optedIn(record, toTaskSpec({ definition, overrides, taskId, isolation, extensions, region, arch, logMode, launched })),
    network: networkOf(input.networkConfiguration),
    launchType: input.launchType ?? null,
    strategy: input.capacityProviderStrategy ?? [],
    group: input.group ?? `family:${record.key.family}`,
    startedBy: input.startedBy ?? null,
    tags: tagsOf(source, callTags),
    enableExec: input.enableExecuteCommand ?? false,
    front: { ...taskFrontOf(definition, overrides, extensions), propagateTags: input.propagateTags ?? null },
    token: source.token,
  };
}

/** The call's own go before those of the definition; ECS's managed tag comes on top. */
function tagsOf(source: Source, callTags: Tag[]): Tag[] {
  const propagated = source.input.propagateTags === 'TASK_DEFINITION' ? mergeTags(source.definition.tags, callTags) : callTags;
  return source.input.enableECSManagedTags === true
    ? [...propagated, { key: 'aws:ecs:clusterName', value: source.cluster.key.name }]
    : propagated;
}
