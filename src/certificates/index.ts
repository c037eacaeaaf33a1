/** Certificates and their keys: berth's own authority, imported ones, and the bundles that HAProxy reads. */
import { mkdir } from 'node:fs/promises';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import { createAuthority } from './authority.ts';
import type { Authority } from './authority.ts';
import { createBundleFiles } from './bundle-files.ts';
import type { BundleFiles } from './bundle-files.ts';
import { createKeyFiles } from './key-files.ts';
import type { KeyFiles } from './key-files.ts';

export { createAcmeIssuer, LETS_ENCRYPT } from './acme.ts';
export type { AcmeIssuer } from './acme.ts';
export type { Authority, Leaf } from './authority.ts';
export type { BundleFiles } from './bundle-files.ts';
export { CHALLENGE_PATH, createChallenges } from './challenges.ts';
export type { Challenges } from './challenges.ts';
export { checkImport } from './check-import.ts';
export type { CheckedImport, ImportedParts } from './check-import.ts';
export type { KeyFiles } from './key-files.ts';
export { requestableAlgorithms } from './keys.ts';
export { describePem, readFacts, splitCertificates } from './pem.ts';
export type { CertificateDescription, CertificateFacts } from './pem.ts';

export type Certificates = { authority: Authority; keys: KeyFiles; bundles: BundleFiles };

/** `dir`: the control plane's own, for the authority and private keys; `bundleDir`: where HAProxy reads. */
export async function openCertificates(
  deps: { clock: Clock; random: Random },
  options: { dir: string; bundleDir: string; instance: string },
): Promise<Certificates> {
  await mkdir(options.dir, { recursive: true, mode: 0o700 });
  return {
    authority: createAuthority(deps, { dir: options.dir, instance: options.instance }),
    keys: createKeyFiles(options.dir),
    bundles: createBundleFiles(options.bundleDir),
  };
}
