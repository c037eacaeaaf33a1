/** Key algorithms, in ACM's names. */
import { createHash, type KeyObject, webcrypto } from 'node:crypto';
import { Fault } from '#base/fault.ts';

/** What a certificate may be requested with (ACM API reference, RequestCertificate, KeyAlgorithm). */
export const requestableAlgorithms = ['RSA_2048', 'EC_prime256v1', 'EC_secp384r1'] as const;
export type RequestableAlgorithm = (typeof requestableAlgorithms)[number];

const curves: Record<string, string> = { EC_prime256v1: 'P-256', EC_secp384r1: 'P-384' };
const RSA_EXPONENT = new Uint8Array([1, 0, 1]);

export type KeyPair = { publicKey: CryptoKey; privateKey: CryptoKey };

/** A fresh key pair; throws Fault InvalidParameter for any other algorithm. */
export async function generateKey(algorithm: string): Promise<KeyPair> {
  const curve = curves[algorithm];
  if (curve === undefined && algorithm !== 'RSA_2048') {
    throw new Fault('InvalidParameter', `keys of ${algorithm} are not made here: use one of ${requestableAlgorithms.join(', ')}`);
  }
  const parameters =
    curve === undefined
      ? { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: RSA_EXPONENT, hash: 'SHA-256' }
      : { name: 'ECDSA', namedCurve: curve };
  return (await webcrypto.subtle.generateKey(parameters, true, ['sign', 'verify'])) as unknown as KeyPair;
}

/** PKCS #8 in PEM. */
export async function keyPem(key: CryptoKey): Promise<string> {
  const bytes = await webcrypto.subtle.exportKey('pkcs8', key as unknown as webcrypto.CryptoKey);
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

/** ACM's name of a key's algorithm; undefined for one that ACM doesn't take. RSA below 2,048 bits is refused: HAProxy and browsers do so too. */
export function algorithmOf(key: KeyObject): string | undefined {
  const details = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') {
    return [2048, 3072, 4096].includes(details.modulusLength ?? 0) ? `RSA_${details.modulusLength}` : undefined;
  }
  if (key.asymmetricKeyType !== 'ec') return undefined;
  const named = `EC_${details.namedCurve ?? ''}`;
  return ['EC_prime256v1', 'EC_secp384r1', 'EC_secp521r1'].includes(named) ? named : undefined;
}

/** 16 hex digits that stand for a public key: names the file of its private half. */
export function keyMark(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);
}
