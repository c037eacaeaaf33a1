/** A service's rows -> the API's Service. */
import type { Service, ServiceCurrentRevisionSummary, ServiceEvent } from '@aws-sdk/client-ecs';
import { limits } from '#base/limits.ts';
import { clusterArn, serviceArn, serviceDeploymentArn, serviceRevisionArn } from '#domain/arn.ts';
import type { ServiceEventRecord, ServiceRecord, ServiceRevisionRecord } from '#domain/service.ts';
import { serviceStatus } from '#intent/index.ts';
import type { ReadTx, ServiceCount } from '#store/types.ts';
import { revisionsPresent, tally } from './counts.ts';
import { shownConfiguration } from './deployment-config.ts';
import { describeDeployments } from './describe-deployments.ts';
import { describeTaskSets } from './describe-task-set.ts';
import { effectiveRevisionId } from './effective.ts';
import type { ServiceFront } from './service-members.ts';
import { frontOf, shownLaunch, shownNetwork } from './shown-members.ts';

/** As it is right now. `include`: TAGS. */
export async function describeService(tx: ReadTx, service: ServiceRecord, include: readonly string[]): Promise<Service> {
  const { key, desired } = service;
  const counts = await tx.tasks.serviceCounts(key);
  const target = effectiveRevisionId(service);
  const revisions: ServiceRevisionRecord[] = [];
  for (const id of new Set([...(target === null ? [] : [target]), ...revisionsPresent(counts)])) {
    const revision = await tx.serviceRevisions.get({ ...key, id });
    if (revision !== undefined) revisions.push(revision);
  }
  const records = await tx.serviceDeployments.list(key);
  const deployments = records.toSorted((a, b) => b.desired.createdAt - a.desired.createdAt);
  const ours = desired.controller === 'ECS' && serviceStatus(service) !== 'INACTIVE';
  const { runningCount, pendingCount } = tally(counts);
  return {
    ...ownMembers(service),
    ...revisionMembers(revisions.find((revision) => revision.key.id === target)),
    runningCount,
    pendingCount,
    deployments: ours ? describeDeployments({ service, revisions, deployments, counts }) : [],
    taskSets: desired.controller === 'EXTERNAL' ? await describeTaskSets(tx, service, include) : [],
    events: eventsOf(await tx.serviceEvents.list(key)),
    tags: include.includes('TAGS') ? desired.tags : [],
    ...(ours ? currentOf(service, revisions, counts) : {}),
  };
}

function ownMembers(service: ServiceRecord): Service {
  const { key, desired } = service;
  const front = desired.front as ServiceFront;
  return {
    serviceArn: serviceArn(key, key.cluster, key.name),
    serviceName: key.name,
    clusterArn: clusterArn(key, key.cluster),
    status: serviceStatus(service),
    desiredCount: desired.desiredCount,
    deploymentConfiguration: shownConfiguration(front.deploymentConfiguration, desired.deployment),
    deploymentController: { type: desired.controller },
    schedulingStrategy: desired.scheduling,
    createdAt: new Date(desired.createdAt),
    createdBy: desired.createdBy,
    enableECSManagedTags: desired.managedTags,
    propagateTags: desired.propagateTags,
    enableExecuteCommand: desired.enableExec,
    availabilityZoneRebalancing: desired.zoneRebalancing ? 'ENABLED' : 'DISABLED',
    resourceManagementType: front.express === undefined ? 'CUSTOMER' : 'ECS',
    roleArn: `arn:aws:iam::${key.account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS`,
    placementConstraints: [],
    placementStrategy: [],
    loadBalancers: [],
    serviceRegistries: [],
    ...(front.graceSeconds === null ? {} : { healthCheckGracePeriodSeconds: front.graceSeconds }),
  };
}

/** After a rollback they are those of the revision that it went back to. */
function revisionMembers(revision: ServiceRevisionRecord | undefined): Service {
  if (revision === undefined) return {};
  const { members, taskDefinition } = frontOf(revision);
  return {
    taskDefinition,
    loadBalancers: members.loadBalancers ?? [],
    serviceRegistries: members.serviceRegistries ?? [],
    platformVersion: members.platformVersion ?? 'LATEST',
    ...shownLaunch(revision),
    ...shownNetwork(members),
  };
}

function currentOf(service: ServiceRecord, revisions: readonly ServiceRevisionRecord[], counts: readonly ServiceCount[]): Service {
  const { key, desired } = service;
  const target = effectiveRevisionId(service);
  const summaries: ServiceCurrentRevisionSummary[] = revisions.map((revision) => {
    const { id } = revision.key;
    const { runningCount, pendingCount, wanted } = tally(counts, id);
    return {
      arn: serviceRevisionArn(key, key.cluster, key.name, id),
      requestedTaskCount: id === target ? desired.desiredCount : wanted,
      runningTaskCount: runningCount,
      pendingTaskCount: pendingCount,
    };
  });
  return {
    currentServiceRevisions: summaries,
    ...(desired.deploymentId === null
      ? {}
      : { currentServiceDeployment: serviceDeploymentArn(key, key.cluster, key.name, desired.deploymentId) }),
  };
}

/** The newest first. */
function eventsOf(events: readonly ServiceEventRecord[]): ServiceEvent[] {
  return events
    .slice(-limits.serviceEventsShown)
    .toReversed()
    .map((event) => ({ id: event.id, createdAt: new Date(event.at), message: event.message }));
}
