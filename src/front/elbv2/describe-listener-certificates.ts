import type {
  DescribeListenerCertificatesCommandInput,
  DescribeListenerCertificatesCommandOutput,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { listenerOf, type IntentDeps } from '#intent/index.ts';
import { pageOf } from './input.ts';

type Output = Omit<DescribeListenerCertificatesCommandOutput, '$metadata'>;

export function describeListenerCertificatesOperation(deps: IntentDeps): Handler<DescribeListenerCertificatesCommandInput, Output> {
  return {
    name: 'DescribeListenerCertificates',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const { desired } = await deps.store.read((tx) => listenerOf(tx, scope, input.ListenerArn ?? ''));
      const certificates = desired.certificateArns.map((CertificateArn, index) => ({ CertificateArn, IsDefault: index === 0 }));
      const { page, NextMarker } = pageOf(certificates, ({ CertificateArn }) => CertificateArn, input);
      return { Certificates: page, NextMarker };
    },
  };
}
