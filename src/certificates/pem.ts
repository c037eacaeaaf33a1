/** PEM texts and what stands in a certificate (RFC 7468, RFC 5280). */
import { X509Certificate } from 'node:crypto';
import { algorithmOf } from './keys.ts';
import { loadX509 } from './x509.ts';

const block = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** The certificates of a text, in its order. */
export function splitCertificates(pem: string): string[] {
  return pem.match(block) ?? [];
}

export type CertificateFacts = {
  /** The common name, else the first alternative one. */
  domain: string;
  /** Alternative names; DNS names and addresses. */
  names: string[];
  /** ACM's name; null for one that ACM doesn't take. */
  keyAlgorithm: string | null;
  notBefore: number;
  notAfter: number;
  /** SHA-256, as `AB:CD:...`. */
  fingerprint: string;
};

/** Throws what node:crypto throws for text that is no certificate. */
export function readFacts(certificate: string): CertificateFacts {
  const parsed = new X509Certificate(certificate);
  const names = alternativeNames(parsed.subjectAltName);
  const common = /^CN=(.+)$/m.exec(parsed.subject)?.[1];
  return {
    domain: common ?? names[0] ?? '',
    names: names.length > 0 ? names : common === undefined ? [] : [common],
    keyAlgorithm: algorithmOf(parsed.publicKey) ?? null,
    notBefore: parsed.validFromDate.getTime(),
    notAfter: parsed.validToDate.getTime(),
    fingerprint: parsed.fingerprint256,
  };
}

function alternativeNames(text: string | undefined): string[] {
  return (text ?? '').split(', ').flatMap((part) => /^(?:DNS|IP Address):(.+)$/.exec(part)?.[1] ?? []);
}

export type CertificateDescription = {
  /** `CN=example.org`, one line. */
  subject: string;
  /** The issuer's common name, else its organisation: what ACM calls Issuer. */
  issuer: string;
  /** Hex pairs with colons, lower case. */
  serial: string;
  /** `SHA256WITHRSA`, `SHA256WITHECDSA`. */
  signatureAlgorithm: string;
  /** ACM's names. */
  keyUsages: string[];
  extendedKeyUsages: { name: string; oid: string }[];
};

const usageNames = [
  'DIGITAL_SIGNATURE',
  'NON_REPUDIATION',
  'KEY_ENCIPHERMENT',
  'DATA_ENCIPHERMENT',
  'KEY_AGREEMENT',
  'CERTIFICATE_SIGNING',
  'CRL_SIGNING',
  'ENCIPHER_ONLY',
  'DECIPHER_ONLY',
];
const extendedNames: Record<string, string> = {
  '1.3.6.1.5.5.7.3.1': 'TLS_WEB_SERVER_AUTHENTICATION',
  '1.3.6.1.5.5.7.3.2': 'TLS_WEB_CLIENT_AUTHENTICATION',
  '1.3.6.1.5.5.7.3.3': 'CODE_SIGNING',
  '1.3.6.1.5.5.7.3.4': 'EMAIL_PROTECTION',
  '1.3.6.1.5.5.7.3.8': 'TIME_STAMPING',
  '1.3.6.1.5.5.7.3.9': 'OCSP_SIGNING',
  '2.5.29.37.0': 'ANY',
};

/** What a description shows beyond the facts. */
export async function describePem(certificate: string): Promise<CertificateDescription> {
  const x509 = await loadX509();
  const parsed = new X509Certificate(certificate);
  const whole = new x509.X509Certificate(certificate);
  const usages = whole.getExtension(x509.KeyUsagesExtension)?.usages ?? 0;
  const extended = whole.getExtension(x509.ExtendedKeyUsageExtension)?.usages ?? [];
  const field = (text: string, name: string) => new RegExp(`^${name}=(.+)$`, 'm').exec(text)?.[1];
  return {
    subject: parsed.subject?.split('\n').join(',') ?? '',
    issuer: field(parsed.issuer ?? '', 'CN') ?? field(parsed.issuer ?? '', 'O') ?? '',
    serial: (parsed.serialNumber.length % 2 === 1 ? `0${parsed.serialNumber}` : parsed.serialNumber)
      .toLowerCase()
      .replace(/(..)(?=.)/g, '$1:'),
    signatureAlgorithm: signatureName(whole.signatureAlgorithm as { name?: string; hash?: unknown }),
    keyUsages: usageNames.filter((_, bit) => (usages & (1 << bit)) !== 0),
    extendedKeyUsages: Array.from(extended, (oid) => ({ name: extendedNames[String(oid)] ?? 'CUSTOM', oid: String(oid) })),
  };
}

function signatureName(algorithm: { name?: string; hash?: unknown }): string {
  const hash = String((algorithm.hash as { name?: string } | undefined)?.name ?? '').replace('-', '');
  return `${hash}WITH${algorithm.name === 'ECDSA' ? 'ECDSA' : 'RSA'}`;
}
