/** A certificate's record as ACM tells it. */
import { createHash } from 'node:crypto';
import type { CertificateDetail, CertificateSummary, DomainValidation } from '@aws-sdk/client-acm';
import { describePem } from '#certificates/index.ts';
import { certificateArn, certificatePem } from '#domain/certificate.ts';
import type { CertificateRecord } from '#domain/certificate.ts';

/** Names that one entry of a list shows. */
const SUMMARY_NAMES = 100;

export async function detailView(record: CertificateRecord, users: readonly string[]): Promise<CertificateDetail> {
  const { desired, observed } = record;
  const pem = certificatePem(record);
  const described = pem === null ? undefined : await describePem(pem.certificate);
  return {
    CertificateArn: certificateArn(record.key),
    DomainName: desired.domain,
    SubjectAlternativeNames: desired.names,
    ...(desired.type === 'AMAZON_ISSUED' ? { DomainValidationOptions: validationView(record) } : {}),
    ...(described === undefined
      ? { KeyUsages: [], ExtendedKeyUsages: [] }
      : {
          Serial: described.serial,
          Subject: described.subject,
          Issuer: described.issuer,
          SignatureAlgorithm: described.signatureAlgorithm,
          KeyUsages: described.keyUsages.map((Name) => ({ Name: Name as never })),
          ExtendedKeyUsages: described.extendedKeyUsages.map(({ name, oid }) => ({ Name: name as never, OID: oid })),
        }),
    ...times(record),
    Status: statusOf(record),
    ...(observed.status === 'FAILED' ? { FailureReason: 'OTHER' } : {}),
    KeyAlgorithm: desired.keyAlgorithm as never,
    InUseBy: [...users],
    Type: desired.type,
    RenewalEligibility: eligibility(record, users.length > 0),
    ...renewalView(record),
    Options: options(record),
  };
}

export async function summaryView(record: CertificateRecord, inUse: boolean): Promise<CertificateSummary> {
  const { desired } = record;
  const pem = certificatePem(record);
  const described = pem === null ? undefined : await describePem(pem.certificate);
  return {
    CertificateArn: certificateArn(record.key),
    DomainName: desired.domain,
    SubjectAlternativeNameSummaries: desired.names.slice(0, SUMMARY_NAMES),
    HasAdditionalSubjectAlternativeNames: desired.names.length > SUMMARY_NAMES,
    Status: statusOf(record),
    Type: desired.type,
    KeyAlgorithm: desired.keyAlgorithm as never,
    KeyUsages: (described?.keyUsages ?? []) as never,
    ExtendedKeyUsages: (described?.extendedKeyUsages ?? []).map(({ name }) => name) as never,
    InUse: inUse,
    RenewalEligibility: eligibility(record, inUse),
    ...times(record),
  };
}

/** An issue that didn't come about in time has a status of its own in ACM. */
export function statusOf({ desired, observed }: CertificateRecord): 'VALIDATION_TIMED_OUT' | CertificateRecord['observed']['status'] {
  return desired.type === 'AMAZON_ISSUED' && observed.status === 'FAILED' ? 'VALIDATION_TIMED_OUT' : observed.status;
}

function times({ desired, observed }: CertificateRecord) {
  const { issued } = observed;
  const [notBefore, notAfter] = issued === null ? [desired.notBefore, desired.notAfter] : [issued.notBefore, issued.notAfter];
  return {
    CreatedAt: new Date(desired.createdAt),
    ...(desired.importedAt === null ? {} : { ImportedAt: new Date(desired.importedAt) }),
    ...(issued === null ? {} : { IssuedAt: new Date(issued.issuedAt) }),
    ...(notBefore === null ? {} : { NotBefore: new Date(notBefore) }),
    ...(notAfter === null ? {} : { NotAfter: new Date(notAfter) }),
  };
}

/** ACM renews on its own only what something uses. */
function eligibility({ desired }: CertificateRecord, inUse: boolean): 'ELIGIBLE' | 'INELIGIBLE' {
  return desired.type === 'AMAZON_ISSUED' && inUse ? 'ELIGIBLE' : 'INELIGIBLE';
}

function renewalView(record: CertificateRecord): Pick<CertificateDetail, 'RenewalSummary'> {
  const { renewedAt } = record.observed;
  if (renewedAt === null) return {};
  return { RenewalSummary: { RenewalStatus: 'SUCCESS', DomainValidationOptions: validationView(record), UpdatedAt: new Date(renewedAt) } };
}

function options({ desired }: CertificateRecord): CertificateDetail['Options'] {
  const set = desired.options;
  return {
    CertificateTransparencyLoggingPreference: (set['CertificateTransparencyLoggingPreference'] ?? 'ENABLED') as never,
    Export: (set['Export'] ?? 'DISABLED') as never,
  };
}

function validationView({ key, desired, observed }: CertificateRecord): DomainValidation[] {
  const method = desired.validationMethod ?? 'DNS';
  const statuses = { ISSUED: 'SUCCESS', EXPIRED: 'SUCCESS', FAILED: 'FAILED', PENDING_VALIDATION: 'PENDING_VALIDATION' } as const;
  const view = (name: string): DomainValidation => ({
    DomainName: name,
    ValidationDomain: name,
    ValidationStatus: statuses[observed.status],
    ValidationMethod: method,
    ...(method === 'DNS' ? { ResourceRecord: resourceRecord(key.account, name) } : {}),
    ...(method === 'EMAIL' ? { ValidationEmails: mailboxes.map((box) => `${box}@${plainName(name)}`) } : {}),
  });
  return [desired.domain, ...desired.names.filter((name) => name !== desired.domain)].map(view);
}

const mailboxes = ['administrator', 'hostmaster', 'postmaster', 'webmaster', 'admin'];
const plainName = (name: string) => name.replace(/^\*\./, '');

/** The CNAME that ACM would ask for: the same for a name and its wildcard, and for each request of the account. Nothing here reads it. */
function resourceRecord(account: string, name: string): DomainValidation['ResourceRecord'] {
  const plain = plainName(name);
  const mark = (salt: string) => createHash('sha256').update(`${account} ${salt} ${plain}`).digest('hex').slice(0, 32);
  return { Name: `_${mark('name')}.${plain}.`, Type: 'CNAME', Value: `_${mark('value')}.acm-validations.aws.` };
}
