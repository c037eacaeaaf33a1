/** A task set's row and its revision's -> the API's TaskSet. Pure. */
import type { TaskSet } from '@aws-sdk/client-ecs';
import { clusterArn, serviceArn, taskSetArn } from '#domain/arn.ts';
import type { ServiceKey, ServiceRecord, ServiceRevisionRecord, TaskSetRecord } from '#domain/service.ts';
import type { ReadTx, ServiceCount } from '#store/types.ts';
import { tally } from './counts.ts';
import { frontOf, shownLaunch, shownNetwork } from './shown-members.ts';

/** `ecs-svc/DIGITS` -> the id of the revision. */
export const revisionIdOf = (taskSetId: string): string => taskSetId.replace(/^ecs-svc\//, '');

/** Those that are there, or still have tasks. */
export async function describeTaskSets(tx: ReadTx, service: ServiceRecord, include: readonly string[]): Promise<TaskSet[]> {
  const counts = await tx.tasks.serviceCounts(service.key);
  const described: TaskSet[] = [];
  for (const record of await tx.taskSets.list(service.key)) {
    if (!isThere(record, counts)) continue;
    described.push(await describeOne(tx, service, record, counts, include));
  }
  return described;
}

export async function describeTaskSet(tx: ReadTx, record: TaskSetRecord, include: readonly string[]): Promise<TaskSet> {
  const key = serviceKeyOf(record);
  const service = await tx.services.get(key);
  return await describeOne(tx, service, record, await tx.tasks.serviceCounts(key), include);
}

function isThere(record: TaskSetRecord, counts: readonly ServiceCount[]): boolean {
  return !record.desired.deleted || tally(counts, revisionIdOf(record.key.id)).present > 0;
}

async function describeOne(
  tx: ReadTx,
  service: ServiceRecord | undefined,
  record: TaskSetRecord,
  counts: readonly ServiceCount[],
  include: readonly string[],
): Promise<TaskSet> {
  const { key, desired, observed } = record;
  const id = revisionIdOf(key.id);
  const { runningCount, pendingCount } = tally(counts, id);
  const revision = await tx.serviceRevisions.get({ ...serviceKeyOf(record), id });
  return {
    id: key.id,
    taskSetArn: taskSetArn(key, key.cluster, key.name, id),
    serviceArn: serviceArn(key, key.cluster, key.name),
    clusterArn: clusterArn(key, key.cluster),
    status: statusOf(record, service),
    computedDesiredCount: Math.ceil(((service?.desired.desiredCount ?? 0) * desired.scale) / 100),
    pendingCount,
    runningCount,
    createdAt: new Date(desired.createdAt),
    updatedAt: new Date(observed.updatedAt),
    scale: { value: desired.scale, unit: 'PERCENT' },
    stabilityStatus: observed.stability,
    stabilityStatusAt: new Date(observed.stabilityAt),
    tags: include.includes('TAGS') ? desired.tags : [],
    ...(desired.externalId === null ? {} : { externalId: desired.externalId }),
    ...(desired.startedBy === null ? {} : { startedBy: desired.startedBy }),
    ...(revision === undefined ? {} : recipeOf(revision)),
  };
}

function recipeOf(revision: ServiceRevisionRecord): TaskSet {
  const { members, taskDefinition } = frontOf(revision);
  return {
    taskDefinition,
    loadBalancers: members.loadBalancers ?? [],
    serviceRegistries: members.serviceRegistries ?? [],
    platformVersion: revision.desired.platformVersion,
    ...shownLaunch(revision),
    ...shownNetwork(members),
  };
}

function statusOf(record: TaskSetRecord, service: ServiceRecord | undefined): string {
  if (record.desired.deleted) return 'DRAINING';
  return service?.desired.primaryTaskSetId === record.key.id ? 'PRIMARY' : record.observed.status;
}

function serviceKeyOf(record: TaskSetRecord): ServiceKey {
  const { account, region, cluster, name } = record.key;
  return { account, region, cluster, name };
}
