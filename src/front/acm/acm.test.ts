/** ACM through the real gateway, with the SDK's client, the real store and the loop that issues. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ACM, type CertificateDetail, paginateListCertificates } from '@aws-sdk/client-acm';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import type { Loop } from '#control/loop.ts';
import { startCertificatesLoop } from '#control/certificates-loop.ts';
import { realRandom } from '#base/random.ts';
import { openCertificates, type Certificates } from '#certificates/index.ts';
import { parseCertificateArn } from '#domain/certificate.ts';
import { authorizeRoot, createGateway, openKeys, type Gateway } from '#gateway/index.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { createAcmApi } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-acm-'));
const deps = { clock: realClock(), random: realRandom(), log: silentLog };
const keys = openKeys(deps, { path: join(folder, 'keys.json'), account: '123456789012' });
const scope = { account: '123456789012', region: 'us-east-1' };
const bundleDir = join(folder, 'certs');
let gateway: Gateway;
let store: Store;
let acm: ACM;
let loop: Loop;
let certificates: Certificates;

before(async () => {
  store = await createSqliteStore({ path: ':memory:' });
  certificates = await openCertificates(deps, { dir: join(folder, 'control'), bundleDir, instance: 'abc123' });
  loop = startCertificatesLoop({ ...deps, store, sources: { ...certificates, acme: null } }, 'test');
  store.onChange(['certificates'], () => loop.look());
  const api = createAcmApi({ ...deps, store, keys: certificates.keys });
  gateway = createGateway({ ...deps, apis: [api], keys, authorize: authorizeRoot, version: 'test' });
  const port = await gateway.listen({ host: '127.0.0.1', port: 0 });
  acm = new ACM({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', maxAttempts: 1, credentials: keys.root });
});
after(async () => {
  acm.destroy();
  await gateway.close();
  await loop.stop();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const detail = async (arn: string | undefined): Promise<CertificateDetail> =>
  (await acm.describeCertificate({ CertificateArn: arn })).Certificate ?? assert.fail('no certificate');
async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = deps.clock.now() + 30_000;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    assert.ok(deps.clock.now() < deadline, 'the condition did not come true within 30 s');
    await deps.clock.sleep(20);
  }
}
const issued = (arn: string | undefined) =>
  until(async () => {
    const seen = await detail(arn);
    return seen.Status === 'ISSUED' && seen;
  });
const record = async (arn: string | undefined) => {
  const key = parseCertificateArn(arn ?? '') ?? assert.fail(`no ARN: ${arn}`);
  return (await store.read((tx) => tx.certificates.get(key))) ?? assert.fail('no record');
};
const bundleOf = (arn: string | undefined) => join(bundleDir, `${parseCertificateArn(arn ?? '')?.id}.pem`);
const own = async (names: string[], algorithm = 'EC_prime256v1') => {
  const { certificate, chain, privateKey } = await certificates.authority.issue(names, algorithm);
  return { Certificate: Buffer.from(certificate), CertificateChain: Buffer.from(chain), PrivateKey: Buffer.from(privateKey) };
};

describe('a requested certificate', () => {
  it('is pending, with what DNS validation wants, and then issued, with a bundle for the front door', async () => {
    const { CertificateArn: arn } = await acm.requestCertificate({
      DomainName: 'Shop.example.org',
      SubjectAlternativeNames: ['*.shop.example.org', 'shop.example.org'],
      ValidationMethod: 'DNS',
      Tags: [{ Key: 'team', Value: 'web' }],
    });
    assert.match(arn ?? '', /^arn:aws:acm:us-east-1:123456789012:certificate\/[0-9a-f-]{36}$/);
    const seen = await issued(arn);
    assert.deepEqual(seen.SubjectAlternativeNames, ['shop.example.org', '*.shop.example.org']);
    assert.deepEqual([seen.Type, seen.KeyAlgorithm, seen.SignatureAlgorithm], ['AMAZON_ISSUED', 'RSA_2048', 'SHA256WITHECDSA']);
    assert.deepEqual([seen.RenewalEligibility, seen.InUseBy], ['INELIGIBLE', []]);
    assert.deepEqual(seen.Options, { CertificateTransparencyLoggingPreference: 'ENABLED', Export: 'DISABLED' });
    const [plain, wildcard] = seen.DomainValidationOptions ?? [];
    assert.deepEqual([plain?.ValidationStatus, plain?.ValidationMethod], ['SUCCESS', 'DNS']);
    assert.match(plain?.ResourceRecord?.Name ?? '', /^_[0-9a-f]{32}\.shop\.example\.org\.$/);
    assert.deepEqual(plain?.ResourceRecord, wildcard?.ResourceRecord);
    const { observed } = await until(async () => {
      const now = await record(arn);
      return now.observed.bundle !== null && now;
    });
    const bundle = readFileSync(bundleOf(arn), 'utf8');
    assert.equal(new X509Certificate(bundle).fingerprint256, observed.bundle);
    assert.ok(bundle.includes('PRIVATE KEY'));
    assert.ok(!JSON.stringify(await record(arn)).includes('PRIVATE KEY'), 'no key in the database');
    const got = await acm.getCertificate({ CertificateArn: arn });
    assert.ok(new X509Certificate(got.Certificate ?? '').verify(new X509Certificate(got.CertificateChain ?? '').publicKey));
  });

  it('is the same for the same token and names, another for other names', async () => {
    const ask = async (name: string) =>
      (await acm.requestCertificate({ DomainName: name, IdempotencyToken: 'once', ValidationMethod: 'DNS' })).CertificateArn;
    const first = await ask('token.example.org');
    assert.equal(await ask('token.example.org'), first);
    assert.notEqual(await ask('other.example.org'), first);
  });

  it('comes anew when a renewal is asked for', async () => {
    const { CertificateArn: arn } = await acm.requestCertificate({
      DomainName: 'renew.example.org',
      KeyAlgorithm: 'EC_prime256v1',
      ValidationMethod: 'DNS',
    });
    const { Serial } = await issued(arn);
    await acm.renewCertificate({ CertificateArn: arn });
    const later = await until(async () => {
      const seen = await detail(arn);
      return seen.Serial !== Serial && seen;
    });
    assert.deepEqual([later.Status, later.RenewalSummary?.RenewalStatus], ['ISSUED', 'SUCCESS']);
    assert.equal(new X509Certificate(readFileSync(bundleOf(arn), 'utf8')).serialNumber.toLowerCase(), later.Serial?.replaceAll(':', ''));
  });

  it('is refused when it could not be', async () => {
    const before = (await store.read((tx) => tx.certificates.list({}))).length;
    const refuses = (input: object, name: string, message: RegExp) =>
      assert.rejects(acm.requestCertificate({ DomainName: 'a.example.org', ...input }), { name, message });
    await refuses({ DomainName: 'localhost' }, 'ValidationException', /'localhost' at 'domainName'.*regular expression pattern/);
    await refuses({ DomainName: 'a.*.org' }, 'ValidationException', /regular expression/);
    await refuses({ DomainName: `${'a'.repeat(60)}.example.org` }, 'ValidationException', /at most 64 octets/);
    await refuses({ SubjectAlternativeNames: ['-x.org'] }, 'ValidationException', /subjectAlternativeNames\.1\.member/);
    await refuses({ SubjectAlternativeNames: Array.from({ length: 100 }, (_, i) => `n${i}.example.org`) }, 'LimitExceededException', /100/);
    await refuses({ KeyAlgorithm: 'RSA_1024' }, 'ValidationException', /enum value set: \[RSA_2048/);
    await refuses({ ValidationMethod: 'PIGEON' }, 'ValidationException', /enum value set/);
    await refuses({ IdempotencyToken: 'not a word' }, 'ValidationException', /idempotencyToken/);
    await refuses({ CertificateAuthorityArn: 'arn:aws:acm-pca:us-east-1:1:x' }, 'UnsupportedOperationException', /Private CA/);
    await refuses({ Options: { Export: 'ENABLED' } }, 'UnsupportedOperationException', /export/);
    await refuses({ Tags: [{ Key: 'aws:x', Value: '' }] }, 'InvalidTagException', /reserved/);
    await refuses({ Tags: Array.from({ length: 51 }, (_, i) => ({ Key: `${i}`, Value: '' })) }, 'TooManyTagsException', /50/);
    const validation = [{ DomainName: 'a.example.org', ValidationDomain: 'other.org' }];
    await refuses({ DomainValidationOptions: validation }, 'InvalidDomainValidationOptionsException', /must be one of/);
    assert.equal((await store.read((tx) => tx.certificates.list({}))).length, before);
  });
});

describe('an imported certificate', () => {
  it('is issued at once, can be replaced under its ARN, and its keys stay out of the database', async () => {
    const { CertificateArn: arn } = await acm.importCertificate({ ...(await own(['in.example.org'])), Tags: [{ Key: 'a', Value: 'b' }] });
    const first = await detail(arn);
    assert.deepEqual(
      [first.Status, first.Type, first.DomainName, first.KeyAlgorithm, first.Issuer],
      ['ISSUED', 'IMPORTED', 'in.example.org', 'EC_prime256v1', 'berth local CA (abc123)'],
    );
    assert.ok(first.ImportedAt instanceof Date && first.NotAfter instanceof Date);
    assert.equal(first.DomainValidationOptions, undefined);
    const bundled = async () => (await record(arn)).observed.bundle;
    const mark = await until(async () => (await bundled()) ?? undefined);
    const again = await acm.importCertificate({ CertificateArn: arn, ...(await own(['in.example.org', 'more.example.org'])) });
    assert.equal(again.CertificateArn, arn);
    const second = await detail(arn);
    assert.deepEqual(second.SubjectAlternativeNames, ['in.example.org', 'more.example.org']);
    await until(async () => (await bundled()) !== mark);
    assert.equal(new X509Certificate(readFileSync(bundleOf(arn), 'utf8')).fingerprint256, await bundled());
    assert.deepEqual((await acm.listTagsForCertificate({ CertificateArn: arn })).Tags, [{ Key: 'a', Value: 'b' }]);
    assert.ok(!JSON.stringify(await record(arn)).includes('PRIVATE KEY'));
  });

  it('is refused when its parts do not belong together, or the replaced one is another', async () => {
    const [one, two] = [await own(['one.example.org']), await own(['two.example.org'])];
    const before = readdirSync(join(folder, 'control')).length;
    const refuses = (input: object, name: string, message: RegExp) =>
      assert.rejects(acm.importCertificate({ ...one, ...input }), { name, message });
    await refuses({ PrivateKey: two.PrivateKey }, 'ValidationException', /does not match/);
    await refuses({ PrivateKey: Buffer.alloc(6000, 65) }, 'ValidationException', /'privateKey'.*between 1 and 5120/);
    await refuses({ Certificate: Buffer.from('x') }, 'ValidationException', /valid PEM/);
    await refuses({ CertificateChain: Buffer.from(one.Certificate) }, 'ValidationException', /chain/);
    assert.equal(readdirSync(join(folder, 'control')).length, before);
    const { CertificateArn: arn } = await acm.importCertificate(one);
    await refuses({ ...two, CertificateArn: arn }, 'ValidationException', /is for two\.example\.org; the one to replace is for one/);
    await refuses({ ...(await own(['one.example.org'], 'RSA_2048')), CertificateArn: arn }, 'ValidationException', /key algorithm/);
    await refuses({ CertificateArn: arn, Tags: [{ Key: 'a', Value: 'b' }] }, 'ValidationException', /cannot apply tags/);
    await refuses({ CertificateArn: `${arn}0` }, 'ResourceNotFoundException', /Could not find certificate/);
    await assert.rejects(acm.renewCertificate({ CertificateArn: arn }), { name: 'ValidationException', message: /imported/ });
  });
});

it('tags, options, and deletion, which a listener that names the certificate holds up', async () => {
  const { CertificateArn: arn } = await acm.importCertificate(await own(['used.example.org'], 'RSA_2048'));
  const of = { CertificateArn: arn };
  await acm.addTagsToCertificate({
    ...of,
    Tags: [
      { Key: 'a', Value: '1' },
      { Key: 'b', Value: '2' },
    ],
  });
  await acm.removeTagsFromCertificate({ ...of, Tags: [{ Key: 'a' }, { Key: 'b', Value: 'other' }] });
  assert.deepEqual((await acm.listTagsForCertificate(of)).Tags, [{ Key: 'b', Value: '2' }]);
  await assert.rejects(acm.updateCertificateOptions({ ...of, Options: {} }), { name: 'ValidationException' });
  const listenerKey = { ...scope, loadBalancer: 'web', id: '0123456789abcdef' };
  await store.write((tx) =>
    tx.listeners.insert(
      listenerKey,
      {
        defaultRuleId: '1111111111111111',
        loadBalancerType: 'application',
        loadBalancerId: 'fedcba9876543210',
        port: 443,
        protocol: 'HTTPS',
        sslPolicy: null,
        certificateArns: [arn ?? ''],
        alpnPolicy: null,
        defaultActions: [],
        attributes: {},
        tags: [],
        createdAt: 0,
        modifiedAt: 0,
      },
      { shift: null },
    ),
  );
  const balancer = 'arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/fedcba9876543210';
  assert.deepEqual((await detail(arn)).InUseBy, [balancer]);
  const listed = await acm.listCertificates({ Includes: { keyTypes: ['RSA_2048'] } });
  assert.equal(listed.CertificateSummaryList?.find((one) => one.CertificateArn === arn)?.InUse, true);
  await assert.rejects(acm.deleteCertificate(of), {
    name: 'ResourceInUseException',
    message: `Certificate ${arn} in account 123456789012 is in use.`,
  });
  await store.write((tx) => tx.listeners.delete(listenerKey));
  await acm.deleteCertificate(of);
  await assert.rejects(acm.describeCertificate(of), { name: 'ResourceNotFoundException', message: `Could not find certificate ${arn}.` });
  await until(async () => !existsSync(bundleOf(arn)));
  await assert.rejects(acm.deleteCertificate({ CertificateArn: 'nonsense' }), { name: 'InvalidArnException' });
});

it('lists by status, key type and usage, in pages', async () => {
  const arns = async (input: object) => {
    const all: (string | undefined)[] = [];
    for await (const page of paginateListCertificates({ client: acm, pageSize: 2 }, input)) {
      assert.ok((page.CertificateSummaryList ?? []).length <= 2);
      all.push(...(page.CertificateSummaryList ?? []).map((one) => one.DomainName));
    }
    return all;
  };
  await until(async () => !(await arns({ CertificateStatuses: ['PENDING_VALIDATION'] })).length);
  const byDefault = await arns({});
  assert.ok(byDefault.includes('shop.example.org') && !byDefault.includes('in.example.org'), 'only RSA_2048 unless asked for');
  assert.equal(new Set(byDefault).size, byDefault.length);
  assert.ok((await arns({ Includes: { keyTypes: ['EC_prime256v1'] } })).includes('in.example.org'));
  assert.deepEqual(await arns({ Includes: { keyUsage: ['CERTIFICATE_SIGNING'] } }), []);
  assert.deepEqual(await arns({ CertificateStatuses: ['EXPIRED'] }), []);
  const sorted = await arns({ SortBy: 'CREATED_AT', SortOrder: 'DESCENDING' });
  assert.deepEqual(sorted, (await arns({ SortBy: 'CREATED_AT', SortOrder: 'ASCENDING' })).toReversed());
  await assert.rejects(acm.listCertificates({ MaxItems: 0 }), { name: 'ValidationException' });
  await assert.rejects(acm.listCertificates({ NextToken: 'x' }), { name: 'ValidationException' });
  await assert.rejects(acm.listCertificates({ SortBy: 'CREATED_AT' }), { name: 'ValidationException' });
});
