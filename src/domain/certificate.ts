/** Certificates for listeners, as ACM has them (API reference, version 2015-12-08). Private keys are never in a row: files of the control plane's hold them. */
import type { Scope } from './scope.ts';
import type { Tag } from './task.ts';

export type CertificateRecord = {
  /** A UUID. */
  key: Scope & { id: string };
  revision: number;
  desired: {
    type: 'IMPORTED' | 'AMAZON_ISSUED';
    domain: string;
    names: string[];
    createdAt: number;
    importedAt: number | null;
    /** PEM; null while it is being issued. */
    certificate: string | null;
    chain: string | null;
    notBefore: number | null;
    notAfter: number | null;
    /** How AMAZON_ISSUED comes about: by berth's own authority, or by ACME where a real domain is set. */
    issuer: 'local' | 'acme' | null;
    keyAlgorithm: string;
    tags: Tag[];
  };
  /** Writer: control/certificates. */
  observed: { status: 'PENDING_VALIDATION' | 'ISSUED' | 'FAILED' | 'EXPIRED'; reason: string | null; renewedAt: number | null };
};

export const certificateArn = (key: CertificateRecord['key']) => `arn:aws:acm:${key.region}:${key.account}:certificate/${key.id}`;
