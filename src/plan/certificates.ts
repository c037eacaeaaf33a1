/** Pure: what becomes of a certificate now. */
import { isUnderDomain } from '#domain/certificate.ts';
import type { CertificateRecord } from '#domain/certificate.ts';
import { limits } from '#base/limits.ts';

export type CertificatePolicy = {
  /** The instance's real domain: names under it are had by ACME. null: every certificate is berth's own. */
  acmeDomain: string | null;
  /** berth's own root, PEM; null while it isn't known. */
  root: string | null;
};

export type CertificateStep = {
  /** Who is to issue a certificate now; null: nobody. */
  issueBy: 'local' | 'acme' | null;
  status: CertificateRecord['observed']['status'];
  reason: string | null;
};

/** Wildcards need DNS-01, which berth has no way to answer: those stay with its own authority. */
export function issuerOf(record: CertificateRecord, acmeDomain: string | null): 'local' | 'acme' {
  const { issuer, names } = record.desired;
  if (issuer !== null) return issuer;
  const byAcme = acmeDomain !== null && names.every((name) => !name.startsWith('*.') && isUnderDomain(name, acmeDomain));
  return byAcme ? 'acme' : 'local';
}

/** `hasKey`: whether the private key of the certificate in force is there. */
export function planCertificate(record: CertificateRecord, policy: CertificatePolicy, now: number, hasKey: boolean): CertificateStep {
  return record.desired.type === 'IMPORTED' ? planImported(record, now, hasKey) : planIssued(record, policy, now, hasKey);
}

function planImported({ desired }: CertificateRecord, now: number, hasKey: boolean): CertificateStep {
  if (!hasKey) return { issueBy: null, status: 'FAILED', reason: 'its private key is not there any more: import it again' };
  const ended = desired.notAfter !== null && desired.notAfter <= now;
  return ended
    ? { issueBy: null, status: 'EXPIRED', reason: 'it ended: import a new one under its ARN' }
    : { issueBy: null, status: 'ISSUED', reason: null };
}

function planIssued(record: CertificateRecord, policy: CertificatePolicy, now: number, hasKey: boolean): CertificateStep {
  const { desired, observed } = record;
  const issuer = issuerOf(record, policy.acmeDomain);
  const { issued } = observed;
  if (issued === null) {
    const asked = Math.max(desired.createdAt, desired.renewAskedAt ?? 0);
    if (asked + limits.certificateWishMs <= now)
      return { issueBy: null, status: 'FAILED', reason: observed.reason ?? 'validation timed out' };
    return { issueBy: issuer, status: 'PENDING_VALIDATION', reason: observed.reason };
  }
  const ended = issued.notAfter <= now;
  const due = now >= issued.notAfter - (issued.notAfter - issued.notBefore) / 3;
  const asked = (desired.renewAskedAt ?? 0) > issued.issuedAt;
  const otherIssuer = issued.issuer !== issuer;
  const otherRoot = issued.issuer === 'local' && policy.root !== null && issued.chain !== policy.root;
  const wanted = !hasKey || due || asked || otherIssuer || otherRoot;
  return {
    issueBy: wanted ? issuer : null,
    status: ended ? 'EXPIRED' : 'ISSUED',
    reason: wanted ? observed.reason : null,
  };
}
