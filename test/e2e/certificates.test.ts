/** Certificates end to end: the stock AWS CLI asks for them and imports them, the machine is made to trust berth, and a server serves them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { it } from 'node:test';
import { AWS } from './aws-forks.ts';
import { platformFixture } from './fixture.ts';
import { installPackages } from './packages.ts';
import { until } from './platform.ts';

const GATHERED = '/etc/ssl/certs/ca-certificates.crt';
installPackages({
  '/usr/bin/aws': 'awscli',
  '/usr/bin/openssl': 'openssl',
  '/usr/sbin/update-ca-certificates': 'ca-certificates',
  '/usr/bin/curl': 'curl',
});
const { platform, dir: folder, ending } = await platformFixture({ busybox: false });
ending.defer(async () => void (await platform.ok(['trust', '--remove'])));
async function acm(...args: string[]): Promise<any> {
  const endpoint = `http://127.0.0.1:${platform.apiPort}`;
  const ran = await platform.command(AWS, ['--endpoint-url', endpoint, '--output', 'json', 'acm', ...args]);
  assert.equal(ran.code, 0, `aws acm ${args.join(' ')}\n${ran.stdout}\n${ran.stderr}`);
  return ran.stdout.trim() === '' ? {} : JSON.parse(ran.stdout);
}
const bundleOf = (arn: string) => join(platform.state, 'haproxy/certs', `${arn.split('/')[1]}.pem`);

it('stock aws acm asks for a certificate, waits for it, reads it, and deletes it', async () => {
  const { CertificateArn: arn } = await acm('request-certificate', '--domain-name', 'app.example.org', '--validation-method', 'DNS');
  const describe = async () => (await acm('describe-certificate', '--certificate-arn', arn)).Certificate;
  // The waiter looks once a minute.
  await until('it is issued', async () => (await describe()).Status === 'ISSUED');
  await acm('wait', 'certificate-validated', '--certificate-arn', arn);
  const seen = await describe();
  assert.deepEqual([seen.Status, seen.DomainName, seen.Type], ['ISSUED', 'app.example.org', 'AMAZON_ISSUED']);
  const got = await acm('get-certificate', '--certificate-arn', arn);
  assert.match(got.CertificateChain, /BEGIN CERTIFICATE/);
  await until('the bundle is there', async () => existsSync(bundleOf(arn)));
  assert.equal(statSync(bundleOf(arn)).mode & 0o777, 0o600);
  const database = readFileSync(join(platform.state, 'control/berth.db'));
  assert.ok(!database.includes('PRIVATE KEY'), 'no private key in the database');
  assert.equal((await acm('list-certificates')).CertificateSummaryList.length, 1);
  await acm('delete-certificate', '--certificate-arn', arn);
  await until('the bundle is gone', async () => !existsSync(bundleOf(arn)));
});

it('stock aws acm imports a certificate and imports it again', async () => {
  const [key, certificate] = [join(folder, 'own.key'), join(folder, 'own.pem')];
  const make = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '30',
    '-subj',
    '/CN=own.example.org',
    '-keyout',
    key,
    '-out',
    certificate,
  ];
  execFileSync('openssl', make, { stdio: 'pipe' });
  const parts = ['--certificate', `fileb://${certificate}`, '--private-key', `fileb://${key}`];
  const { CertificateArn: arn } = await acm('import-certificate', ...parts, '--tags', 'Key=a,Value=b');
  assert.equal((await acm('import-certificate', '--certificate-arn', arn, ...parts)).CertificateArn, arn);
  const { Certificate: seen } = await acm('describe-certificate', '--certificate-arn', arn);
  assert.deepEqual([seen.Status, seen.Type, seen.DomainName], ['ISSUED', 'IMPORTED', 'own.example.org']);
  assert.deepEqual((await acm('list-tags-for-certificate', '--certificate-arn', arn)).Tags, [{ Key: 'a', Value: 'b' }]);
  await until('its bundle is there', async () => existsSync(bundleOf(arn)));
});

it('berth trust lets curl trust what berth issued, doctor tells, and --remove takes it back', async () => {
  const { CertificateArn: arn } = await acm('request-certificate', '--domain-name', 'trust.example.org', '--validation-method', 'DNS');
  await until('the bundle is there', async () => existsSync(bundleOf(arn)));
  const bundle = readFileSync(bundleOf(arn), 'utf8');
  const server = createServer({ cert: bundle, key: bundle }, (_req, res) => res.end('well')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `https://trust.example.org:${port}/`;
  const curl = () => platform.command('curl', ['-sS', '--noproxy', '*', '--resolve', `trust.example.org:${port}:127.0.0.1`, url]);
  const doctor = async (): Promise<{ status: string; detail: string }> => {
    const checks = JSON.parse((await platform.berth(['doctor', '--json'])).stdout) as { name: string; status: string; detail: string }[];
    return checks.find((check) => check.name === 'certificates') ?? assert.fail('doctor says nothing of certificates');
  };
  const before = readFileSync(GATHERED, 'utf8');
  try {
    assert.equal((await curl()).code, 60, 'nobody trusts it yet');
    assert.match((await doctor()).detail, /does not trust/);
    const root = await platform.ok(['trust', '--print']);
    writeFileSync(join(folder, 'root.pem'), root);
    assert.equal(await fetched(url, port, root), 'well');
    assert.match(await platform.ok(['trust']), /This machine trusts “berth local CA \([0-9a-f]{6}\)”: \/usr\/local/);
    assert.match(await platform.ok(['trust']), /already/);
    assert.equal((await curl()).stdout, 'well');
    const trusted = await doctor();
    assert.deepEqual([trusted.status, /trusts berth/.test(trusted.detail)], ['ok', true]);
    assert.match(await platform.ok(['trust', '--remove']), /No longer trusted/);
    assert.match(await platform.ok(['trust', '--remove']), /nothing to remove/);
    assert.equal((await curl()).code, 60);
    assert.equal(readFileSync(GATHERED, 'utf8'), before, 'the store is what it was');
  } finally {
    server.close();
  }
});

it('up refuses a domain that no ACME server could use, and changes nothing', async () => {
  for (const [args, message] of [
    [['--domain', 'nonsense'], /is no domain name/],
    [['--domain', '*.example.org'], /without a wildcard/],
    [['--domain', 'example.org', '--acme-email', 'x'], /is no mail address/],
    [['--domain', 'example.org', '--acme-directory', 'http://x'], /is no https/],
    [['--acme-email', 'a@example.org'], /need a domain/],
    [['--domain', 'example.org'], /runs already; to change domain null -> example\.org/],
  ] as const) {
    const ran = await platform.berth(['up', ...args]);
    assert.notEqual(ran.code, 0);
    assert.match(ran.stderr, message);
  }
  assert.equal(JSON.parse(readFileSync(join(platform.state, 'config.json'), 'utf8')).domain, null);
});

function fetched(url: string, port: number, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const lookup = (_name: string, _options: object, found: (error: null, addresses: { address: string; family: number }[]) => void) =>
      found(null, [{ address: '127.0.0.1', family: 4 }]);
    get(url, { ca, agent: false, port, lookup: lookup as never }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      answer.on('end', () => resolve(body));
    }).on('error', reject);
  });
}
