/**
 * Certificates by ACME (RFC 8555), proven by HTTP-01. The client is loaded for the first order: it brings 20 MiB that an instance without
 * a real domain never needs.
 */
import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import tls from 'node:tls';
import type { Clock } from '#base/clock.ts';
import { Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Leaf } from './authority.ts';
import type { Challenges } from './challenges.ts';
import { writeSecret } from './files.ts';
import { generateKey, keyPem } from './keys.ts';
import type { KeyPair } from './keys.ts';
import { readFacts, splitCertificates } from './pem.ts';
import { loadX509 } from './x509.ts';

export const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory';

export type AcmeIssuer = {
  /** One order, from account to certificate. Throws Fault Unavailable (the server's own words) or TimedOut. */
  order(names: readonly string[], keyAlgorithm: string): Promise<Leaf>;
};

export type AcmeOptions = {
  /** Where the account's key is kept. */
  dir: string;
  /** URL of the server's directory. */
  directory: string;
  email: string | null;
  challenges: Challenges;
};

export function createAcmeIssuer(clock: Clock, options: AcmeOptions): AcmeIssuer {
  let account: Promise<string> | null = null;
  const accountKey = (): Promise<string> => {
    account ??= loadAccountKey(join(options.dir, 'acme-account.key')).catch((error: unknown) => {
      account = null;
      throw error;
    });
    return account;
  };
  return {
    async order(names, keyAlgorithm) {
      const late = Promise.withResolvers<never>();
      const timer = clock.after(limits.acmeOrderMs, () =>
        late.reject(
          new Fault('TimedOut', `the ACME server ${options.directory} gave no certificate within ${limits.acmeOrderMs / 1000} s`),
        ),
      );
      try {
        return await Promise.race([placeOrder(options, await accountKey(), names, keyAlgorithm), late.promise]);
      } catch (error) {
        if (isFault(error)) throw error;
        throw new Fault('Unavailable', `ACME server ${options.directory}: ${(error as Error).message}`, { cause: error });
      } finally {
        timer.cancel();
      }
    },
  };
}

async function placeOrder(options: AcmeOptions, accountKey: string, names: readonly string[], keyAlgorithm: string): Promise<Leaf> {
  await import('reflect-metadata');
  const acme = (await import('acme-client')).default;
  trustSystem();
  const keys = await generateKey(keyAlgorithm);
  const client = new acme.Client({
    directoryUrl: options.directory,
    accountKey,
    backoffAttempts: 40,
    backoffMin: 500,
    backoffMax: 5000,
  });
  const answer = await client.auto({
    csr: await signingRequest(names, keys, keyAlgorithm),
    ...(options.email === null ? {} : { email: options.email }),
    termsOfServiceAgreed: true,
    // The server asks from where it stands; this machine may not even resolve the name as the world does.
    skipChallengeVerification: true,
    challengePriority: ['http-01'],
    async challengeCreateFn(authorization, challenge, keyAuthorization) {
      if (challenge.type !== 'http-01') {
        throw new Fault('Unsupported', `the ACME server offers no http-01 challenge for ${authorization.identifier.value}`);
      }
      options.challenges.set(challenge.token, keyAuthorization);
    },
    async challengeRemoveFn(_authorization, challenge) {
      options.challenges.remove(challenge.token);
    },
  });
  return readAnswer(answer, await keyPem(keys.privateKey), names);
}

/** The parts of what the server sent. Throws ProtocolError for a certificate without the names that were asked for. */
export function readAnswer(pem: string, privateKey: string, names: readonly string[]): Leaf {
  const [certificate, ...chain] = splitCertificates(pem);
  if (certificate === undefined) throw new Fault('ProtocolError', 'the ACME server answered without a certificate');
  const facts = readFacts(certificate);
  const lacking = names.filter((name) => !facts.names.includes(name));
  if (lacking.length > 0) throw new Fault('ProtocolError', `the ACME server's certificate lacks ${lacking.join(', ')}`);
  return {
    certificate: `${certificate}\n`,
    chain: chain.map((one) => `${one}\n`).join(''),
    privateKey,
    notBefore: facts.notBefore,
    notAfter: facts.notAfter,
  };
}

/** PKCS #10, PEM. */
export async function signingRequest(names: readonly string[], keys: KeyPair, keyAlgorithm: string): Promise<string> {
  const x509 = await loadX509();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: keyAlgorithm.startsWith('RSA') ? { name: 'RSASSA-PKCS1-v1_5' } : { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [new x509.SubjectAlternativeNameExtension(names.map((name) => ({ type: 'dns' as const, value: name })))],
  });
  return request.toString('pem');
}

async function loadAccountKey(path: string): Promise<string> {
  const present = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
  if (present !== undefined) {
    createPrivateKey(present);
    return present;
  }
  const made = await keyPem((await generateKey('EC_prime256v1')).privateKey);
  await writeSecret(path, made);
  return made;
}

let trusted = false;

/** An ACME server of one's own is trusted when the machine trusts it, not only when Node's own list does. */
function trustSystem(): void {
  if (trusted) return;
  trusted = true;
  tls.setDefaultCACertificates([...new Set([...tls.getCACertificates('default'), ...tls.getCACertificates('system')])]);
}
