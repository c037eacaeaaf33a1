import type { ModifyRuleCommandInput, ModifyRuleCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import { notInBerth } from '#domain/elb-fault.ts';
import type { Handler } from '#gateway/types.ts';
import { modifyRule, type IntentDeps } from '#intent/index.ts';
import { toActions } from './actions.ts';
import { toConditions } from './conditions.ts';
import { ruleView } from './views.ts';

type Output = Omit<ModifyRuleCommandOutput, '$metadata'>;

export function modifyRuleOperation(deps: IntentDeps): Handler<ModifyRuleCommandInput, Output> {
  return {
    name: 'ModifyRule',
    async handle(input, { account, region }) {
      const scope = { account, region };
      if ((input.Transforms ?? []).length > 0) throw notInBerth('transforms of rules');
      const changed = await modifyRule(deps, scope, input.RuleArn ?? '', {
        conditions: input.Conditions === undefined ? undefined : toConditions(input.Conditions),
        actions: input.Actions === undefined ? undefined : toActions(input.Actions),
      });
      return { Rules: [ruleView(changed)] };
    },
  };
}
