import type { DeleteTargetGroupCommandInput, DeleteTargetGroupCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { deleteTargetGroup, type IntentDeps } from '#intent/index.ts';

type Output = Omit<DeleteTargetGroupCommandOutput, '$metadata'>;

export function deleteTargetGroupOperation(deps: IntentDeps): Handler<DeleteTargetGroupCommandInput, Output> {
  return {
    name: 'DeleteTargetGroup',
    async handle(input, { account, region }) {
      const scope = { account, region };
      await deleteTargetGroup(deps, scope, input.TargetGroupArn ?? '');
      return {};
    },
  };
}
