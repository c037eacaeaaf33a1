/**
 * AWS Certificate Manager, as far as it is served: certificates that berth issues itself or by ACME, and imported ones. Reference: ACM API
 * reference, version 2015-12-08.
 */
import { guarded } from '#gateway/access.ts';
import type { ApiSpec } from '#gateway/types.ts';
import { acmAccess } from './access.ts';
import { describeCertificateOperation } from './describe-certificate.ts';
import { acmErrors } from './errors.ts';
import { getCertificateOperation } from './get-certificate.ts';
import { importCertificateOperation } from './import-certificate.ts';
import { listCertificatesOperation } from './list-certificates.ts';
import { requestCertificateOperation } from './request-certificate.ts';
import { smallOperations } from './small-operations.ts';
import type { AcmDeps } from './types.ts';

export type { AcmDeps } from './types.ts';

export function createAcmApi(deps: AcmDeps): ApiSpec {
  return {
    service: 'acm',
    protocol: 'json-1.1',
    target: 'CertificateManager',
    schemaPackage: '@aws-sdk/client-acm',
    errors: acmErrors,
    operations: guarded(acmAccess(deps), [
      describeCertificateOperation(deps),
      getCertificateOperation(deps),
      importCertificateOperation(deps),
      listCertificatesOperation(deps),
      requestCertificateOperation(deps),
      ...smallOperations(deps),
    ]),
  };
}
