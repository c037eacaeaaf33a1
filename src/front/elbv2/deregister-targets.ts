import type { DeregisterTargetsCommandInput, DeregisterTargetsCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { deregisterTargets, type IntentDeps } from '#intent/index.ts';
import { targetsOf } from './targets.ts';

type Output = Omit<DeregisterTargetsCommandOutput, '$metadata'>;

export function deregisterTargetsOperation(deps: IntentDeps): Handler<DeregisterTargetsCommandInput, Output> {
  return {
    name: 'DeregisterTargets',
    async handle(input, { account, region }) {
      const scope = { account, region };
      await deregisterTargets(deps, scope, input.TargetGroupArn ?? '', targetsOf(input.Targets));
      return {};
    },
  };
}
