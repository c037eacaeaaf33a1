/** What a certificate must be to be imported (ACM user guide, "Prerequisites for importing certificates"); refusals in ACM's words where known. */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { algorithmOf } from './keys.ts';
import { readFacts, splitCertificates } from './pem.ts';
import type { CertificateFacts } from './pem.ts';

export type ImportedParts = { certificate: string; chain: string | null; privateKey: string };
export type CheckedImport = ImportedParts & { facts: CertificateFacts & { keyAlgorithm: string } };

/** The parts as they will be served. Throws Fault InvalidParameter (ACM: ValidationException). */
export function checkImport(parts: ImportedParts, now: number): CheckedImport {
  const leaf = readCertificate(parts.certificate);
  const facts = readFacts(leaf.toString());
  if (facts.keyAlgorithm === null) {
    throw refuse('The private key is not supported: use RSA with 2048, 3072 or 4096 bits, or EC with P-256, P-384 or P-521.');
  }
  if (facts.domain === '') throw refuse('The certificate names no domain: it has neither a common name nor an alternative one.');
  if (facts.notBefore > now) throw refuse('The certificate is not yet valid.');
  if (facts.notAfter <= now) throw refuse('The certificate has expired.');
  const key = readKey(parts.privateKey);
  if (!leaf.checkPrivateKey(key)) throw refuse('The private key does not match the public key of the certificate.');
  const chain = parts.chain === null ? [] : readChain(parts.chain);
  assertOrder(leaf, chain);
  return {
    certificate: lines([leaf]),
    chain: chain.length === 0 ? null : lines(chain),
    privateKey: String(key.export({ type: 'pkcs8', format: 'pem' })),
    facts: { ...facts, keyAlgorithm: facts.keyAlgorithm },
  };
}

const refuse = (message: string, cause?: unknown) =>
  new Fault('InvalidParameter', message, { details: { errorName: 'ValidationException' }, ...(cause === undefined ? {} : { cause }) });

const lines = (certificates: X509Certificate[]) => certificates.map((one) => `${one.toString().trim()}\n`).join('');

function readCertificate(pem: string): X509Certificate {
  const [first, second] = splitCertificates(pem);
  if (first === undefined) throw refuse('The certificate is not a valid PEM-encoded certificate.');
  if (second !== undefined) {
    throw refuse('The certificate field contains more than one certificate. You can specify only one certificate in this field.');
  }
  return parse(first, 'The certificate');
}

function readChain(pem: string): X509Certificate[] {
  const found = splitCertificates(pem);
  if (found.length === 0) throw refuse('The certificate chain is not in a valid PEM format.');
  if (found.length > limits.certificateChainLength) {
    throw refuse(`The certificate chain has ${found.length} certificates; at most ${limits.certificateChainLength} are taken.`);
  }
  return found.map((one) => parse(one, 'A certificate of the chain'));
}

function parse(pem: string, what: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw refuse(`${what} is not a valid X.509 certificate.`, error);
  }
}

function readKey(pem: string): KeyObject {
  if (/ENCRYPTED/.test(pem)) throw refuse('The private key must be unencrypted: it may not be protected by a passphrase.');
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw refuse('The private key is not a valid PEM-encoded private key.', error);
  }
  if (algorithmOf(key) === undefined) throw refuse('The private key is not supported.');
  return key;
}

/** Each certificate of the chain must have signed the one before it; the root itself may be left out. */
function assertOrder(leaf: X509Certificate, chain: X509Certificate[]): void {
  let below = leaf;
  for (const [index, above] of chain.entries()) {
    const signed = below.checkIssued(above) && below.verify(above.publicKey);
    if (!signed) {
      throw refuse(
        `Could not validate the certificate with the certificate chain: number ${index + 1} of the chain did not sign the certificate before it. Order the chain from the one that signed the certificate up to the root.`,
      );
    }
    if (!above.ca) throw refuse(`Number ${index + 1} of the certificate chain is no certificate authority.`);
    below = above;
  }
}
