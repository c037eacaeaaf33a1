/**
 * berth's own certificate authority: one self-signed root for each instance, ECDSA P-256, made at first use and kept in the control
 * plane's directory. It is not constrained to names: a user may ask for a certificate of any name, as in ACM. Whoever trusts it trusts
 * the machine's user berth, which the documentation of `berth trust` says.
 */
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Random } from '#base/random.ts';
import { writeSecret } from './files.ts';
import { generateKey, keyPem } from './keys.ts';
import { loadX509 } from './x509.ts';

const DAY_MS = 24 * 3600_000;
/** How far before its making a certificate begins to be valid: clocks of other machines differ. */
const BACKDATE_MS = 3600_000;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const COMMON_NAME_CHARS = 64;

export type Leaf = { certificate: string; chain: string; privateKey: string; notBefore: number; notAfter: number };

export type Authority = {
  /** The root's certificate, PEM. Made when there is none, or when it ends within the life of a leaf. */
  certificate(): Promise<string>;
  /** A server certificate for DNS names (wildcards too) and addresses, with a key of its own; 90 days. */
  issue(names: readonly string[], keyAlgorithm: string): Promise<Leaf>;
};

export type AuthorityDeps = { clock: Clock; random: Random };
type Root = { certificate: string; key: CryptoKey };

/** `dir` must be there, closed to everybody else; `instance` tells several roots of one machine apart. */
export function createAuthority(deps: AuthorityDeps, options: { dir: string; instance: string }): Authority {
  const certificatePath = join(options.dir, 'authority.pem');
  const keyPath = join(options.dir, 'authority.key');
  let present: Promise<Root> | null = null;

  const load = async (): Promise<Root> => {
    const found = await readRoot(certificatePath, keyPath);
    if (found !== undefined && stillGood(found.certificate, deps.clock.now())) return found;
    const made = await makeRoot(deps, `berth local CA (${options.instance})`);
    // The key first: a certificate without its key would be one that nobody can renew.
    await writeSecret(keyPath, await keyPem(made.key));
    await writeSecret(certificatePath, made.certificate);
    return made;
  };
  const root = async (): Promise<Root> => {
    present ??= load();
    try {
      const found = await present;
      if (stillGood(found.certificate, deps.clock.now())) return found;
    } catch (error) {
      present = null;
      throw error;
    }
    present = load();
    return await present;
  };
  return {
    certificate: async () => (await root()).certificate,
    issue: async (names, keyAlgorithm) => issueLeaf(deps, await root(), names, keyAlgorithm),
  };
}

function stillGood(certificate: string, now: number): boolean {
  return new X509Certificate(certificate).validToDate.getTime() > now + 2 * limits.leafDays * DAY_MS;
}

/** undefined when there is none, or when key and certificate don't belong together (the control plane died between the two writes). */
async function readRoot(certificatePath: string, keyPath: string): Promise<Root | undefined> {
  const texts = await Promise.all([certificatePath, keyPath].map((path) => readFile(path, 'utf8').catch(ifAbsent)));
  const [certificate, pem] = texts;
  if (certificate === undefined || pem === undefined) return undefined;
  const key = createPrivateKey(pem);
  if (!new X509Certificate(certificate).checkPrivateKey(key)) return undefined;
  const der = key.export({ type: 'pkcs8', format: 'der' });
  const imported = await webcrypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign']);
  return { certificate, key: imported as unknown as CryptoKey };
}

function ifAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

async function makeRoot(deps: AuthorityDeps, name: string): Promise<Root> {
  const x509 = await loadX509();
  const keys = await generateKey('EC_prime256v1');
  const now = deps.clock.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }, { O: ['berth'] }],
    serialNumber: serial(deps.random),
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + limits.authorityDays * DAY_MS),
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, key: keys.privateKey };
}

async function issueLeaf(deps: AuthorityDeps, root: Root, names: readonly string[], keyAlgorithm: string): Promise<Leaf> {
  const [first] = names;
  if (first === undefined) throw new Fault('InvalidParameter', 'a certificate needs at least one name');
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(root.certificate);
  const keys = await generateKey(keyAlgorithm);
  const now = deps.clock.now();
  const notBefore = wholeSecond(now - BACKDATE_MS);
  const notAfter = wholeSecond(now + limits.leafDays * DAY_MS);
  const usages = x509.KeyUsageFlags.digitalSignature | (keyAlgorithm.startsWith('RSA') ? x509.KeyUsageFlags.keyEncipherment : 0);
  const certificate = await x509.X509CertificateGenerator.create({
    // A longer name stands in the alternative names alone (X.520: at most 64 characters here).
    subject: first.length <= COMMON_NAME_CHARS ? [{ CN: [first] }] : [],
    issuer: issuer.subjectName,
    serialNumber: serial(deps.random),
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    publicKey: keys.publicKey,
    signingKey: root.key,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(usages, true),
      new x509.ExtendedKeyUsageExtension([SERVER_AUTH]),
      new x509.SubjectAlternativeNameExtension(
        names.map((name) => ({ type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const), value: name })),
        first.length > COMMON_NAME_CHARS,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  const privateKey = await keyPem(keys.privateKey);
  return { certificate: `${certificate.toString('pem')}\n`, chain: root.certificate, privateKey, notBefore, notAfter };
}

const wholeSecond = (ms: number) => Math.floor(ms / 1000) * 1000;

/** Positive, 127 random bits (RFC 5280, section 4.1.2.2: at most 20 bytes). */
function serial(random: Random): string {
  const hex = hexId(random, 32);
  return (Number.parseInt(hex.slice(0, 1), 16) & 7 || 1).toString(16) + hex.slice(1);
}
