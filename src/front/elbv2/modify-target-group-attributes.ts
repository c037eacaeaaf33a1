import type {
  ModifyTargetGroupAttributesCommandInput,
  ModifyTargetGroupAttributesCommandOutput,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { targetGroupAttributes } from '#domain/elb-attributes.ts';
import { modifyTargetGroupAttributes, type IntentDeps } from '#intent/index.ts';
import { attributesOf, attributeViews } from './input.ts';

type Output = Omit<ModifyTargetGroupAttributesCommandOutput, '$metadata'>;

export function modifyTargetGroupAttributesOperation(deps: IntentDeps): Handler<ModifyTargetGroupAttributesCommandInput, Output> {
  return {
    name: 'ModifyTargetGroupAttributes',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const group = await modifyTargetGroupAttributes(deps, scope, input.TargetGroupArn ?? '', attributesOf(input.Attributes));
      return { Attributes: attributeViews(targetGroupAttributes(group.desired)) };
    },
  };
}
