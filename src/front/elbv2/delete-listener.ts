import type { DeleteListenerCommandInput, DeleteListenerCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { deleteListener, type IntentDeps } from '#intent/index.ts';

type Output = Omit<DeleteListenerCommandOutput, '$metadata'>;

export function deleteListenerOperation(deps: IntentDeps): Handler<DeleteListenerCommandInput, Output> {
  return {
    name: 'DeleteListener',
    async handle(input, { account, region }) {
      const scope = { account, region };
      await deleteListener(deps, scope, input.ListenerArn ?? '');
      return {};
    },
  };
}
