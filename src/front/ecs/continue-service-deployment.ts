import type { ContinueServiceDeploymentRequest, ContinueServiceDeploymentResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { clip } from '#domain/names.ts';
import type { Handler } from '#gateway/types.ts';
import { continueServiceDeployment, type IntentDeps } from '#intent/index.ts';
import { partKey } from './service/parts-input.ts';

/** From the hook that it waits at; CONTINUE unless ROLLBACK is asked for. */
export function continueServiceDeploymentOperation(
  deps: IntentDeps,
): Handler<ContinueServiceDeploymentRequest, ContinueServiceDeploymentResponse> {
  return {
    name: 'ContinueServiceDeployment',
    async handle(input, context) {
      const arn = input.serviceDeploymentArn ?? '';
      const key = partKey(context, 'service-deployment', arn);
      const action = input.action ?? 'CONTINUE';
      if (action !== 'CONTINUE' && action !== 'ROLLBACK') {
        throw new Fault('InvalidParameter', `action '${clip(action)}' is not one of CONTINUE, ROLLBACK.`);
      }
      await continueServiceDeployment(deps, key, { hookId: input.hookId ?? '', action });
      return { serviceDeploymentArn: arn };
    },
  };
}
