/** RunTask for a rule or a schedule: as the role that it names, through the front door's own operation, once for each delivery (its client token). */
import { createHash } from 'node:crypto';
import type { RunTaskRequest, RunTaskResponse, TaskOverride } from '@aws-sdk/client-ecs';
import { asFault } from '#base/fault.ts';
import type { FaultCode } from '#base/fault.ts';
import type { Delivery } from '#domain/event.ts';
import type { Operation } from '#gateway/types.ts';
import type { Outcome } from '#plan/event-rules.ts';
import { contextOfRole, type Deps as RoleDeps } from './event-role.ts';

/** `runTask`: ECS's operation. */
export type Deps = RoleDeps & { runTask: Operation<RunTaskRequest, RunTaskResponse> };

/** EcsParameters, of a rule's target and of a schedule's, as the SDKs have them. */
type Parameters = {
  TaskDefinitionArn?: string;
  TaskCount?: number;
  LaunchType?: RunTaskRequest['launchType'];
  NetworkConfiguration?: {
    awsvpcConfiguration?: { Subnets?: string[]; SecurityGroups?: string[]; AssignPublicIp?: 'ENABLED' | 'DISABLED' };
  };
  PlatformVersion?: string;
  Group?: string;
  CapacityProviderStrategy?: { capacityProvider?: string; weight?: number; base?: number }[];
  EnableECSManagedTags?: boolean;
  EnableExecuteCommand?: boolean;
  PropagateTags?: 'TASK_DEFINITION';
  ReferenceId?: string;
  Tags?: { Key?: string; Value?: string; key?: string; value?: string }[];
};

/** What trying again won't mend. */
const forGood = new Set<FaultCode>(['InvalidParameter', 'ClientError', 'AccessDenied', 'ClusterNotFound', 'TaskDefinitionNotFound', 'ResourceNotFound', 'Unsupported']); // prettier-ignore

export async function runTaskFor(deps: Deps, delivery: Delivery, text: string): Promise<Outcome> {
  try {
    const { runTask } = deps;
    const fromScheduler = delivery.sourceArn.startsWith('arn:aws:scheduler:');
    const token = createHash('sha256').update(delivery.id).digest('hex');
    const wish = {
      roleArn: delivery.target.roleArn ?? '',
      service: fromScheduler ? 'scheduler.amazonaws.com' : 'events.amazonaws.com',
      sessionName: token.slice(0, 32),
      sourceArn: delivery.sourceArn,
    };
    const context = await contextOfRole(deps, delivery, wish, delivery.id);
    const input = inputOf(delivery, text, token, fromScheduler);
    await context.assertAllowed(
      runTask.action,
      [...(await runTask.resources(input, context))],
      (await runTask.facts?.(input, context)) ?? {},
    );
    for (const { action, resources, facts } of (await runTask.also?.(input, context)) ?? []) await context.assertAllowed(action, [...resources], facts ?? {}); // prettier-ignore
    const { tasks = [], failures = [] } = await runTask.handle(input, context);
    const [failure] = failures;
    if (failure === undefined || tasks.length > 0) return { ok: true };
    return { ok: false, again: true, code: failure.reason ?? 'FAILURE', message: failure.detail ?? 'no task could be placed' };
  } catch (error) {
    const { code, message } = asFault(error);
    return { ok: false, again: !forGood.has(code), code, message };
  }
}

function inputOf({ target, sourceName }: Delivery, text: string, clientToken: string, fromScheduler: boolean): RunTaskRequest {
  const given = target.parameters as Parameters;
  const {
    Subnets: subnets,
    SecurityGroups: securityGroups,
    AssignPublicIp: assignPublicIp,
  } = given.NetworkConfiguration?.awsvpcConfiguration ?? {};
  const network = given.NetworkConfiguration?.awsvpcConfiguration === undefined ? {} : { networkConfiguration: { awsvpcConfiguration: without({ subnets, securityGroups, assignPublicIp }) as { subnets: string[] } } }; // prettier-ignore
  return {
    cluster: target.arn,
    taskDefinition: given.TaskDefinitionArn,
    count: given.TaskCount ?? 1,
    clientToken,
    startedBy: `${fromScheduler ? 'chronos-schedule' : 'events-rule'}/${sourceName}`,
    overrides: overridesOf(text),
    ...network,
    ...without({
      launchType: given.LaunchType,
      platformVersion: given.PlatformVersion,
      group: given.Group,
      capacityProviderStrategy: given.CapacityProviderStrategy as RunTaskRequest['capacityProviderStrategy'],
      enableECSManagedTags: given.EnableECSManagedTags,
      enableExecuteCommand: given.EnableExecuteCommand,
      propagateTags: given.PropagateTags,
      referenceId: given.ReferenceId,
      tags: given.Tags?.map((tag) => ({ key: tag.Key ?? tag.key, value: tag.Value ?? tag.value })),
    }),
  };
}

const MEMBERS = ['containerOverrides', 'cpu', 'memory', 'taskRoleArn', 'executionRoleArn', 'ephemeralStorage'];

/** What the target gets are overrides; of a whole event, which has none of their members, nothing is. */
function overridesOf(text: string): TaskOverride {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return {};
  }
  if (typeof read !== 'object' || read === null || Array.isArray(read)) return {};
  return Object.fromEntries(Object.entries(read).filter(([member]) => MEMBERS.includes(member))) as TaskOverride;
}

function without<T extends Record<string, unknown>>(members: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never;
}
