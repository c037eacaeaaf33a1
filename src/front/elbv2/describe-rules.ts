import type { DescribeRulesCommandInput, DescribeRulesCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import { elbFault } from '#domain/elb-fault.ts';
import type { Handler } from '#gateway/types.ts';
import { listenerOf, ruleOf, type RuleOfListener, type IntentDeps } from '#intent/index.ts';
import { pageOf } from './input.ts';
import { ruleView } from './views.ts';

type Output = Omit<DescribeRulesCommandOutput, '$metadata'>;

export function describeRulesOperation(deps: IntentDeps): Handler<DescribeRulesCommandInput, Output> {
  return {
    name: 'DescribeRules',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const { ListenerArn: listenerArn, RuleArns: arns = [] } = input;
      if ((listenerArn === undefined) === (arns.length === 0)) {
        throw elbFault('ValidationError', 'You must specify either listener rule ARNs or a listener ARN');
      }
      const found = await deps.store.read(async (tx) => {
        if (listenerArn !== undefined) {
          const listener = await listenerOf(tx, scope, listenerArn);
          const rules = await tx.listenerRules.list({ ...scope, loadBalancer: listener.key.loadBalancer, listener: listener.key.id });
          return [...rules, null].map((rule): RuleOfListener => ({ listener, rule }));
        }
        const named: RuleOfListener[] = [];
        for (const arn of new Set(arns)) named.push(await ruleOf(tx, scope, arn));
        return named;
      });
      const { page, NextMarker } = pageOf(found, order, input);
      return { Rules: page.map(ruleView), NextMarker };
    },
  };
}

/** By priority, the default rule last. */
function order({ listener, rule }: RuleOfListener): string {
  return rule === null ? `default ${listener.key.id}` : `${String(rule.desired.priority).padStart(5, '0')} ${rule.key.id}`;
}
