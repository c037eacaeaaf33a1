/** Registries on loopback for tests: Debian's docker-registry, a token server in front of it, and a proxy that misbehaves as told. */
import { spawn, execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '#base/testing.ts';

export type Server = { host: string; close(): Promise<void> };

/** User `berth`, password `s3cret`. */
export const registryUser = { username: 'berth', password: 's3cret' };
const HTPASSWD = 'berth:$2b$04$8uN5n2R3eAksZxwMKBLLSuD/T5iAe7qLV61SMr./57ye/lq22VAeu\n';

/** Debian's docker-registry, its store below `dir`. */
export async function startRegistry(dir: string, options: { basicAuth?: boolean } = {}): Promise<Server> {
  await mkdir(join(dir, 'registry'), { recursive: true });
  const port = await freePort();
  const htpasswd = join(dir, `htpasswd-${port}`);
  await writeFile(htpasswd, HTPASSWD);
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(dir, 'registry') } },
    http: { addr: `127.0.0.1:${port}` },
    ...(options.basicAuth === true ? { auth: { htpasswd: { realm: 'test', path: htpasswd } } } : {}),
  };
  const path = join(dir, `registry-${port}.yml`);
  // JSON is YAML.
  await writeFile(path, JSON.stringify(config).replace('"version":0.1', '"version":"0.1"'));
  // It takes settings from variables too, and people have REGISTRY_AUTH_FILE for skopeo.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('REGISTRY_')));
  const child = spawn('/usr/bin/docker-registry', ['serve', path], { stdio: ['ignore', 'ignore', 'pipe'], env });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const exited = once(child, 'exit');
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  for (let tries = 0; ; tries++) {
    const up = await fetch(`http://127.0.0.1:${port}/v2/`).then(
      () => true,
      () => false,
    );
    if (up) return { host: `127.0.0.1:${port}`, close };
    if (tries > 800 || child.exitCode !== null) {
      await close();
      throw new Error(`docker-registry did not start: ${said}`);
    }
    await sleep(25);
  }
}

async function listen(handler: http.RequestListener): Promise<Server> {
  const server = http.createServer(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

/** What the proxy does with a request; undefined: pass it on. */
export type Behaviour =
  | { status: number; headers?: Record<string, string>; body?: string }
  /** Passes on this many bytes of the body, then cuts the connection. */
  | { cutAfter: number }
  /** Turns over one byte of the body. */
  | { corruptAt: number }
  /** Waits for this before the answer. */
  | { hold: Promise<unknown> }
  /** Answers a Range request with the whole body. */
  | { ignoreRange: true };

export type SeenRequest = { method: string; path: string; headers: http.IncomingHttpHeaders };
export type Proxy = Server & { seen: SeenRequest[]; behave: (request: SeenRequest) => Behaviour | undefined };

export async function startProxy(upstream: string): Promise<Proxy> {
  const seen: SeenRequest[] = [];
  const proxy = { seen, behave: () => undefined } as unknown as Proxy;
  const server = await listen((req, res) => {
    const request = { method: req.method ?? '', path: req.url ?? '', headers: req.headers };
    seen.push(request);
    void answer(upstream, request, proxy.behave(request), res);
  });
  return Object.assign(proxy, server);
}

async function answer(upstream: string, request: SeenRequest, how: Behaviour | undefined, res: http.ServerResponse): Promise<void> {
  if (how !== undefined && 'status' in how) return void res.writeHead(how.status, how.headers).end(how.body);
  if (how !== undefined && 'hold' in how) await how.hold;
  const [host, port] = upstream.split(':');
  const headers = { ...request.headers };
  if (how !== undefined && 'ignoreRange' in how) delete headers.range;
  const out = http.request({ host, port, path: request.path, method: request.method, headers });
  out.on('error', () => res.destroy());
  out.on('response', (back) => {
    res.writeHead(back.statusCode ?? 500, back.headers);
    let sent = 0;
    back.on('data', (chunk: Buffer) => {
      const data = Buffer.from(chunk);
      if (how !== undefined && 'corruptAt' in how && sent <= how.corruptAt && sent + data.length > how.corruptAt) {
        const at = how.corruptAt - sent;
        data[at] = (data[at] ?? 0) ^ 0xff;
      }
      if (how !== undefined && 'cutAfter' in how && sent + data.length >= how.cutAfter) {
        const rest = data.subarray(0, how.cutAfter - sent);
        back.destroy();
        return void res.write(rest, () => res.destroy());
      }
      sent += data.length;
      res.write(data);
    });
    back.on('end', () => res.end());
  });
  out.end();
}

export type TokenServer = Server & { tokensGiven: string[]; tokenRequests: SeenRequest[] };

/** distribution's token flow in front of a registry: tokens are good for one repository; `users` null: anybody may pull. */
export async function startTokenRegistry(
  upstream: string,
  options: { users: Record<string, string> | null; refreshToken?: string; expiresIn?: number; callsPerToken?: number },
): Promise<TokenServer> {
  const tokens = new Map<string, { scope: string; calls: number }>();
  const tokensGiven: string[] = [];
  const tokenRequests: SeenRequest[] = [];
  const give = (scope: string, res: http.ServerResponse): void => {
    const token = `token-${tokens.size}`;
    tokens.set(token, { scope, calls: 0 });
    tokensGiven.push(token);
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ token, expires_in: options.expiresIn ?? 300 }));
  };
  const server = await listen((req, res) => {
    const url = new URL(req.url ?? '', 'http://x');
    const request = { method: req.method ?? '', path: req.url ?? '', headers: req.headers };
    if (url.pathname === '/token' && req.method === 'POST') {
      tokenRequests.push(request);
      let body = '';
      req.on('data', (chunk: Buffer) => (body += chunk.toString()));
      req.on('end', () => {
        const form = new URLSearchParams(body);
        if (form.get('refresh_token') !== options.refreshToken) return void res.writeHead(401).end();
        give(form.get('scope') ?? '', res);
      });
      return;
    }
    if (url.pathname === '/token') {
      tokenRequests.push(request);
      const [user = '', password] = Buffer.from((req.headers.authorization ?? '').slice(6), 'base64')
        .toString()
        .split(':');
      if (options.users !== null && (password === undefined || options.users[user] !== password)) return void res.writeHead(401).end('{}');
      return give(url.searchParams.get('scope') ?? '', res);
    }
    const repository = /^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(url.pathname)?.[1] ?? '';
    const scope = `repository:${repository}:pull`;
    const known = tokens.get((req.headers.authorization ?? '').replace(/^Bearer /, ''));
    if (known?.scope !== scope || ++known.calls > (options.callsPerToken ?? Number.POSITIVE_INFINITY)) {
      const challenge = `Bearer realm="http://${req.headers.host}/token",service="test",scope="${scope}"`;
      return void res
        .writeHead(401, { 'www-authenticate': challenge })
        .end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
    }
    void answer(upstream, { ...request, headers: { ...req.headers, authorization: '' } }, undefined, res);
  });
  return { ...server, tokensGiven, tokenRequests };
}

const run = promisify(execFile);

/** Pushes an OCI archive with skopeo. */
export async function push(archive: string, to: string, user?: { username: string; password: string }): Promise<void> {
  const auth = user === undefined ? [] : ['--dest-creds', `${user.username}:${user.password}`];
  await run('skopeo', [
    'copy',
    '--insecure-policy',
    '--quiet',
    '--dest-tls-verify=false',
    ...auth,
    `oci-archive:${archive}`,
    `docker://${to}`,
  ]);
}

/** Puts a manifest as it is. */
export async function putManifest(host: string, repository: string, target: string, mediaType: string, body: string): Promise<void> {
  const response = await fetch(`http://${host}/v2/${repository}/manifests/${target}`, {
    method: 'PUT',
    headers: { 'content-type': mediaType },
    body,
  });
  if (!response.ok) throw new Error(`PUT manifest: ${response.status} ${await response.text()}`);
}
