import type { ModifyListenerCommandInput, ModifyListenerCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { modifyListener, type IntentDeps } from '#intent/index.ts';
import { listenerChangeOf } from './listener-input.ts';
import { listenerView } from './views.ts';

type Output = Omit<ModifyListenerCommandOutput, '$metadata'>;

export function modifyListenerOperation(deps: IntentDeps): Handler<ModifyListenerCommandInput, Output> {
  return {
    name: 'ModifyListener',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const listener = await modifyListener(deps, scope, input.ListenerArn ?? '', listenerChangeOf(input));
      return { Listeners: [listenerView(listener)] };
    },
  };
}
