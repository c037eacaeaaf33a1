import type {
  DescribeTargetGroupAttributesCommandInput,
  DescribeTargetGroupAttributesCommandOutput,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { targetGroupAttributes } from '#domain/elb-attributes.ts';
import { targetGroupOf, type IntentDeps } from '#intent/index.ts';
import { attributeViews } from './input.ts';

type Output = Omit<DescribeTargetGroupAttributesCommandOutput, '$metadata'>;

export function describeTargetGroupAttributesOperation(deps: IntentDeps): Handler<DescribeTargetGroupAttributesCommandInput, Output> {
  return {
    name: 'DescribeTargetGroupAttributes',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const group = await deps.store.read((tx) => targetGroupOf(tx, scope, input.TargetGroupArn ?? ''));
      return { Attributes: attributeViews(targetGroupAttributes(group.desired)) };
    },
  };
}
