import type {
  DescribeListenerAttributesCommandInput,
  DescribeListenerAttributesCommandOutput,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { listenerAttributes } from '#domain/elb-attributes.ts';
import { listenerOf, type IntentDeps } from '#intent/index.ts';
import { attributeViews } from './input.ts';

type Output = Omit<DescribeListenerAttributesCommandOutput, '$metadata'>;

export function describeListenerAttributesOperation(deps: IntentDeps): Handler<DescribeListenerAttributesCommandInput, Output> {
  return {
    name: 'DescribeListenerAttributes',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const listener = await deps.store.read((tx) => listenerOf(tx, scope, input.ListenerArn ?? ''));
      return { Attributes: attributeViews(listenerAttributes(listener.desired)) };
    },
  };
}
