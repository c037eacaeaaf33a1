/** The authority, keys, bundles and imports; what was made is held against openssl, which knows nothing of this code. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { realClock, virtualClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { realRandom } from '#base/random.ts';
import { checkImport, describePem, openCertificates, readFacts, type Certificates, type ImportedParts } from './index.ts';

const DAY_MS = 24 * 3600_000;
const clock = realClock();
const random = realRandom();
const folder = mkdtempSync(join(tmpdir(), 'berth-certificates-'));
const options = { dir: join(folder, 'control'), bundleDir: join(folder, 'certs'), instance: 'abc123' };
let certificates: Certificates;

before(async () => {
  certificates = await openCertificates({ clock, random }, options);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const openssl = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const write = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

describe('authority', () => {
  it('is one root for an instance, that openssl takes for one, and that only its user may use', async () => {
    const pem = await certificates.authority.certificate();
    const path = write('root.pem', pem);
    assert.match(openssl('verify', '-x509_strict', '-CAfile', path, path), /OK/);
    const text = openssl('x509', '-in', path, '-noout', '-text');
    assert.match(text, /Subject: CN = berth local CA \(abc123\), O = berth/);
    assert.match(text, /CA:TRUE, pathlen:0/);
    assert.match(text, /ASN1 OID: prime256v1/);
    assert.match(text, /Certificate Sign, CRL Sign/);
    assert.equal(statSync(join(options.dir, 'authority.key')).mode & 0o777, 0o600);
    assert.equal(statSync(options.dir).mode & 0o777, 0o700);
    const again = await openCertificates({ clock, random }, options);
    assert.equal(await again.authority.certificate(), pem);
  });

  it('is made anew when its key is not its own, and before it ends within the life of a leaf', async () => {
    const dir = { ...options, dir: join(folder, 'renewed') };
    const now = virtualClock(clock.now());
    const open = async () => (await openCertificates({ clock: now, random }, dir)).authority;
    const first = await (await open()).certificate();
    writeFileSync(join(dir.dir, 'authority.key'), readFileSync(join(options.dir, 'authority.key')));
    const second = await (await open()).certificate();
    assert.notEqual(second, first);
    const lasting = await open();
    await now.advance((limits.authorityDays - limits.leafDays) * DAY_MS);
    assert.notEqual(await lasting.certificate(), second);
  });

  for (const algorithm of ['RSA_2048', 'EC_prime256v1', 'EC_secp384r1']) {
    it(`issues ${algorithm} certificates that openssl verifies for each name and address`, async () => {
      const root = write('root.pem', await certificates.authority.certificate());
      const leaf = await certificates.authority.issue(['app.example.org', '*.example.org', '127.0.0.1', '::1'], algorithm);
      const path = write('leaf.pem', leaf.certificate);
      for (const [option, value] of [
        ['-verify_hostname', 'app.example.org'],
        ['-verify_hostname', 'anything.example.org'],
        ['-verify_ip', '127.0.0.1'],
        ['-verify_ip', '::1'],
      ] as const) {
        assert.match(openssl('verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', root, option, value, path), /OK/);
      }
      assert.throws(() => openssl('verify', '-CAfile', root, '-verify_hostname', 'example.com', path), /hostname mismatch/i);
      assert.ok(new X509Certificate(leaf.certificate).checkPrivateKey(createPrivateKey(leaf.privateKey)));
      const facts = readFacts(leaf.certificate);
      assert.deepEqual(
        [facts.domain, facts.names, facts.keyAlgorithm],
        ['app.example.org', ['app.example.org', '*.example.org', '127.0.0.1', '0:0:0:0:0:0:0:1'], algorithm],
      );
      assert.deepEqual([facts.notBefore, facts.notAfter], [leaf.notBefore, leaf.notAfter]);
      assert.ok(Math.abs(facts.notAfter - (clock.now() + limits.leafDays * DAY_MS)) < 3600_000);
    });
  }

  it('describes what it issued as ACM would', async () => {
    const leaf = await certificates.authority.issue(['a.example.org'], 'RSA_2048');
    const { serial, ...seen } = await describePem(leaf.certificate);
    assert.match(serial, /^[0-9a-f]{2}(:[0-9a-f]{2}){15}$/);
    assert.equal(
      serial.replaceAll(':', ''),
      openssl('x509', '-in', write('s.pem', leaf.certificate), '-noout', '-serial').trim().slice(7).toLowerCase(),
    );
    assert.deepEqual(seen, {
      subject: 'CN=a.example.org',
      issuer: 'berth local CA (abc123)',
      signatureAlgorithm: 'SHA256WITHECDSA',
      keyUsages: ['DIGITAL_SIGNATURE', 'KEY_ENCIPHERMENT'],
      extendedKeyUsages: [{ name: 'TLS_WEB_SERVER_AUTHENTICATION', oid: '1.3.6.1.5.5.7.3.1' }],
    });
  });

  it('puts a name of more than 64 characters into the alternative names alone', async () => {
    const name = `${'a'.repeat(60)}.${'b'.repeat(60)}.example.org`;
    const leaf = await certificates.authority.issue([name], 'EC_prime256v1');
    const root = write('root.pem', await certificates.authority.certificate());
    assert.match(openssl('verify', '-x509_strict', '-CAfile', root, '-verify_hostname', name, write('long.pem', leaf.certificate)), /OK/);
  });
});

describe('import', () => {
  /** Root, intermediate and leaf, all made by openssl. */
  function outsideChain(): { root: string; middle: string; leaf: string; key: string } {
    const make = (name: string, subject: string, extensions: string, issuer?: string) => {
      const at = (suffix: string) => join(folder, `${name}${suffix}`);
      openssl('req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', at('.key'), '-out', at('.csr'), '-subj', subject);
      const signer =
        issuer === undefined
          ? ['-signkey', at('.key')]
          : ['-CA', join(folder, `${issuer}.crt`), '-CAkey', join(folder, `${issuer}.key`), '-CAcreateserial'];
      openssl(
        'x509',
        '-req',
        '-in',
        at('.csr'),
        '-days',
        '30',
        '-extfile',
        write(`${name}.ext`, extensions),
        '-out',
        at('.crt'),
        ...signer,
      );
      return readFileSync(at('.crt'), 'utf8');
    };
    const ca = 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n';
    const root = make('oroot', '/CN=Outside root', ca);
    const middle = make('omiddle', '/CN=Outside middle', ca, 'oroot');
    const leaf = make(
      'oleaf',
      '/O=Someone/CN=shop.example.org',
      'subjectAltName=DNS:shop.example.org,DNS:www.shop.example.org\n',
      'omiddle',
    );
    return { root, middle, leaf, key: readFileSync(join(folder, 'oleaf.key'), 'utf8') };
  }
  let outside: ReturnType<typeof outsideChain>;
  before(() => {
    outside = outsideChain();
  });
  const parts = (change: Partial<ImportedParts> = {}): ImportedParts => ({
    certificate: outside.leaf,
    chain: outside.middle + outside.root,
    privateKey: outside.key,
    ...change,
  });
  const refuses = (change: Partial<ImportedParts>, message: RegExp, now = clock.now()) =>
    assert.throws(
      () => checkImport(parts(change), now),
      (error) => isFault(error, 'InvalidParameter') && message.test(error.message) && error.details['errorName'] === 'ValidationException',
    );

  it('takes a certificate, its chain and its key, and tells what they are', () => {
    const { facts } = checkImport(parts(), clock.now());
    assert.deepEqual(
      [facts.domain, facts.names, facts.keyAlgorithm],
      ['shop.example.org', ['shop.example.org', 'www.shop.example.org'], 'RSA_2048'],
    );
    assert.equal(checkImport(parts({ chain: outside.middle }), clock.now()).chain, outside.middle);
    assert.equal(checkImport(parts({ chain: null }), clock.now()).chain, null);
  });

  it('refuses what could not be served', () => {
    const other = openssl('genrsa', '2048');
    refuses({ privateKey: other }, /does not match the public key/);
    refuses({ privateKey: 'nonsense' }, /not a valid PEM-encoded private key/);
    refuses({ privateKey: openssl('rsa', '-aes128', '-passout', 'pass:secret', '-in', join(folder, 'oleaf.key')) }, /must be unencrypted/);
    refuses({ certificate: 'nonsense' }, /not a valid PEM-encoded certificate/);
    refuses({ certificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' }, /not a valid X\.509 certificate/);
    refuses({ certificate: outside.leaf + outside.middle }, /more than one certificate/);
    refuses({ chain: outside.root + outside.middle }, /number 1 of the chain did not sign/);
    refuses({ chain: outside.middle + outside.middle }, /number 2 of the chain did not sign/);
    refuses({ chain: 'nonsense' }, /not in a valid PEM format/);
    refuses({}, /has expired/, clock.now() + 31 * DAY_MS);
    refuses({}, /not yet valid/, clock.now() - 2 * DAY_MS);
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:1024',
      '-nodes',
      '-days',
      '9',
      '-subj',
      '/CN=weak',
      '-keyout',
      join(folder, 'w.key'),
      '-out',
      join(folder, 'w.crt'),
    );
    const weak = {
      certificate: readFileSync(join(folder, 'w.crt'), 'utf8'),
      privateKey: readFileSync(join(folder, 'w.key'), 'utf8'),
      chain: null,
    };
    refuses(weak, /private key is not supported/);
  });

  it('writes a bundle that holds certificate, chain without its root, and key; only for its user', async () => {
    const { certificate, chain, privateKey } = checkImport(parts(), clock.now());
    assert.equal(await certificates.bundles.write('one', { certificate, chain, privateKey }), true);
    assert.equal(await certificates.bundles.write('one', { certificate, chain, privateKey }), false);
    const path = certificates.bundles.pathOf('one');
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const inside = readFileSync(path, 'utf8').match(/-----BEGIN [A-Z ]+-----/g);
    assert.deepEqual(inside, ['-----BEGIN CERTIFICATE-----', '-----BEGIN CERTIFICATE-----', '-----BEGIN PRIVATE KEY-----']);
    const untrusted = write('untrusted.pem', outside.middle);
    assert.match(openssl('verify', '-CAfile', join(folder, 'oroot.crt'), '-untrusted', untrusted, path), /OK/);
    const config = write(
      'h.cfg',
      `defaults\n mode http\n timeout client 1s\n timeout server 1s\n timeout connect 1s\nfrontend f\n bind ipv4@127.0.0.1:1 ssl crt ${path}\n http-request return status 200\n`,
    );
    execFileSync('haproxy', ['-c', '-f', config], { stdio: 'pipe' });
    await certificates.bundles.write('two', { certificate, chain, privateKey });
    await certificates.bundles.keepOnly(new Set(['two']));
    assert.deepEqual(readdirSync(options.bundleDir), ['two.pem']);
  });

  it('keeps each key until no certificate needs it', async () => {
    const first = await certificates.authority.issue(['k.example.org'], 'EC_prime256v1');
    const second = await certificates.authority.issue(['k.example.org'], 'EC_prime256v1');
    await certificates.keys.save('k', first.privateKey);
    await certificates.keys.save('k', second.privateKey);
    assert.equal(await certificates.keys.find('k', first.certificate), first.privateKey);
    assert.equal(await certificates.keys.find('k', second.certificate), second.privateKey);
    assert.equal(await certificates.keys.find('other', second.certificate), undefined);
    const inUse = [{ id: 'k', certificate: second.certificate }];
    await certificates.keys.sweep(inUse, clock.now());
    assert.notEqual(await certificates.keys.find('k', first.certificate), undefined, 'a fresh one may belong to a call under way');
    for (const name of readdirSync(options.dir)) utimesSync(join(options.dir, name), new Date(0), new Date(0));
    await certificates.keys.sweep(inUse, clock.now());
    assert.equal(await certificates.keys.find('k', first.certificate), undefined);
    assert.equal(await certificates.keys.find('k', second.certificate), second.privateKey);
    assert.ok(readdirSync(options.dir).includes('authority.key'));
  });
});
