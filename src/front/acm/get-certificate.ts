import type { GetCertificateRequest, GetCertificateResponse } from '@aws-sdk/client-acm';
import { Fault } from '#base/fault.ts';
import { certificatePem } from '#domain/certificate.ts';
import type { Handler } from '#gateway/types.ts';
import { findCertificate } from '#intent/index.ts';
import type { AcmDeps } from './types.ts';

export function getCertificateOperation(deps: AcmDeps): Handler<GetCertificateRequest, GetCertificateResponse> {
  return {
    name: 'GetCertificate',
    async handle(input, context) {
      const arn = input.CertificateArn ?? '';
      const pem = certificatePem(await deps.store.read((tx) => findCertificate(tx, context, arn)));
      if (pem === null) {
        throw new Fault('Conflict', `The certificate ${arn} has not been issued yet; try again later.`, {
          details: { errorName: 'RequestInProgressException' },
        });
      }
      return { Certificate: pem.certificate, ...(pem.chain === null ? {} : { CertificateChain: pem.chain }) };
    },
  };
}
