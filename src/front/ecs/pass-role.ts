/** Whoever gives a role to tasks must be allowed to (IAM user guide, "Granting a user permissions to pass a role to an AWS service"). */
import { taskDefinitionRef } from '#domain/arn.ts';
import type { CallContext } from '#gateway/types.ts';
import { findTaskDefinition, type IntentDeps } from '#intent/index.ts';

type Roles = { taskRoleArn?: string | undefined; executionRoleArn?: string | undefined };

/** `given`: the first that names a role is what counts, as overrides before the definition. Throws AccessDenied. */
export async function assertPassRoles(context: CallContext, ...given: Roles[]): Promise<void> {
  const named: Roles = {};
  for (const { executionRoleArn, taskRoleArn } of given) {
    named.executionRoleArn ||= executionRoleArn;
    named.taskRoleArn ||= taskRoleArn;
  }
  await assertPass(context, [named.executionRoleArn, named.taskRoleArn], 'ecs-tasks.amazonaws.com');
}

type Managed = {
  infrastructureRoleArn?: string | undefined;
  volumeConfigurations?: { managedEBSVolume?: { roleArn: string | undefined } | undefined }[] | undefined;
  loadBalancers?: { advancedConfiguration?: { roleArn?: string | undefined } | undefined }[] | undefined;
  deploymentConfiguration?: { lifecycleHooks?: { roleArn?: string | undefined }[] | undefined } | undefined;
};

/** Roles by which ECS itself makes volumes, moves traffic and calls hooks (developer guide, "Amazon ECS infrastructure IAM role"). Throws AccessDenied. */
export async function assertPassToEcs(context: CallContext, input: Managed): Promise<void> {
  const roles = [
    input.infrastructureRoleArn,
    ...(input.volumeConfigurations ?? []).map(({ managedEBSVolume: volume }) => volume?.roleArn),
    ...(input.loadBalancers ?? []).map(({ advancedConfiguration: advanced }) => advanced?.roleArn),
    ...(input.deploymentConfiguration?.lifecycleHooks ?? []).map(({ roleArn }) => roleArn),
  ];
  await assertPass(context, roles, 'ecs.amazonaws.com');
}

/** Each of them by itself, in their order; often one role is both. */
async function assertPass(context: CallContext, roles: readonly (string | undefined)[], service: string): Promise<void> {
  const arns: string[] = [];
  for (const role of roles) {
    if (!role) continue;
    const arn = role.startsWith('arn:') ? role : `arn:aws:iam::${context.account}:role/${role}`;
    if (!arns.includes(arn)) arns.push(arn);
  }
  if (arns.length > 0) await context.assertAllowed('iam:PassRole', arns, { 'iam:PassedToService': service });
}

/** The same of a definition that a service names; one that isn't there is said by the service's own checks. */
export async function assertPassDefinition(deps: IntentDeps, context: CallContext, ref: string | undefined): Promise<void> {
  if (ref === undefined || ref === '') return;
  const found = await deps.store.read((tx) => findTaskDefinition(tx, context, taskDefinitionRef(context, ref)));
  if (found !== undefined) await assertPassRoles(context, found.definition);
}
