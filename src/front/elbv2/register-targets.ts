import type { RegisterTargetsCommandInput, RegisterTargetsCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { registerTargets, type IntentDeps } from '#intent/index.ts';
import { targetsOf } from './targets.ts';

type Output = Omit<RegisterTargetsCommandOutput, '$metadata'>;

export function registerTargetsOperation(deps: IntentDeps): Handler<RegisterTargetsCommandInput, Output> {
  return {
    name: 'RegisterTargets',
    async handle(input, { account, region }) {
      const scope = { account, region };
      await registerTargets(deps, scope, input.TargetGroupArn ?? '', targetsOf(input.Targets));
      return {};
    },
  };
}
