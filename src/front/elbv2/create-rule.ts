import type { CreateRuleCommandInput, CreateRuleCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import { notInBerth } from '#domain/elb-fault.ts';
import type { Handler } from '#gateway/types.ts';
import { createRule, type IntentDeps } from '#intent/index.ts';
import { toActions } from './actions.ts';
import { toConditions } from './conditions.ts';
import { tagsOf } from './input.ts';
import { ruleView } from './views.ts';

type Output = Omit<CreateRuleCommandOutput, '$metadata'>;

export function createRuleOperation(deps: IntentDeps): Handler<CreateRuleCommandInput, Output> {
  return {
    name: 'CreateRule',
    async handle(input, { account, region }) {
      const scope = { account, region };
      if ((input.Transforms ?? []).length > 0) throw notInBerth('transforms of rules');
      const made = await createRule(deps, scope, input.ListenerArn ?? '', {
        priority: input.Priority ?? 0,
        conditions: toConditions(input.Conditions ?? []),
        actions: toActions(input.Actions ?? []),
        tags: tagsOf(input.Tags),
      });
      return { Rules: [ruleView(made)] };
    },
  };
}
