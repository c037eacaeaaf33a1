import type { CreateListenerCommandInput, CreateListenerCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import { elbFault } from '#domain/elb-fault.ts';
import type { Handler } from '#gateway/types.ts';
import { createListener, type IntentDeps } from '#intent/index.ts';
import { toActions } from './actions.ts';
import { tagsOf } from './input.ts';
import { listenerChangeOf } from './listener-input.ts';
import { listenerProtocol } from './protocols.ts';
import { listenerView } from './views.ts';

type Output = Omit<CreateListenerCommandOutput, '$metadata'>;

export function createListenerOperation(deps: IntentDeps): Handler<CreateListenerCommandInput, Output> {
  return {
    name: 'CreateListener',
    async handle(input, { account, region }) {
      const scope = { account, region };
      if (input.Protocol === undefined) throw elbFault('ValidationError', 'A listener protocol must be specified');
      if (input.Port === undefined) throw elbFault('ValidationError', 'A listener port must be specified');
      const listener = await createListener(deps, scope, input.LoadBalancerArn ?? '', {
        ...listenerChangeOf(input),
        protocol: listenerProtocol(input.Protocol),
        port: input.Port,
        defaultActions: toActions(input.DefaultActions ?? []),
        tags: tagsOf(input.Tags),
      });
      return { Listeners: [listenerView(listener)] };
    },
  };
}
