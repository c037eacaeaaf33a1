/** What RunTask, services and task sets have in common: a task definition and a few members of a call -> how tasks of it are launched. */
import type {
  CapacityProviderStrategyItem,
  NetworkConfiguration,
  PlacementConstraint,
  PlacementStrategy,
  TaskDefinition,
  TaskOverride,
} from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { taskDefinitionRef } from '#domain/arn.ts';
import { beyondFargate, EXTENSIONS_TAG, extensionsOf, quoted } from '#domain/extensions.ts';
import type { Extension } from '#domain/extensions.ts';
import { LARGE_TASK_CPU } from '#domain/fargate-sizes.ts';
import { clip } from '#domain/names.ts';
import type { ClusterRecord, TaskDefinitionRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { LogDelivery, TaskSpec } from '#domain/task-spec.ts';
import { effectiveSetting, findTaskDefinition, rootArn, type NetworkWish } from '#intent/index.ts';
import type { ReadTx } from '#store/types.ts';
import type { TaskFront } from './describe-task.ts';
import { taskSize } from './task-size.ts';

const platformVersions = ['LATEST', '1.4.0', '1.3.0'];
/** What LATEST stands for. */
export const PLATFORM_VERSION = '1.4.0';
const EPHEMERAL_GIB = 20;

/** Members that say what carries the tasks. */
export type LaunchInput = {
  launchType?: string | undefined;
  capacityProviderStrategy?: CapacityProviderStrategyItem[] | undefined;
  platformVersion?: string | undefined;
  placementConstraints?: PlacementConstraint[] | undefined;
  placementStrategy?: PlacementStrategy[] | undefined;
};

/** Throws InvalidParameter, or the errors that AWS has names for. */
export function assertFargateWish(input: LaunchInput): void {
  if (input.launchType !== undefined && !['EC2', 'FARGATE', 'EXTERNAL', 'MANAGED_INSTANCES'].includes(input.launchType)) {
    throw refuse(`launchType '${clip(input.launchType)}' is not one of EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES.`);
  }
  if ((input.placementConstraints ?? []).length > 0) throw refuse('Placement constraints are not supported with FARGATE launch type.');
  if ((input.placementStrategy ?? []).length > 0) throw refuse('Placement strategies are not supported with FARGATE launch type.');
  if (input.platformVersion !== undefined && !platformVersions.includes(input.platformVersion)) {
    throw new Fault(
      'InvalidParameter',
      `The specified platform version '${clip(input.platformVersion)}' does not exist: use LATEST or ${PLATFORM_VERSION}.`,
      {
        details: { errorName: 'PlatformUnknownException' },
      },
    );
  }
}

/** Whether Fargate is to carry the tasks; if not, nothing here will, and intent says so in AWS's words. */
export function goesToFargate(input: LaunchInput, cluster: ClusterRecord): boolean {
  if (input.launchType !== undefined) return input.launchType === 'FARGATE';
  return (input.capacityProviderStrategy ?? []).length > 0 || cluster.defaultStrategy.length > 0;
}

/** The ACTIVE definition that a call names. Throws ClientError with AWS's texts. */
export async function activeDefinition(
  tx: ReadTx,
  scope: Scope,
  input: { taskDefinition?: string | undefined },
): Promise<TaskDefinitionRecord> {
  const record = await findTaskDefinition(tx, scope, taskDefinitionRef(scope, input.taskDefinition ?? ''));
  if (record === undefined) throw new Fault('ClientError', 'TaskDefinition not found.');
  if (record.status !== 'ACTIVE') throw new Fault('ClientError', 'TaskDefinition is inactive');
  return record;
}

/** The same, fit for what carries its tasks. Throws InvalidParameter too. */
export async function launchableDefinition(
  tx: ReadTx,
  scope: Scope,
  cluster: ClusterRecord,
  input: LaunchInput & { taskDefinition?: string | undefined },
): Promise<TaskDefinitionRecord> {
  const record = await activeDefinition(tx, scope, input);
  const { compatibilities } = record.definition as { compatibilities?: string[] };
  if (goesToFargate(input, cluster) && compatibilities?.includes('FARGATE') !== true) {
    throw refuse('Task definition does not support launch_type FARGATE.');
  }
  return record;
}

/**
 * What holds where a definition says nothing: the architecture of the first connected host, and how output is handed on that is not taken
 * as fast as it comes (account setting defaultLogDriverMode, the account's).
 */
export async function launchDefaults(tx: ReadTx, scope: Scope): Promise<{ arch: 'amd64' | 'arm64'; logMode: LogDelivery['mode'] }> {
  const arch = (await tx.hosts.list({})).find((host) => host.status === 'CONNECTED')?.info.arch ?? 'amd64';
  const mode = await effectiveSetting(tx, { account: scope.account, region: scope.region }, rootArn(scope), 'defaultLogDriverMode');
  return { arch, logMode: mode === 'blocking' ? 'blocking' : 'non-blocking' };
}

/** Large tasks and chosen storage came with platform version 1.4.0 (ECS developer guide, "Fargate platform versions"). */
export function platformFor(
  wanted: string | undefined,
  definition: TaskDefinition,
  overrides: TaskOverride,
  extensions: readonly Extension[],
): string {
  const version = wanted ?? 'LATEST';
  if (version === 'LATEST' || version === PLATFORM_VERSION) return PLATFORM_VERSION;
  const large = taskSize(definition, overrides, extensions).cpu >= LARGE_TASK_CPU;
  const storage = overrides.ephemeralStorage ?? definition.ephemeralStorage;
  if (!large && storage === undefined) return version;
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
export function optedIn(record: TaskDefinitionRecord, spec: TaskSpec): TaskSpec {
  const allowed = extensionsOf(record.tags);
  const wish = beyondFargate(spec).find(({ allowedBy }) => !allowedBy.some((extension) => allowed.includes(extension)));
  if (wish === undefined) return spec;
  const names = quoted(wish.allowedBy);
  throw refuse(`The task definition asks for ${wish.what}, but no longer has the tag ${EXTENSIONS_TAG} with ${names}, which allowed that.`);
}

export function networkOf(configuration: NetworkConfiguration | undefined): NetworkWish {
  const vpc = configuration?.awsvpcConfiguration;
  if (vpc === undefined) throw refuse("Network Configuration must be provided when networkMode 'awsvpc' is specified.");
  const publicIp = vpc.assignPublicIp;
  if (publicIp !== undefined && publicIp !== 'ENABLED' && publicIp !== 'DISABLED') {
    throw refuse(`assignPublicIp '${clip(publicIp)}' is not one of ENABLED, DISABLED.`);
  }
  return { subnetIds: vpc.subnets ?? [], securityGroupIds: vpc.securityGroups ?? [], publicIp: publicIp === 'ENABLED' };
}

/** What DescribeTasks shows of a task that its spec doesn't say. */
export function taskFrontOf(definition: TaskDefinition, overrides: TaskOverride, extensions: readonly Extension[]): TaskFront {
  const size = taskSize(definition, overrides, extensions);
  const overrideOf = new Map((overrides.containerOverrides ?? []).map((override) => [override.name, override]));
  return {
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
}

function refuse(text: string): Fault {
  return new Fault('InvalidParameter', text);
}
