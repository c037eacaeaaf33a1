/**
 * `berth up --domain` as a whole: its processes as they are, Pebble in Let's Encrypt's place, and a client that trusts Pebble's root alone. What is asked
 * for through ACM is served by a load balancer's HTTPS listener, and after a renewal the new one. Needs Go, to build Pebble.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import tls from 'node:tls';
import { ACMClient, DescribeCertificateCommand, RenewCertificateCommand, RequestCertificateCommand } from '@aws-sdk/client-acm';
import { CreateListenerCommand, CreateLoadBalancerCommand, ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { createSdk } from '../e2e/aws-sdk.ts';
import { installPackages } from '../e2e/packages.ts';
import { startPlatform, until } from '../e2e/platform.ts';
import type { Platform } from '../e2e/platform.ts';
import { startPebble } from './pebble.ts';
import type { Pebble } from './pebble.ts';

const NAME = 'shop.acme.test';
const PATIENCE_MS = 120_000;
let dir: string;
let platform: Platform;
let pebble: Pebble;

before(async () => {
  installPackages({ '/usr/bin/openssl': 'openssl', '/usr/sbin/update-ca-certificates': 'ca-certificates' });
  dir = mkdtempSync(join(tmpdir(), 'berth-soak-acme-up-'));
  platform = await startPlatform();
  // Pebble speaks HTTPS itself: by a certificate of berth's own authority, which the machine, and with it the control plane, is made to trust.
  await platform.ok(['trust']);
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), await platform.ok(['trust', '--print'])]);
  pebble = await startPebble(dir, issuedByAuthority(), platform.endpointPort);
  await platform.ok(['down'], { timeoutMs: 120_000 });
  const acme = ['--domain', 'acme.test', '--acme-email', 'someone@example.org', '--acme-directory', pebble.directory];
  await platform.ok(['up', ...acme], { timeoutMs: 120_000 });
});
after(async () => {
  await pebble?.end();
  try {
    await platform?.ok(['trust', '--remove']);
  } finally {
    await platform?.end();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  }
});

function issuedByAuthority(): { certificate: string; privateKey: string } {
  const authority = join(platform.state, 'control/certificates/authority');
  const path = (name: string) => join(dir, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=127.0.0.1', '-keyout', path('leaf.key'), '-out', path('leaf.csr'));
  writeFileSync(path('leaf.ext'), 'subjectAltName=IP:127.0.0.1\n');
  const by = ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-set_serial', '4711'];
  openssl('x509', '-req', '-in', path('leaf.csr'), ...by, '-days', '2', '-extfile', path('leaf.ext'), '-out', path('leaf.pem'));
  return { certificate: readFileSync(path('leaf.pem'), 'utf8'), privateKey: readFileSync(path('leaf.key'), 'utf8') };
}

/** The serial number of what is served for NAME to a client that trusts `ca` alone, and the first line of the answer. */
function served(host: string, ca: string): Promise<{ serial: string; status: string }> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host, port: 443, ca, servername: NAME, timeout: 5000 }, () => {
      const { serialNumber: serial } = socket.getPeerCertificate();
      socket.once('data', (data) => {
        resolve({ serial, status: data.toString('latin1').split('\r\n')[0] ?? '' });
        socket.destroy();
      });
      socket.write(`GET / HTTP/1.1\r\nHost: ${NAME}\r\nConnection: close\r\n\r\n`);
    });
    socket.on('error', reject).on('timeout', () => socket.destroy(new Error('no answer within 5 s')));
  });
}

it('gets a certificate for a name under the real domain, serves it, and renews it', async () => {
  const sdk = createSdk(platform);
  const [acm, elb] = [new ACMClient(sdk.config), new ElasticLoadBalancingV2Client(sdk.config)];
  try {
    const { CertificateArn } = await acm.send(new RequestCertificateCommand({ DomainName: NAME, ValidationMethod: 'DNS' }));
    assert.ok(CertificateArn);
    const describe = async () => (await acm.send(new DescribeCertificateCommand({ CertificateArn }))).Certificate;
    await until('it is issued', async () => (await describe())?.Status === 'ISSUED', PATIENCE_MS).catch((error: Error) => {
      const log = readFileSync(join(platform.state, 'log/control.log'), 'utf8').slice(-3000);
      throw new Error(`${error.message}\n${log}\n${pebble.said().slice(-3000)}`);
    });
    const { LoadBalancers } = await elb.send(new CreateLoadBalancerCommand({ Name: 'shop', Subnets: (await sdk.subnets()).slice(0, 2) }));
    const fixed = { StatusCode: '299', ContentType: 'text/plain', MessageBody: 'well' };
    await elb.send(
      new CreateListenerCommand({
        LoadBalancerArn: LoadBalancers?.[0]?.LoadBalancerArn ?? '',
        Protocol: 'HTTPS',
        Port: 443,
        Certificates: [{ CertificateArn }],
        DefaultActions: [{ Type: 'fixed-response', FixedResponseConfig: fixed }],
      }),
    );
    const address = await until('the listener', async () => {
      const config = readFileSync(join(platform.state, 'haproxy/haproxy.cfg'), 'utf8');
      return /^# hold \d+ (\S+) 443$/m.exec(config)?.[1];
    });
    const root = await pebble.root();
    const first = await until('it is served', () => served(address, root).catch(() => undefined));
    assert.match(first.status, /^HTTP\/1\.1 299/);
    assert.equal((await describe())?.Serial?.replaceAll(':', '').toUpperCase(), first.serial.toUpperCase());
    await acm.send(new RenewCertificateCommand({ CertificateArn }));
    const another = async () => {
      const now = await served(address, root);
      return now.serial !== first.serial && now;
    };
    assert.match((await until('the renewed one is served', another, PATIENCE_MS)).status, /^HTTP\/1\.1 299/);
    assert.match(pebble.said(), /authz .* set VALID by completed challenge/i);
  } finally {
    for (const client of [acm, elb]) client.destroy();
    sdk.close();
  }
});
