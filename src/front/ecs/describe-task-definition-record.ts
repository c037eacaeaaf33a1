/** A task definition's record -> the API's TaskDefinition. */
import type { TaskDefinition } from '@aws-sdk/client-ecs';
import { taskDefinitionArn } from '#domain/arn.ts';
import type { TaskDefinitionRecord } from '#domain/records.ts';

export function describeDefinition(record: TaskDefinitionRecord): TaskDefinition {
  const { family, taskRevision } = record.key;
  return {
    ...(record.definition as TaskDefinition),
    family,
    taskDefinitionArn: taskDefinitionArn(record.key, family, taskRevision),
    revision: taskRevision,
    status: record.status,
    registeredAt: new Date(record.registeredAt),
    registeredBy: record.registeredBy,
    ...(record.deregisteredAt === null ? {} : { deregisteredAt: new Date(record.deregisteredAt) }),
  };
}
