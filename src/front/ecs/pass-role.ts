/** Whoever gives a role to tasks must be allowed to (IAM user guide, "Granting a user permissions to pass a role to an AWS service"). */
import { taskDefinitionRef } from '#domain/arn.ts';
import type { CallContext } from '#gateway/types.ts';
import { findTaskDefinition, type IntentDeps } from '#intent/index.ts';

type Roles = { taskRoleArn?: string | undefined; executionRoleArn?: string | undefined };

/** `given`: the first that names a role is what counts, as overrides before the definition. Throws AccessDenied. */
export async function assertPassRoles(context: CallContext, ...given: Roles[]): Promise<void> {
  for (const member of ['executionRoleArn', 'taskRoleArn'] as const) {
    const role = given.map((roles) => roles[member]).find(Boolean);
    if (role === undefined) continue;
    const arn = role.startsWith('arn:') ? role : `arn:aws:iam::${context.account}:role/${role}`;
    await context.assertAllowed('iam:PassRole', [arn], { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' });
  }
}

/** The same of a definition that a service names; one that isn't there is said by the service's own checks. */
export async function assertPassDefinition(deps: IntentDeps, context: CallContext, ref: string | undefined): Promise<void> {
  if (ref === undefined || ref === '') return;
  const found = await deps.store.read((tx) => findTaskDefinition(tx, context, taskDefinitionRef(context, ref)));
  if (found !== undefined) await assertPassRoles(context, found.definition);
}
