/** Pebble (github.com/letsencrypt/pebble), Let's Encrypt's small ACME server for tests, built by Go, and the names that it is to find. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { decode, encode } from 'dns-packet';
import { until } from '../e2e/platform.ts';
import { freePort } from '#base/testing.ts';

const VERSION = 'v2.10.3';
const BUILD_MS = 600_000;

export type Pebble = {
  /** URL of the ACME directory. */
  directory: string;
  /** The root that its certificates lead to, PEM. */
  root(): Promise<string>;
  /** What it wrote so far. */
  said(): string;
  end(): Promise<void>;
};

/** Throws, saying so, where Go is missing. `tls`: what Pebble itself serves HTTPS with; `httpPort`: where it looks for HTTP-01 answers. */
export async function startPebble(dir: string, tls: { certificate: string; privateKey: string }, httpPort: number): Promise<Pebble> {
  buildPebble(dir);
  const [port, managementPort, tlsPort] = [await freePort(), await freePort(), await freePort()];
  const names = await everythingIsLoopback();
  const [certificate, privateKey] = [join(dir, 'pebble.pem'), join(dir, 'pebble.key')];
  writeFileSync(certificate, tls.certificate);
  writeFileSync(privateKey, tls.privateKey, { mode: 0o600 });
  const config = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${managementPort}`,
    certificate,
    privateKey,
    httpPort,
    tlsPort,
    ocspResponderURL: '',
    externalAccountBindingRequired: false,
    retryAfter: { authz: 1, order: 1 },
    profiles: { default: { description: 'ninety days', validityPeriod: 90 * 24 * 3600 } },
  };
  writeFileSync(join(dir, 'pebble.json'), JSON.stringify({ pebble: config }));
  const child = spawn(join(dir, 'pebble'), ['-config', join(dir, 'pebble.json'), '-dnsserver', `127.0.0.1:${names.port}`], {
    env: { PATH: process.env['PATH'], PEBBLE_VA_NOSLEEP: '1', PEBBLE_VA_ALWAYS_VALID: '0', PEBBLE_AUTHZREUSE: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const pebble: Pebble = {
    directory: `https://127.0.0.1:${port}/dir`,
    root: () => get(`https://127.0.0.1:${managementPort}/roots/0`),
    said: () => text,
    async end() {
      names.close();
      child.kill('SIGTERM');
      await ended;
    },
  };
  const answers = async () => child.exitCode !== null || (await get(pebble.directory).catch(() => '')) !== '';
  await until('Pebble answers', answers).catch(async (error: Error) => {
    await pebble.end();
    throw new Error(`${error.message}\n${text}`);
  });
  assert.equal(child.exitCode, null, `Pebble ended:\n${text}`);
  return pebble;
}

function buildPebble(dir: string): void {
  try {
    execFileSync('go', ['version'], { stdio: 'pipe' });
  } catch {
    assert.fail('this test needs Go, to build Pebble, and this machine has none: apt-get install golang, or put `go` into PATH');
  }
  const env = { ...process.env, GOBIN: dir, GOFLAGS: '-mod=mod' };
  execFileSync('go', ['install', `github.com/letsencrypt/pebble/v2/cmd/pebble@${VERSION}`], { env, stdio: 'pipe', timeout: BUILD_MS });
}

/** A DNS server on loopback, over TCP as Pebble asks (RFC 1035, section 4.2.2), for which every name is 127.0.0.1. */
async function everythingIsLoopback(): Promise<{ port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const end = 2 + rest.readUInt16BE(0);
        const answer = loopbackAnswer(rest.subarray(2, end));
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        socket.write(Buffer.concat([length, answer]));
        rest = rest.subarray(end);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, close };
}

function loopbackAnswer(message: Uint8Array): Buffer {
  const { id = 0, questions = [] } = decode(message);
  const answers = questions.filter((q) => q.type === 'A').map((q) => ({ name: q.name, type: 'A' as const, ttl: 1, data: '127.0.0.1' }));
  return encode({ id, type: 'response', questions, answers });
}

/** Pebble's certificate for its management is trusted by who made it (`tls.setDefaultCACertificates`). */
function get(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent: false, headers: { 'user-agent': 'berth-test' } }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      answer.on('end', () => (answer.statusCode === 200 ? resolve(body) : reject(new Error(`${url}: HTTP ${answer.statusCode}`))));
    });
    call.on('error', reject).end();
  });
}
