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
    /** PEM of an imported one; null for AMAZON_ISSUED, whose certificate is `observed.issued`. */
    certificate: string | null;
    chain: string | null;
    notBefore: number | null;
    notAfter: number | null;
    /** Of AMAZON_ISSUED: who must issue it; null: ACME for names under the instance's real domain, else berth's own authority. */
    issuer: 'local' | 'acme' | null;
    keyAlgorithm: string;
    /** Of AMAZON_ISSUED: as the caller asked for it. berth proves what it must by itself, whichever it is. */
    validationMethod: 'DNS' | 'EMAIL' | 'HTTP' | null;
    /** CertificateTransparencyLoggingPreference and Export, as set by a caller. */
    options: Record<string, string>;
    /** A caller asked for a renewal then. */
    renewAskedAt: number | null;
    tags: Tag[];
  };
  /** Writer: control/certificates. */
  observed: {
    status: 'PENDING_VALIDATION' | 'ISSUED' | 'FAILED' | 'EXPIRED';
    reason: string | null;
    renewedAt: number | null;
    issued: IssuedCertificate | null;
    /** SHA-256 fingerprint of the certificate in the bundle that the front door may read; null while there is none. */
    bundle: string | null;
  };
};

/** What an authority gave: PEM, milliseconds. */
export type IssuedCertificate = {
  issuer: 'local' | 'acme';
  certificate: string;
  chain: string;
  notBefore: number;
  notAfter: number;
  issuedAt: number;
};

/** PEM of the certificate in force, imported or issued; null while there is none. */
export function certificatePem(record: CertificateRecord): { certificate: string; chain: string | null } | null {
  const { desired, observed } = record;
  if (desired.type === 'AMAZON_ISSUED') return observed.issued;
  return desired.certificate === null ? null : { certificate: desired.certificate, chain: desired.chain };
}

/** Id out of a certificate's ARN; undefined for any other text. */
export function parseCertificateArn(arn: string): (Scope & { id: string }) | undefined {
  const match = /^arn:aws[a-z-]*:acm:([a-z0-9-]+):(\d{12}):certificate\/([A-Za-z0-9-]+)$/.exec(arn);
  const [, region, account, id] = match ?? [];
  return region === undefined || account === undefined || id === undefined ? undefined : { account, region, id };
}

/** Whether `name` is `domain` or lies under it. */
export function isUnderDomain(name: string, domain: string): boolean {
  return name === domain || name.endsWith(`.${domain}`);
}

export const certificateArn = (key: CertificateRecord['key']) => `arn:aws:acm:${key.region}:${key.account}:certificate/${key.id}`;
