/** An ACME challenge on a load balancer's port 80, through a real HAProxy to the real page behind it. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { realClock } from '#base/clock.ts';
import { createActivator, type Activator } from './activator.ts';
import { renderHaproxy } from './render.ts';
import { freePort } from '#base/testing.ts';
import { listener } from './testing.ts';

const TOKEN = '/.well-known/acme-challenge/token';
const clock = realClock();
let dir: string;
let port: number;
let haproxy: ChildProcess;
let activator: Activator;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'berth-challenges-'));
  port = await freePort();
  activator = createActivator({ challenge: (path) => (path === TOKEN ? 'token.proof' : undefined) });
  await activator.listen(join(dir, 'act.sock'));
  const toHttps = {
    kind: 'redirect',
    protocol: 'HTTPS',
    host: '#{host}',
    port: '443',
    path: '/#{path}',
    query: '#{query}',
    status: 301,
  } as const;
  const redirecting = { ...listener('l1', 80, { otherwise: toHttps }), fd: 101, crtList: null };
  const text = renderHaproxy({
    listen: '127.0.0.1',
    port: 8080,
    statsSocket: join(dir, 'stats.sock'),
    activatorSocket: join(dir, 'act.sock'),
    accessSocket: join(dir, 'access.sock'),
    acmeDomain: 'example.org',
    maxFiles: 1000,
    threads: 1,
    stamp: '',
    endpoints: [],
    aliases: [],
    listeners: [redirecting],
    groups: [],
  });
  const bound = text.replace('bind fd@100', `bind ${join(dir, 'front.sock')}`).replace('bind fd@101', `bind 127.0.0.1:${port}`);
  writeFileSync(join(dir, 'haproxy.cfg'), bound);
  haproxy = spawn('haproxy', ['-db', '-f', join(dir, 'haproxy.cfg')], { stdio: 'ignore' });
  const deadline = clock.now() + 20_000;
  while ((await ask('/', 'x')).status === 0) {
    assert.ok(clock.now() < deadline && haproxy.exitCode === null, 'HAProxy does not answer');
    await clock.sleep(20);
  }
});
after(async () => {
  haproxy.kill('SIGTERM');
  await once(haproxy, 'exit');
  await activator.close();
  rmSync(dir, { recursive: true, force: true });
});

it('is answered for names under the real domain before any rule, and everything else goes its way', async () => {
  for (const host of ['example.org', 'shop.example.org', 'SHOP.Example.org:80']) {
    assert.deepEqual(await ask(TOKEN, host), { status: 200, body: 'token.proof' });
  }
  assert.equal((await ask(TOKEN, 'shop.example.net')).status, 301);
  assert.equal((await ask(TOKEN, 'notexample.org')).status, 301);
  assert.equal((await ask('/', 'shop.example.org')).status, 301);
});

function ask(path: string, host: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const call = get({ host: '127.0.0.1', port, path, agent: false, headers: { host } }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
    });
    call.on('error', () => resolve({ status: 0, body: '' }));
  });
}
