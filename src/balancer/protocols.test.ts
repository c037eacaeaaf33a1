/** What clients and targets may speak, through a real HAProxy: TLS with names, HTTP/2 on both sides, WebSocket, plain TCP. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttp2 } from 'node:http2';
import { connect as connectHttp2 } from 'node:http2';
import { createServer as createTcp, connect as connectTcp } from 'node:net';
import type { AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { after, before, describe, it } from 'node:test';
import { check, forward, group, listener, startRig, target, until } from './testing.ts';
import type { Rig } from './testing.ts';
import type { GroupDesired, ListenerDesired } from './types.ts';

/** A bundle (certificate and key) for one name; its path. */
function bundle(dir: string, name: string): string {
  const [key, cert, path] = [`${dir}/${name}.key`, `${dir}/${name}.crt`, `${dir}/${name}.pem`];
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`, '-days', '2'];
  const how = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync('openssl', ['req', ...how, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
  writeFileSync(path, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'));
  return path;
}

describe('protocols', { concurrency: false }, () => {
  let rig: Rig;
  let port = 0;
  const closing: (() => void)[] = [];
  before(async () => {
    rig = await startRig();
    [port = 0] = rig.ports;
  });
  after(async () => {
    for (const close of closing) close();
    await rig.close();
  });
  const serve = async (server: ReturnType<typeof createTcp>): Promise<number> => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => server.close());
    return (server.address() as AddressInfo).port;
  };
  const up = async (how: Partial<ListenerDesired>, groups: Partial<GroupDesired>) => {
    const wish = { listeners: [listener('l1', port, { otherwise: forward('g'), ...how })], groups: [group('g', groups)] };
    await until(async () => (await rig.apply(wish)).targets.every((one) => one.status === 'up'));
  };
  const tls = (...names: string[]) => ({
    certificates: names.map((name) => bundle(rig.dir, name)),
    minVersion: 'TLSv1.2' as const,
    maxVersion: 'TLSv1.3' as const,
    alpn: ['h2', 'http/1.1'],
  });
  const http2Get = async (headers: Record<string, string>) => {
    const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    try {
      const stream = session.request({ ':path': '/', ...headers });
      let body = '';
      stream.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      const [got] = (await once(stream, 'response')) as [Record<string, unknown>];
      await once(stream, 'end');
      return { status: got[':status'], body };
    } finally {
      session.close();
    }
  };

  it('TLS: the name decides which certificate, and HTTP/2 clients reach HTTP/1.1 targets', async () => {
    const at = await rig.serve((req, res) => res.end(`${req.headers['x-forwarded-proto']} ${req.headers['x-forwarded-port']}`));
    await up({ tls: tls('one.test', 'two.test') }, { targets: [target(at)] });
    const subject = async (servername?: string) => {
      const socket = connectTls({
        host: '127.0.0.1',
        port,
        rejectUnauthorized: false,
        ...(servername === undefined ? {} : { servername }),
      });
      await once(socket, 'secureConnect');
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      return CN;
    };
    assert.deepEqual([await subject(), await subject('two.test'), await subject('other.test')], ['one.test', 'two.test', 'one.test']);
    assert.deepEqual(await http2Get({ ':authority': 'one.test' }), { status: 200, body: `https ${port}` });
  });

  it('HTTP/2 targets, as gRPC has them, with checks by gRPC status', async () => {
    const server = createHttp2((req, res) => {
      if (req.url === '/AWS.ALB/healthcheck') {
        res.writeHead(200, { 'content-type': 'application/grpc', 'grpc-status': '12' });
        res.end();
      } else res.end(`over ${req.httpVersion}`);
    });
    const at = await serve(server as unknown as ReturnType<typeof createTcp>);
    const grpc = { ...check, http2: true, grpc: true, path: '/AWS.ALB/healthcheck', matcher: '12' };
    await up({ tls: tls('three.test') }, { http2: true, targets: [target(at)], check: grpc });
    assert.deepEqual(await http2Get({}), { status: 200, body: 'over 2.0' });
  });

  it('WebSocket: after the upgrade bytes go both ways', async () => {
    const at = await serve(
      createTcp((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', (head) => {
          if (String(head).startsWith('GET /health')) return socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
          socket.write(
            'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
          );
          socket.on('data', (data) => socket.write(`echo ${data}`));
          return undefined;
        });
      }),
    );
    await up({}, { targets: [target(at)] });
    const socket = connectTcp(port, '127.0.0.1').setEncoding('utf8');
    let heard = '';
    socket.on('data', (chunk) => (heard += chunk));
    const key = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13';
    socket.write(`GET /chat HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n${key}\r\n\r\n`);
    await until(async () => heard.includes('101'));
    socket.write('ping');
    await until(async () => heard.endsWith('echo ping'));
    socket.destroy();
  });

  it('TCP: bytes go through as they are', async () => {
    const at = await serve(createTcp((socket) => void socket.on('error', () => undefined).pipe(socket)));
    const tcp = { mode: 'tcp', targets: [target(at)], check: { ...check, protocol: 'TCP' } } as const;
    await up({ mode: 'tcp' }, { ...tcp, targets: [...tcp.targets] });
    const socket = connectTcp(port, '127.0.0.1').setEncoding('utf8');
    let heard = '';
    socket.on('data', (chunk) => (heard += chunk));
    socket.write('not http\n');
    await until(async () => heard === 'not http\n');
    socket.destroy();
  });
});
