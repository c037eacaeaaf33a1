import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { limits } from '#base/limits.ts';
import { isUnderDomain, type CertificateRecord, type IssuedCertificate } from '#domain/certificate.ts';
import { issuerOf, planCertificate } from './certificates.ts';

const DAY = 24 * 3600_000;
const MADE = 1_800_000_000_000;
const policy = { acmeDomain: null, root: 'ROOT' };

type Change = { desired?: Partial<CertificateRecord['desired']>; observed?: Partial<CertificateRecord['observed']> };
const certificate = ({ desired, observed }: Change = {}): CertificateRecord => ({
  key: { account: '1', region: 'r', id: 'i' },
  revision: 1,
  desired: {
    type: 'AMAZON_ISSUED',
    domain: 'a.example.org',
    names: ['a.example.org'],
    createdAt: MADE,
    importedAt: null,
    certificate: null,
    chain: null,
    notBefore: null,
    notAfter: null,
    issuer: null,
    keyAlgorithm: 'RSA_2048',
    validationMethod: 'DNS',
    options: {},
    renewAskedAt: null,
    tags: [],
    ...desired,
  },
  observed: { status: 'PENDING_VALIDATION', reason: null, renewedAt: null, issued: null, bundle: null, ...observed },
});
const issued = (change: Partial<IssuedCertificate> = {}): Partial<CertificateRecord['observed']> => ({
  status: 'ISSUED',
  issued: { issuer: 'local', certificate: 'C', chain: 'ROOT', notBefore: MADE, notAfter: MADE + 90 * DAY, issuedAt: MADE, ...change },
});

describe('who issues', () => {
  it('is ACME for names under the real domain without a wildcard, else berth itself', () => {
    const by = (names: string[], domain: string | null) => issuerOf(certificate({ desired: { names } }), domain);
    assert.equal(by(['a.example.org'], null), 'local');
    assert.equal(by(['a.example.org', 'example.org'], 'example.org'), 'acme');
    assert.equal(by(['a.example.org', 'a.example.com'], 'example.org'), 'local');
    assert.equal(by(['*.example.org'], 'example.org'), 'local');
    assert.equal(by(['notexample.org'], 'example.org'), 'local');
    assert.equal(issuerOf(certificate({ desired: { issuer: 'local' } }), 'example.org'), 'local');
    assert.ok(!isUnderDomain('example.org.evil.net', 'example.org'));
  });
});

describe('an issued certificate', () => {
  it('is asked for until 72 hours are over, and again when a renewal is wished', () => {
    const wish = certificate();
    assert.deepEqual(planCertificate(wish, policy, MADE, false), { issueBy: 'local', status: 'PENDING_VALIDATION', reason: null });
    const late = planCertificate(wish, policy, MADE + limits.certificateWishMs, false);
    assert.deepEqual(late, { issueBy: null, status: 'FAILED', reason: 'validation timed out' });
    const again = certificate({ desired: { renewAskedAt: MADE + limits.certificateWishMs }, observed: { status: 'FAILED', reason: 'r' } });
    assert.equal(planCertificate(again, policy, MADE + limits.certificateWishMs, false).issueBy, 'local');
  });

  it('is renewed in the last third of its life, without its key, with another root or issuer, and when asked', () => {
    const step = (record: CertificateRecord, at = MADE + DAY, hasKey = true, by = policy) =>
      planCertificate(record, by, at, hasKey).issueBy;
    const good = certificate({ observed: issued() });
    assert.equal(step(good), null);
    assert.equal(step(good, MADE + 60 * DAY - 1), null);
    assert.equal(step(good, MADE + 60 * DAY), 'local');
    assert.equal(step(good, MADE + DAY, false), 'local');
    assert.equal(step(good, MADE + DAY, true, { acmeDomain: null, root: 'OTHER' }), 'local');
    const real = { acmeDomain: 'example.org', root: 'ROOT' } as unknown as typeof policy;
    assert.equal(step(good, MADE + DAY, true, real), 'acme');
    const byAcme = certificate({ observed: issued({ issuer: 'acme', chain: 'X' }) });
    assert.equal(step(byAcme, MADE + DAY, true, real), null);
    assert.equal(step(certificate({ desired: { renewAskedAt: MADE + 1 }, observed: issued() })), 'local');
  });

  it('serves on while its renewal fails, and is EXPIRED only after its end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 200 * DAY }), fc.boolean(), (age, hasKey) => {
        const step = planCertificate(certificate({ observed: issued() }), policy, MADE + age, hasKey);
        assert.equal(step.status, age >= 90 * DAY ? 'EXPIRED' : 'ISSUED');
      }),
    );
  });
});

it('an imported certificate expires, and fails without its key', () => {
  const imported = certificate({ desired: { type: 'IMPORTED', certificate: 'C', notAfter: MADE + DAY } });
  assert.deepEqual(planCertificate(imported, policy, MADE, true), { issueBy: null, status: 'ISSUED', reason: null });
  assert.equal(planCertificate(imported, policy, MADE + DAY, true).status, 'EXPIRED');
  assert.equal(planCertificate(imported, policy, MADE, false).status, 'FAILED');
});
