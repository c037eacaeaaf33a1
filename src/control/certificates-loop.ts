/**
 * Issues certificates that were asked for, renews those that are due, and keeps the front door's bundles as the records say. Writer of
 * certificates.observed. A bundle is on disk before the record says so, and a key before the certificate that needs it.
 */
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { readFacts } from '#certificates/index.ts';
import type { Leaf } from '#certificates/index.ts';
import { certificatePem } from '#domain/certificate.ts';
import type { CertificateRecord, IssuedCertificate } from '#domain/certificate.ts';
import { planCertificate } from '#plan/certificates.ts';
import type { CertificateStep } from '#plan/certificates.ts';
import type { Store } from '#store/types.ts';
import { createAcmeOrders } from './acme-orders.ts';
import { createLease } from './lease.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import type { CertificateSources } from './types.ts';

export type CertificatesDeps = { store: Store; clock: Clock; log: Log; sources: CertificateSources };
type Observed = CertificateRecord['observed'];

export function startCertificatesLoop(deps: CertificatesDeps, holder: string): Loop {
  const { store, clock, log, sources } = deps;
  const lease = createLease(store, clock, 'certificates', holder);
  const orders = sources.acme === null ? null : createAcmeOrders({ clock, log }, sources.acme.issuer, () => loop.look());

  const issue = async (record: CertificateRecord, by: 'local' | 'acme'): Promise<Leaf | string | null> => {
    const { names, keyAlgorithm } = record.desired;
    if (by === 'local') return await sources.authority.issue(names, keyAlgorithm);
    return orders === null ? 'no real domain is set any more (berth up --domain)' : orders.ask(record.key.id, names, keyAlgorithm);
  };

  const settle = async (record: CertificateRecord, root: string | null): Promise<void> => {
    const { id } = record.key;
    const present = certificatePem(record);
    const key = present === null ? undefined : await sources.keys.find(id, present.certificate);
    const policy = { acmeDomain: sources.acme?.domain ?? null, root };
    const step = planCertificate(record, policy, clock.now(), key !== undefined);
    let observed: Observed = { ...record.observed, status: step.status, reason: step.reason };
    const answer = step.issueBy === null ? null : await issue(record, step.issueBy);
    if (typeof answer === 'string') observed.reason = answer;
    else if (answer !== null) {
      await sources.keys.save(id, answer.privateKey);
      observed = withIssued(record.observed, step, answer, clock.now());
    }
    const next = { ...record, observed };
    observed.bundle = await keepBundle(sources, next);
    if (JSON.stringify(observed) === JSON.stringify(record.observed)) return;
    await lease.write((tx) => tx.certificates.setObserved(record.key, observed, record.revision));
    if (step.issueBy === 'acme' && typeof answer === 'object' && answer !== null) orders?.forget(id);
    log.info('certificate', { id, status: observed.status, reason: observed.reason, bundle: observed.bundle });
  };

  const loop = startLoop(deps, {
    name: 'certificates',
    tickMs: () => orders?.nextIn(limits.certificateLookMs) ?? limits.certificateLookMs,
    async run() {
      const records = await store.read((tx) => tx.certificates.list({}));
      const root = records.some((record) => record.desired.type === 'AMAZON_ISSUED') ? await sources.authority.certificate() : null;
      let failure: unknown = null;
      for (const record of records) {
        // One that fails must not keep the others waiting; the whole is tried again.
        await settle(record, root).catch((error: unknown) => {
          failure ??= error;
          log.warn('certificate-failed', { id: record.key.id, reason: asFault(error).message });
        });
      }
      await clearUp(sources, records, clock.now());
      orders?.keepOnly(new Set(records.map((record) => record.key.id)));
      if (failure !== null) throw failure;
    },
  });
  return loop;
}

function withIssued(before: Observed, step: CertificateStep, leaf: Leaf, now: number): Observed {
  const { privateKey: _, ...parts } = leaf;
  const issued: IssuedCertificate = { issuer: step.issueBy ?? 'local', ...parts, issuedAt: now };
  return { ...before, status: 'ISSUED', reason: null, issued, renewedAt: before.issued === null ? before.renewedAt : now };
}

/** Writes the bundle of the certificate in force; its fingerprint, or null where there is no certificate or no key. */
async function keepBundle({ keys, bundles }: CertificateSources, record: CertificateRecord): Promise<string | null> {
  const pem = certificatePem(record);
  const privateKey = pem === null ? undefined : await keys.find(record.key.id, pem.certificate);
  if (pem === null || privateKey === undefined) return null;
  await bundles.write(record.key.id, { ...pem, privateKey });
  return readFacts(pem.certificate).fingerprint;
}

async function clearUp({ keys, bundles }: CertificateSources, records: CertificateRecord[], now: number): Promise<void> {
  await bundles.keepOnly(new Set(records.map((record) => record.key.id)));
  // A record that was written since it was read here may need what it didn't: fresh keys are left alone.
  const inUse = records.flatMap((record) => {
    const pem = certificatePem(record);
    return pem === null ? [] : [{ id: record.key.id, certificate: pem.certificate }];
  });
  await keys.sweep(inUse, now);
}
