import type { AddListenerCertificatesCommandInput, AddListenerCertificatesCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { addListenerCertificates, type IntentDeps } from '#intent/index.ts';
import { certificateArnsOf } from './listener-input.ts';

type Output = Omit<AddListenerCertificatesCommandOutput, '$metadata'>;

export function addListenerCertificatesOperation(deps: IntentDeps): Handler<AddListenerCertificatesCommandInput, Output> {
  return {
    name: 'AddListenerCertificates',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const arns = certificateArnsOf(input.Certificates ?? []);
      await addListenerCertificates(deps, scope, input.ListenerArn ?? '', arns);
      return { Certificates: arns.map((CertificateArn) => ({ CertificateArn, IsDefault: false })) };
    },
  };
}
