import type { SetRulePrioritiesCommandInput, SetRulePrioritiesCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import { elbFault } from '#domain/elb-fault.ts';
import type { Handler } from '#gateway/types.ts';
import { setRulePriorities, type IntentDeps } from '#intent/index.ts';
import { ruleView } from './views.ts';

type Output = Omit<SetRulePrioritiesCommandOutput, '$metadata'>;

export function setRulePrioritiesOperation(deps: IntentDeps): Handler<SetRulePrioritiesCommandInput, Output> {
  return {
    name: 'SetRulePriorities',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const wishes = (input.RulePriorities ?? []).map(({ RuleArn: arn = '', Priority: priority = 0 }) => ({ arn, priority }));
      if (wishes.length === 0) throw elbFault('ValidationError', 'At least one rule priority must be specified');
      return { Rules: (await setRulePriorities(deps, scope, wishes)).map(ruleView) };
    },
  };
}
