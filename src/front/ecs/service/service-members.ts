/** CreateService, and UpdateService over what is there -> what intent commits. */
import type { CreateServiceRequest, DeploymentConfiguration, TaskDefinition, UpdateServiceRequest } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { taskDefinitionRef } from '#domain/arn.ts';
import type { ClusterRecord, TaskDefinitionRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { DeploymentConfig, ServiceRecord, ServiceRevisionRecord } from '#domain/service.ts';
import { assertTags } from '#domain/tags.ts';
import { findTaskDefinition, type ServiceMembers, type ServicePlanWish } from '#intent/index.ts';
import type { ReadTx } from '#store/types.ts';
import { launchDefaults, launchableDefinition } from '../task/launch.ts';
import type { ExpressFront } from '../express/express-front.ts';
import { mergeConfiguration, toDeploymentConfig } from './deployment-config.ts';
import { membersOf, revisionWishOf } from './revision-wish.ts';
import type { RevisionFront, RevisionMembers } from './revision-wish.ts';
import { assertUpdateInput } from './service-input.ts';
import { effectiveRevisionId } from './effective.ts';

/** What the front door keeps of a service to show it again, and to lay the next update over. */
export type ServiceFront = {
  deploymentConfiguration: DeploymentConfiguration;
  graceSeconds: number | null;
  /** Of an Express gateway service. */
  express?: ExpressFront;
};

/** The input was checked by `assertCreateInput`. Throws InvalidParameter, ClientError, Unsupported. */
export async function planCreate(tx: ReadTx, scope: Scope, cluster: ClusterRecord, input: CreateServiceRequest): Promise<ServicePlanWish> {
  const controller = input.deploymentController?.type === 'EXTERNAL' ? 'EXTERNAL' : 'ECS';
  const given = input.deploymentConfiguration ?? {};
  const deployment = toDeploymentConfig(given);
  const tags = assertTags(input.tags ?? []);
  const front: ServiceFront = { deploymentConfiguration: given, graceSeconds: input.healthCheckGracePeriodSeconds ?? null };
  const members: ServiceMembers = {
    desiredCount: input.desiredCount ?? 0,
    scheduling: 'REPLICA',
    controller,
    deployment,
    healthGraceMs: (front.graceSeconds ?? 0) * 1000,
    zoneRebalancing: rebalances(input.availabilityZoneRebalancing, deployment, deployment.maximumPercent > 100),
    propagateTags: input.propagateTags ?? 'NONE',
    managedTags: input.enableECSManagedTags ?? false,
    enableExec: input.enableExecuteCommand ?? false,
    tags,
    front,
  };
  if (controller === 'EXTERNAL') return { members, revision: null };
  const definition = await launchableDefinition(tx, scope, cluster, input);
  assertGrace(members, input.loadBalancers ?? [], definition);
  const source = { cluster, definition, tags, strategy: deployment.strategy, region: scope.region, ...(await launchDefaults(tx, scope)) };
  return { members, revision: revisionWishOf({ ...source, members: membersOf(input) }) };
}

/** Only what makes other tasks, or `forceNewDeployment`, brings a revision. Throws InvalidParameter, ClientError, Unsupported. */
export async function planUpdate(
  tx: ReadTx,
  scope: Scope,
  cluster: ClusterRecord,
  service: ServiceRecord,
  input: UpdateServiceRequest,
): Promise<ServicePlanWish> {
  const { desired } = service;
  assertUpdateInput(input, desired.controller);
  const before = desired.front as ServiceFront;
  const front: ServiceFront = {
    deploymentConfiguration: mergeConfiguration(before.deploymentConfiguration, input.deploymentConfiguration),
    graceSeconds: input.healthCheckGracePeriodSeconds ?? before.graceSeconds,
    ...(before.express === undefined ? {} : { express: before.express }),
  };
  const deployment = toDeploymentConfig(front.deploymentConfiguration);
  const members: ServiceMembers = {
    desiredCount: input.desiredCount ?? desired.desiredCount,
    scheduling: desired.scheduling,
    controller: desired.controller,
    deployment,
    healthGraceMs: (front.graceSeconds ?? 0) * 1000,
    zoneRebalancing: rebalances(input.availabilityZoneRebalancing, deployment, desired.zoneRebalancing && deployment.maximumPercent > 100),
    propagateTags: input.propagateTags ?? desired.propagateTags,
    managedTags: input.enableECSManagedTags ?? desired.managedTags,
    enableExec: input.enableExecuteCommand ?? desired.enableExec,
    tags: desired.tags,
    front,
  };
  if (desired.controller === 'EXTERNAL') return { members, revision: null };
  return { members, revision: await nextRevision(tx, scope, { cluster, service, members, input }) };
}

type Update = { cluster: ClusterRecord; service: ServiceRecord; members: ServiceMembers; input: UpdateServiceRequest };

async function nextRevision(tx: ReadTx, scope: Scope, update: Update): Promise<ServicePlanWish['revision']> {
  const { cluster, service, members, input } = update;
  const asked = membersOf(input);
  const rules = [
    input.taskDefinition,
    input.forceNewDeployment,
    input.deploymentConfiguration?.strategy,
    input.healthCheckGracePeriodSeconds,
  ];
  // A plain change of the count needs nothing of the definition, which may be gone.
  if (Object.keys(asked).length === 0 && rules.every((member) => member === undefined)) return null;
  const id = effectiveRevisionId(service);
  const current = id === null ? undefined : await tx.serviceRevisions.get({ ...service.key, id });
  if (current === undefined) throw new Fault('Internal', `the service ${service.key.name} has no revision ${id}`);
  const front = current.desired.front as RevisionFront;
  const merged = mergeMembers(front.members, input);
  const definition =
    input.taskDefinition === undefined
      ? await currentDefinition(tx, scope, current)
      : await launchableDefinition(tx, scope, cluster, { ...merged, taskDefinition: input.taskDefinition });
  if (input.healthCheckGracePeriodSeconds !== undefined) assertGrace(members, merged.loadBalancers ?? [], definition);
  const source = { cluster, definition, tags: members.tags, strategy: members.deployment.strategy, region: scope.region };
  const changed = definition.key.taskRevision !== current.desired.taskRevision || definition.key.family !== current.desired.family;
  const same = !changed && JSON.stringify(sorted(merged)) === JSON.stringify(sorted(front.members));
  const wish = revisionWishOf({ ...source, members: merged, ...(await launchDefaults(tx, scope)) });
  if (same && input.forceNewDeployment !== true) return null;
  const { launchType, strategy } = current.desired;
  const named = merged.launchType !== undefined || merged.capacityProviderStrategy !== undefined;
  // A cluster's default strategy is asked once, when the service is made.
  return named ? wish : { ...wish, launchType, strategy };
}

/** A service goes on with a definition that was deregistered, not with one that was deleted. */
async function currentDefinition(tx: ReadTx, scope: Scope, current: ServiceRevisionRecord): Promise<TaskDefinitionRecord> {
  const { family, taskRevision: revision } = current.desired;
  const record = await findTaskDefinition(tx, scope, taskDefinitionRef(scope, `${family}:${revision}`));
  if (record === undefined) throw new Fault('ClientError', 'TaskDefinition not found.');
  return record;
}

/** A strategy takes the place of a launch type; an empty one brings the launch type back (API reference, UpdateService). */
function mergeMembers(before: RevisionMembers, input: UpdateServiceRequest): RevisionMembers {
  const merged: RevisionMembers = { ...before, ...membersOf(input) };
  if (input.capacityProviderStrategy === undefined) return merged;
  const { launchType: _launchType, capacityProviderStrategy: strategy, ...rest } = merged;
  return (strategy ?? []).length > 0 ? { ...rest, capacityProviderStrategy: strategy ?? [] } : { ...rest, launchType: 'FARGATE' };
}

/** Spreading over zones starts a task before it stops one, so it needs room for it (developer guide, "Availability Zone rebalancing"). */
function rebalances(asked: string | undefined, deployment: DeploymentConfig, otherwise: boolean): boolean {
  if (asked === undefined) return otherwise;
  if (asked === 'ENABLED' && deployment.maximumPercent <= 100) {
    throw new Fault('InvalidParameter', 'availabilityZoneRebalancing needs a maximumPercent above 100.');
  }
  return asked === 'ENABLED';
}

function assertGrace(members: ServiceMembers, balancers: readonly unknown[], definition: TaskDefinitionRecord): void {
  const containers = (definition.definition as TaskDefinition).containerDefinitions ?? [];
  if (members.healthGraceMs === 0 || balancers.length > 0 || containers.some((container) => container.healthCheck !== undefined)) return;
  throw new Fault('InvalidParameter', 'Health check grace period is only valid for services configured to use load balancers');
}

/** Members in one order, so that two texts can be compared. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  );
}
