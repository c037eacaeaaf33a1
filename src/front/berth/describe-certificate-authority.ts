/** DescribeCertificateAuthority: the root of berth's own authority, for those who are to trust it. Made when there is none yet. */
import { readFacts } from '#certificates/index.ts';
import type { Operation } from '#gateway/types.ts';
import type { BerthApiDeps } from './types.ts';

export function describeCertificateAuthority({ authority }: BerthApiDeps): Operation {
  return {
    name: 'DescribeCertificateAuthority',
    action: 'berth:DescribeCertificateAuthority',
    resources: () => ['*'],
    async handle() {
      const certificate = await authority.certificate();
      const { domain, fingerprint, notAfter } = readFacts(certificate);
      return { certificate, name: domain, fingerprint, notAfter };
    },
  };
}
