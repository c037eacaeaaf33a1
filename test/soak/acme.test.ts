/**
 * Certificates by ACME: the store, the loop that issues, the ACME client, the front door's HAProxy and the page behind it are the real ones, and
 * Pebble proves each name by fetching the challenge through that front door.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import tls from 'node:tls';
import { createActivator, type Activator } from '#balancer/activator.ts';
import { realClock } from '#base/clock.ts';
import { createLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { createAcmeIssuer, createChallenges, openCertificates, type Certificates } from '#certificates/index.ts';
import { startCertificatesLoop } from '#control/certificates-loop.ts';
import type { Loop } from '#control/loop.ts';
import type { CertificateRecord } from '#domain/certificate.ts';
import { renewCertificate, requestCertificateOnce } from '#intent/index.ts';
import { certificateArn } from '#domain/certificate.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { until } from '../e2e/platform.ts';
import { freePort } from '#base/testing.ts';
import { startPebble, type Pebble } from './pebble.ts';

const scope = { account: '123456789012', region: 'us-east-1' };
const PATIENCE_MS = 120_000;
const clock = realClock();
const random = realRandom();
const lines: string[] = [];
const log = createLog(clock, (line) => void lines.push(line), 'info', {});
let dir: string;
let store: Store;
let certificates: Certificates;
let challenges: ReturnType<typeof createChallenges>;
let activator: Activator;
let haproxy: ChildProcess;
let pebble: Pebble;
let loop: Loop;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'berth-soak-acme-'));
  store = await createSqliteStore({ path: ':memory:' });
  certificates = await openCertificates(
    { clock, random },
    { dir: join(dir, 'control'), bundleDir: join(dir, 'certs'), instance: 'abc123' },
  );
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), await certificates.authority.certificate()]);
  challenges = createChallenges();
  const httpPort = await freePort();
  activator = createActivator({ challenge: (path) => challenges.answer(path) });
  await activator.listen(join(dir, 'activator.sock'));
  haproxy = await startHaproxy(httpPort);
  pebble = await startPebble(dir, await certificates.authority.issue(['127.0.0.1'], 'EC_prime256v1'), httpPort);
  const by = { dir: join(dir, 'control'), directory: pebble.directory, email: 'someone@example.org', challenges };
  const acme = { domain: 'acme.test', issuer: createAcmeIssuer(clock, by) };
  loop = startCertificatesLoop({ store, clock, log, sources: { ...certificates, acme } }, 'test');
  store.onChange(['certificates'], () => loop.look());
});
after(async () => {
  await loop?.stop();
  await pebble?.end();
  if (haproxy !== undefined) {
    haproxy.kill('SIGTERM');
    await once(haproxy, 'exit');
  }
  await activator?.close();
  await store?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A front door that has no endpoint: what nobody else answers goes to the page behind it. */
async function startHaproxy(port: number): Promise<ChildProcess> {
  const config = join(dir, 'haproxy.cfg');
  const timeouts = 'timeout client 10s\n timeout server 10s\n timeout connect 1s';
  const backend = `backend nothing\n server activator unix@${join(dir, 'activator.sock')}\n`;
  writeFileSync(config, `defaults\n mode http\n ${timeouts}\nfrontend door\n bind 127.0.0.1:${port}\n default_backend nothing\n${backend}`);
  const child = spawn('haproxy', ['-db', '-f', config], { stdio: 'ignore' });
  await until('the front door answers', async () => {
    assert.equal(child.exitCode, null, 'HAProxy ended');
    return (await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined))?.status === 404;
  });
  return child;
}

async function request(names: string[], keyAlgorithm: string): Promise<CertificateRecord> {
  const wish = { domain: names[0] ?? '', names, keyAlgorithm, validationMethod: 'HTTP' as const, options: {}, tags: [] };
  return await requestCertificateOnce({ store, clock, random }, scope, wish, undefined);
}
const read = async ({ key }: CertificateRecord) => (await store.read((tx) => tx.certificates.get(key))) ?? assert.fail('gone');
async function inForce(record: CertificateRecord, isGood: (now: CertificateRecord) => boolean): Promise<CertificateRecord> {
  let seen = record;
  const look = async () => {
    seen = await read(record);
    return seen.observed.bundle !== null && isGood(seen);
  };
  await until('the certificate is in force', look, PATIENCE_MS).catch((error: Error) => {
    throw new Error(`${error.message}\n${JSON.stringify(seen.observed)}\n${lines.join('')}\n${pebble.said().slice(-5000)}`);
  });
  return seen;
}

it('gets certificates for names under the real domain, whose chain leads to the server’s root', async () => {
  for (const algorithm of ['RSA_2048', 'EC_prime256v1', 'EC_secp384r1']) {
    const names = [`${algorithm.toLowerCase().replace('_', '-')}.acme.test`, 'www.acme.test'];
    const { key, observed } = await inForce(await request(names, algorithm), ({ observed: now }) => now.issued !== null);
    assert.deepEqual([observed.status, observed.issued?.issuer, observed.reason], ['ISSUED', 'acme', null]);
    const bundle = certificates.bundles.pathOf(key.id);
    assert.equal(statSync(bundle).mode & 0o777, 0o600);
    assert.equal(new X509Certificate(readFileSync(bundle)).fingerprint256, observed.bundle);
    const [root, chain] = [join(dir, 'root.pem'), join(dir, 'chain.pem')];
    writeFileSync(root, await pebble.root());
    writeFileSync(chain, observed.issued?.chain ?? '');
    for (const name of names) {
      const args = ['verify', '-CAfile', root, '-untrusted', chain, '-verify_hostname', name, bundle];
      assert.match(execFileSync('openssl', args, { encoding: 'utf8' }), /OK/);
    }
  }
  assert.match(pebble.said(), /authz .* set VALID by completed challenge/i);
  assert.equal(challenges.answer('/.well-known/acme-challenge/x'), undefined);
});

it('renews one when asked, with the same account and another key', async () => {
  const first = await inForce(await request(['renew.acme.test'], 'EC_prime256v1'), ({ observed: now }) => now.issued !== null);
  await renewCertificate({ store, clock, random }, scope, certificateArn(first.key));
  const second = await inForce(first, ({ observed: now }) => now.renewedAt !== null && now.bundle !== first.observed.bundle);
  assert.equal(second.observed.issued?.issuer, 'acme');
  const keys = [first, second].map(({ observed: { issued } }) => new X509Certificate(issued?.certificate ?? '').publicKey);
  assert.ok(keys[0] !== undefined && keys[1] !== undefined && !keys[0].equals(keys[1]));
  assert.equal(pebble.said().match(/There are now \d+ accounts in memory/g)?.length ?? 1, 1);
});

it('leaves wildcards and other domains to berth’s own authority', async () => {
  for (const names of [['*.acme.test'], ['elsewhere.example.org']]) {
    const { observed } = await inForce(await request(names, 'EC_prime256v1'), ({ observed: now }) => now.issued !== null);
    assert.equal(observed.issued?.issuer, 'local');
  }
});

it('says why a name could not be proven, and serves on what is there', async () => {
  const good = await inForce(await request(['good.acme.test'], 'EC_prime256v1'), ({ observed: now }) => now.issued !== null);
  const answer = challenges.answer.bind(challenges);
  challenges.answer = () => undefined;
  try {
    await renewCertificate({ store, clock, random }, scope, certificateArn(good.key));
    const pending = await request(['bad.acme.test'], 'EC_prime256v1');
    const bothSayWhy = async () =>
      (await Promise.all([read(good), read(pending)])).every(({ observed }) => /acme-challenge/.test(observed.reason ?? ''));
    await until('both say why', bothSayWhy, PATIENCE_MS).catch((error: Error) => {
      throw new Error(`${error.message}\n${lines.join('')}`);
    });
    const [still, waits] = await Promise.all([read(good), read(pending)]);
    assert.deepEqual([still.observed.status, still.observed.bundle], ['ISSUED', good.observed.bundle]);
    assert.deepEqual([waits.observed.status, waits.observed.bundle], ['PENDING_VALIDATION', null]);
  } finally {
    challenges.answer = answer;
  }
});
