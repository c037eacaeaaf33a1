import type {
  ModifyListenerAttributesCommandInput,
  ModifyListenerAttributesCommandOutput,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { listenerAttributes } from '#domain/elb-attributes.ts';
import { modifyListenerAttributes, type IntentDeps } from '#intent/index.ts';
import { attributesOf, attributeViews } from './input.ts';

type Output = Omit<ModifyListenerAttributesCommandOutput, '$metadata'>;

export function modifyListenerAttributesOperation(deps: IntentDeps): Handler<ModifyListenerAttributesCommandInput, Output> {
  return {
    name: 'ModifyListenerAttributes',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const listener = await modifyListenerAttributes(deps, scope, input.ListenerArn ?? '', attributesOf(input.Attributes));
      return { Attributes: attributeViews(listenerAttributes(listener.desired)) };
    },
  };
}
