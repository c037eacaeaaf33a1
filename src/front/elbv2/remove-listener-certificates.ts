import type {
  RemoveListenerCertificatesCommandInput,
  RemoveListenerCertificatesCommandOutput,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { removeListenerCertificates, type IntentDeps } from '#intent/index.ts';
import { certificateArnsOf } from './listener-input.ts';

type Output = Omit<RemoveListenerCertificatesCommandOutput, '$metadata'>;

export function removeListenerCertificatesOperation(deps: IntentDeps): Handler<RemoveListenerCertificatesCommandInput, Output> {
  return {
    name: 'RemoveListenerCertificates',
    async handle(input, { account, region }) {
      const scope = { account, region };
      await removeListenerCertificates(deps, scope, input.ListenerArn ?? '', certificateArnsOf(input.Certificates ?? []));
      return {};
    },
  };
}
