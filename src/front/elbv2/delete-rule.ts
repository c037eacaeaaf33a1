import type { DeleteRuleCommandInput, DeleteRuleCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { deleteRule, type IntentDeps } from '#intent/index.ts';

type Output = Omit<DeleteRuleCommandOutput, '$metadata'>;

export function deleteRuleOperation(deps: IntentDeps): Handler<DeleteRuleCommandInput, Output> {
  return {
    name: 'DeleteRule',
    async handle(input, { account, region }) {
      const scope = { account, region };
      await deleteRule(deps, scope, input.RuleArn ?? '');
      return {};
    },
  };
}
