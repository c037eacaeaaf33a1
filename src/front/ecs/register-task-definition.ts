import type { RegisterTaskDefinitionRequest, RegisterTaskDefinitionResponse } from '@aws-sdk/client-ecs';
import { assertTags } from '#domain/tags.ts';
import type { Handler } from '#gateway/types.ts';
import { registerTaskDefinition, type IntentDeps } from '#intent/index.ts';
import { fillDefaults } from './definition/defaults.ts';
import { validateDefinition } from './definition/validate.ts';
import { assertPassRoles } from './pass-role.ts';
import { describeDefinition } from './describe-task-definition-record.ts';

/** A definition that doesn't ask for Fargate is checked as one for EC2 and kept; only what is compatible with Fargate can be run. */
export function registerTaskDefinitionOperation(deps: IntentDeps): Handler<RegisterTaskDefinitionRequest, RegisterTaskDefinitionResponse> {
  return {
    name: 'RegisterTaskDefinition',
    async handle(input, context) {
      const checked = validateDefinition(input);
      await assertPassRoles(context, input);
      const record = await registerTaskDefinition(deps, context, {
        family: input.family ?? '',
        definition: fillDefaults(input, checked) as Record<string, unknown>,
        tags: assertTags(input.tags ?? []),
        registeredBy: context.principal.arn,
      });
      return { taskDefinition: describeDefinition(record), tags: record.tags };
    },
  };
}
