import type { StopServiceDeploymentRequest, StopServiceDeploymentResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { clip } from '#domain/names.ts';
import type { Handler } from '#gateway/types.ts';
import { stopServiceDeployment, type IntentDeps } from '#intent/index.ts';
import { partKey } from './service/parts-input.ts';

/** ROLLBACK unless ABORT is asked for, which leaves the tasks as they are. */
export function stopServiceDeploymentOperation(deps: IntentDeps): Handler<StopServiceDeploymentRequest, StopServiceDeploymentResponse> {
  return {
    name: 'StopServiceDeployment',
    async handle(input, context) {
      const arn = input.serviceDeploymentArn ?? '';
      const key = partKey(context, 'service-deployment', arn);
      const type = input.stopType ?? 'ROLLBACK';
      if (type !== 'ROLLBACK' && type !== 'ABORT') {
        throw new Fault('InvalidParameter', `stopType '${clip(type)}' is not one of ROLLBACK, ABORT.`);
      }
      await stopServiceDeployment(deps, key, type);
      return { serviceDeploymentArn: arn };
    },
  };
}
