import type { DescribeCertificateRequest, DescribeCertificateResponse } from '@aws-sdk/client-acm';
import { certificateArn } from '#domain/certificate.ts';
import type { Handler } from '#gateway/types.ts';
import { certificateUsers, findCertificate } from '#intent/index.ts';
import type { AcmDeps } from './types.ts';
import { detailView } from './view.ts';

export function describeCertificateOperation(deps: AcmDeps): Handler<DescribeCertificateRequest, DescribeCertificateResponse> {
  return {
    name: 'DescribeCertificate',
    async handle(input, context) {
      const { record, users } = await deps.store.read(async (tx) => ({
        record: await findCertificate(tx, context, input.CertificateArn ?? ''),
        users: await certificateUsers(tx, context),
      }));
      return { Certificate: await detailView(record, users.get(certificateArn(record.key)) ?? []) };
    },
  };
}
