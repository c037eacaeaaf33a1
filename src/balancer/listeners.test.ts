/** Listeners, their rules, and targets against a real HAProxy. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { after, before, describe, it } from 'node:test';
import type { RuleCondition } from '#domain/load-balancer.ts';
import { freePort } from '#base/testing.ts';
import { renderHaproxy } from './render.ts';
import { check, clock, forward, group, listener, request, startRig, target, until } from './testing.ts';
import type { Rig } from './testing.ts';
import type { BalancerSeen, GroupDesired, Route, TrafficDesired } from './types.ts';

const fixed = (body: string, status = 200): Route => ({ kind: 'fixed', status, contentType: 'text/plain', body });
const rule = (id: string, route: Route, ...conditions: RuleCondition[]) => ({ id, conditions, route });
const forTheRecord: Omit<TrafficDesired, 'endpoints' | 'aliases'> = {
  listeners: [
    listener('aaaa', 80, {
      address: '172.31.0.9',
      rules: [
        rule(
          'r1',
          {
            kind: 'forward',
            groups: [
              { id: 'g1', weight: 3 },
              { id: 'g2', weight: 1 },
            ],
            stickySeconds: 600,
          },
          { field: 'host-header', values: ['*.example.com', 'a?b'] },
        ),
        rule(
          'r2',
          { kind: 'redirect', protocol: 'HTTPS', host: '#{host}', port: '443', path: '/#{path}', query: '#{query}', status: 301 },
          { field: 'path-pattern', values: ['/old/*'] },
        ),
        rule(
          'r3',
          fixed('100 % "sure" it\'s\nhere'),
          { field: 'http-header', name: 'X-Kind', values: ['a b*'] },
          { field: 'http-request-method', values: ['GET', 'HEAD'] },
        ),
        rule(
          'r4',
          forward('g2'),
          {
            field: 'query-string',
            values: [
              { key: 'v', value: '1*' },
              { key: null, value: 'any' },
            ],
          },
          { field: 'source-ip', values: ['10.0.0.0/8'] },
        ),
      ],
      otherwise: forward('g1'),
    }),
    listener('bbbb', 443, {
      address: '172.31.0.9',
      tls: { certificates: ['/certs/one.pem', '/certs/two.pem'], minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', alpn: ['h2', 'http/1.1'] },
      otherwise: { kind: 'forward', groups: [{ id: 'g3', weight: 0 }], stickySeconds: null },
    }),
    listener('cccc', 5432, { address: '172.31.0.10', mode: 'tcp', idleSeconds: 350, otherwise: forward('g4') }),
  ],
  groups: [
    group('g1', { stickiness: { kind: 'lb_cookie', seconds: 60 }, slowStartSeconds: 30 }),
    group('g2', {
      balance: 'leastconn',
      stickiness: { kind: 'app_cookie', name: 'SID', seconds: 60 },
      check: { ...check, protocol: 'HTTPS', port: 8443 },
    }),
    group('g3', { http2: true, check: { ...check, http2: true, grpc: true, path: '/AWS.ALB/healthcheck', matcher: '12' } }),
    group('g4', { mode: 'tcp', balance: 'source', check: { ...check, protocol: 'TCP' } }),
  ],
};

describe('the whole configuration', () => {
  const spec = {
    listen: '127.0.0.1',
    port: 8080,
    statsSocket: '/tmp/stats.sock',
    activatorSocket: '/tmp/activator.sock',
    accessSocket: '/tmp/access.sock',
    acmeDomain: 'example.org',
    maxFiles: 10_000,
    threads: 2,
    stamp: '',
    endpoints: [{ name: 'web', servers: [{ id: '0123456789abcdef', ip: '172.31.0.5', port: 80 }] }],
    aliases: [{ name: 'shop', ip: '172.31.0.9', port: 80, tls: false }],
    listeners: forTheRecord.listeners.map((one, at) => ({ ...one, fd: 101 + at, crtList: one.tls === null ? null : `/lists/${one.id}` })),
    groups: forTheRecord.groups.map((one) => ({
      group: one,
      up: one.id === 'g1' ? [{ ip: '172.31.0.6', port: 8080, registeredAt: 1 }] : [],
    })),
  };

  it('is what the golden file says', async () => {
    assert.equal(renderHaproxy(spec), await readFile(new URL('./golden/all.cfg', import.meta.url), 'utf8'));
  });

  it('is taken by HAProxy (but for the certificates, which are not there)', () => {
    const plain = { ...spec, listeners: spec.listeners.map((one) => ({ ...one, crtList: null })) };
    const run = () =>
      execFileSync('sh', ['-c', 'cat > "$0" && haproxy -c -f "$0" 2>&1; code=$?; rm "$0"; exit $code', `/tmp/berth-cfg-${process.pid}`], {
        input: renderHaproxy(plain).replaceAll(/bind fd@(\d+)/g, 'bind 127.0.0.1:10$1'),
        encoding: 'utf8',
      });
    assert.match(run(), /Configuration file is valid/);
    assert.doesNotMatch(run(), /ALERT|WARNING/);
  });
});

describe('rules', { concurrency: false }, () => {
  let rig: Rig;
  let port = 0;
  before(async () => {
    rig = await startRig();
    [port = 0] = rig.ports;
  });
  after(() => rig.close());
  const body = async (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    (await request(port, path, headers, { method })).body;

  it('the first that holds decides, and every kind of condition is understood', async () => {
    const rules = [
      rule('r1', fixed('host'), { field: 'host-header', values: ['*.Example.com', 'exact.org'] }),
      rule('r2', fixed('path'), { field: 'path-pattern', values: ['/api/*', '/v?/x'] }),
      rule('r3', fixed('header'), { field: 'http-header', name: 'X-Kind', values: ['one two*'] }),
      rule('r4', fixed('method'), { field: 'http-request-method', values: ['PURGE'] }),
      rule('r5', fixed('query'), {
        field: 'query-string',
        values: [
          { key: 'v', value: '1*' },
          { key: null, value: 'any.' },
        ],
      }),
      rule('r6', fixed('both'), { field: 'path-pattern', values: ['/both'] }, { field: 'source-ip', values: ['127.0.0.0/8'] }),
      rule('r7', fixed('never'), { field: 'source-ip', values: ['10.0.0.0/8'] }),
    ];
    await rig.apply({ listeners: [listener('l1', port, { rules, otherwise: fixed('default', 404) })] });
    assert.equal(await body('/', { host: 'A.example.COM:80' }), 'host');
    assert.equal(await body('/api/x', { host: 'exact.org' }), 'host');
    assert.equal(await body('/', { host: 'example.com' }), 'default');
    assert.equal(await body('/api/x?a=b'), 'path');
    assert.equal(await body('/v2/x'), 'path');
    assert.equal(await body('/v22/x'), 'default');
    assert.equal(await body('/API/x'), 'default');
    assert.equal(await body('/', { 'x-kind': 'ONE TWO three' }), 'header');
    assert.equal(await body('/', {}, 'PURGE'), 'method');
    assert.equal(await body('/?x=2&V=123'), 'query');
    assert.equal(await body('/?z=any.'), 'query');
    assert.equal(await body('/?z=anyx'), 'default');
    assert.equal(await body('/both'), 'both');
    assert.equal(await body('/'), 'default');
  });

  it('redirects and fixed answers say what was wished', async () => {
    const to: Route = {
      kind: 'redirect',
      protocol: 'HTTPS',
      host: '#{host}',
      port: '443',
      path: '/new/#{path}',
      query: '#{query}',
      status: 302,
    };
    const rules = [
      rule('r1', to, { field: 'path-pattern', values: ['/old'] }),
      rule('r2', fixed('100 % "sure" it\'s\nhere \\x20 é', 503), { field: 'path-pattern', values: ['/text'] }),
    ];
    await rig.apply({
      listeners: [listener('l1', port, { rules, otherwise: { kind: 'fixed', status: 204, contentType: null, body: null } })],
    });
    const redirected = await request(port, '/old?a=1%20b', { host: 'shop.org:81' });
    assert.deepEqual([redirected.status, redirected.headers.location], [302, 'https://shop.org:443/new/old?a=1%20b']);
    assert.equal((await request(port, '/old', { host: 'shop.org' })).headers.location, 'https://shop.org:443/new/old');
    const text = await request(port, '/text');
    assert.deepEqual([text.status, text.body], [503, '100 % "sure" it\'s\nhere \\x20 é']);
    assert.equal((await request(port, '/')).status, 204);
  });

  it('weights are kept, a client may stay with its group, and targets are told who asked', async () => {
    const seen: Record<string, string | undefined>[] = [];
    const a = await rig.serve((req, res) => {
      seen.push({
        xff: req.headers['x-forwarded-for'] as string,
        proto: req.headers['x-forwarded-proto'] as string,
        port: req.headers['x-forwarded-port'] as string,
      });
      res.end('a');
    });
    const b = await rig.serve((_req, res) => res.end('b'));
    const groups = [group('ga', { targets: [target(a)] }), group('gb', { targets: [target(b)] })];
    const route: Route = {
      kind: 'forward',
      groups: [
        { id: 'ga', weight: 3 },
        { id: 'gb', weight: 1 },
      ],
      stickySeconds: 60,
    };
    const wish = { listeners: [listener('l1', port, { otherwise: route })], groups };
    await upAll(rig, wish);
    let gotA = 0;
    for (let i = 0; i < 400; i++) if ((await body('/')) === 'a') gotA += 1;
    // Six standard deviations around 300.
    assert.ok(gotA > 248 && gotA < 352, `${gotA} of 400 went to the group with three quarters`);
    const first = await request(port);
    const cookie = (first.headers['set-cookie'] ?? []).find((one) => one.startsWith('AWSALBTG='))?.split(';')[0] ?? '';
    assert.match(cookie, /^AWSALBTG=tg_g[ab]$/);
    for (let i = 0; i < 30; i++) assert.equal(await body('/', { cookie }), first.body);
    seen.length = 0;
    const elsewhere = { localAddress: '127.0.0.2' };
    while ((await request(port, '/', { 'x-forwarded-for': '192.0.2.7' }, elsewhere)).body !== 'a');
    assert.deepEqual(
      seen.findLast((one) => one['xff']?.startsWith('192') === true),
      { xff: '192.0.2.7, 127.0.0.2', proto: 'http', port: String(port) },
    );
  });
});

describe('targets', { concurrency: false }, () => {
  let rig: Rig;
  let port = 0;
  before(async () => {
    rig = await startRig();
    [port = 0] = rig.ports;
  });
  after(() => rig.close());
  const wishOf = (change: Partial<GroupDesired>) => ({
    listeners: [listener('l1', port, { otherwise: forward('g') })],
    groups: [group('g', change)],
  });
  const only = (seen: BalancerSeen) => seen.targets[0] ?? assert.fail('no target');

  it('one pass is enough for a new one, and before it there is no traffic, nor after a reload', async () => {
    const at = await freePort();
    let healthy = false;
    let traffic = 0;
    await rig.serve((req, res) => {
      if (req.url !== '/health') traffic += 1;
      res.statusCode = healthy ? 200 : 500;
      res.end('x');
    }, at);
    const wish = wishOf({ targets: [target(at)], check: { ...check, healthy: 5 } });
    await rig.apply(wish);
    await until(async () => only(await rig.apply(wish)).code === 500);
    const nothing = await request(port);
    assert.deepEqual([nothing.status, nothing.headers['x-berth-activator']], [503, 'waiting']);
    assert.match(nothing.body, /^No healthy target is behind this name yet\.\n/);
    // Something else changes: a reload.
    const changed = { ...wish, listeners: [listener('l1', port, { otherwise: forward('g'), idleSeconds: 61 })] };
    const pid = await rig.haproxyPid();
    await rig.apply(changed);
    assert.notEqual(await rig.haproxyPid(), pid);
    for (let i = 0; i < 5; i++) assert.equal((await request(port)).status, 503);
    assert.equal(traffic, 0);
    healthy = true;
    await until(async () => (await request(port)).status === 200);
    assert.equal(only(await rig.apply(changed)).status, 'up');
    await rig.apply({});
  });

  it('one that fell needs as many passes as the group says, and tells why it is down', async () => {
    let status = 200;
    let checks = 0;
    const at = await rig.serve((_req, res) => {
      checks += 1;
      res.statusCode = status;
      res.end('x');
    });
    const wish = wishOf({ targets: [target(at)], check: { ...check, healthy: 3 } });
    await upAll(rig, wish);
    status = 502;
    await until(async () => {
      const { status: now, check: short, code, wasUp } = only(await rig.apply(wish));
      return now === 'down' && short === 'L7STS' && code === 502 && wasUp;
    });
    status = 200;
    checks = 0;
    await until(async () => only(await rig.apply(wish)).status === 'up');
    assert.ok(checks >= 3, `${checks} checks`);
    assert.equal((await request(port)).status, 200);
    await rig.apply({});
  });

  it('while all are unhealthy each gets traffic, once one is healthy that one alone', async () => {
    const healthy = new Set<string>();
    const serve = (name: string) =>
      rig.serve((req, res) => {
        res.statusCode = req.url === '/health' && !healthy.has(name) ? 500 : 200;
        res.end(name);
      });
    const ports = await Promise.all(['a', 'b'].map(serve));
    const wish = (unhealthy: boolean) => wishOf({ targets: ports.map((one) => target(one, null, unhealthy)) });
    await rig.apply(wish(false));
    await until(async () => (await rig.apply(wish(false))).targets.every((one) => one.code === 500));
    assert.equal((await request(port)).status, 503);
    // Now it was said of them that they are unhealthy.
    assert.deepEqual(new Set((await rig.apply(wish(true))).targets.map((one) => one.status)), new Set(['down']));
    const bodies = async () => new Set((await Promise.all(Array.from({ length: 10 }, () => request(port)))).map((one) => one.body));
    assert.deepEqual(await bodies(), new Set(['a', 'b']));
    const changed = { ...wish(true), listeners: [listener('l1', port, { otherwise: forward('g'), idleSeconds: 62 })] };
    await rig.apply(changed);
    assert.deepEqual(await bodies(), new Set(['a', 'b']), 'after a reload');
    assert.equal(rig.balancer.metrics().groups.find((one) => one.id === 'g')?.healthy, 0);
    healthy.add('b');
    await until(async () => (await rig.apply(changed)).targets[1]?.status === 'up');
    assert.deepEqual(await bodies(), new Set(['b']));
    await until(async () => (await rig.apply(wish(false))).leaving === 0);
    await rig.apply({});
  });

  it('one that is deregistered gets nothing new, finishes what it has, and is gone', async () => {
    const held: (() => void)[] = [];
    const slow = await rig.serve((req, res) => (req.url === '/slow' ? void held.push(() => res.end('done')) : res.end('slow one')));
    const other = await rig.serve((_req, res) => res.end('other'));
    const far = clock.now() + 60_000;
    const wish = (drainUntil: number | null, ...more: number[]) =>
      wishOf({ targets: [target(slow, drainUntil), ...more.map((one) => target(one))] });
    await upAll(rig, wish(null));
    const long = request(port, '/slow');
    await until(async () => held.length === 1);
    await rig.apply(wish(far, other));
    await until(async () => (await request(port)).body === 'other');
    for (let i = 0; i < 10; i++) assert.equal((await request(port)).body, 'other');
    assert.equal(only(await rig.apply(wish(far, other))).status, 'draining');
    held[0]?.();
    assert.equal((await long).body, 'done');
    await until(async () => only(await rig.apply(wish(far, other))).status === 'absent');

    await upAll(rig, wish(null));
    const cut = request(port, '/slow');
    await until(async () => held.length === 2);
    await rig.apply(wish(clock.now() - 1));
    assert.notEqual((await cut).body, 'done', 'its time was over');
    await until(async () => only(await rig.apply(wish(1))).status === 'absent');
    await rig.apply({});
  });

  it('one that is registered again while it drains is a new one, and what the former has goes on', async () => {
    const held: (() => void)[] = [];
    const at = await rig.serve((req, res) => (req.url === '/slow' ? void held.push(() => res.end('done')) : res.end('again')));
    const far = clock.now() + 60_000;
    const wish = (registeredAt: number, drainUntil: number | null) =>
      wishOf({ targets: [{ ...target(at, drainUntil), registeredAt }], check: { ...check, healthy: 9, intervalSeconds: 30 } });
    await upAll(rig, wish(1, null));
    const long = request(port, '/slow');
    await until(async () => held.length === 1);
    await rig.apply(wish(1, far));
    await until(async () => (await request(port)).status === 503);
    await upAll(rig, wish(2, null));
    assert.equal((await request(port)).body, 'again');
    held[0]?.();
    assert.equal((await long).body, 'done');
    await until(async () => only(await rig.apply(wish(2, far))).status === 'absent');
    await rig.apply({});
  });

  it('connections to a target are used again, and what is idle keeps none that is gone', async () => {
    const connections = new Set<number | undefined>();
    const at = await rig.serve((req, res) => {
      if (req.url !== check.path) connections.add(req.socket.remotePort);
      res.end('x');
    });
    await upAll(rig, wishOf({ targets: [target(at)] }));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let n = 0; n < 30; n++) {
      await new Promise<void>((resolve, reject) => {
        get({ host: '127.0.0.1', port, agent }, (answer) => answer.resume().on('end', resolve)).on('error', reject);
      });
    }
    agent.destroy();
    assert.ok(connections.size <= 2, `${connections.size} connections for 30 requests`);
    await until(async () => only(await rig.apply(wishOf({ targets: [target(at, clock.now() + 60_000)] }))).status === 'absent');
    await until(async () => (await rig.apply(wishOf({ targets: [] }))).leaving === 0);
    await rig.apply({});
  });

  it('cookies lead back to the target', async () => {
    const ports = await Promise.all(['a', 'b', 'c'].map((name) => rig.serve((_req, res) => res.end(name))));
    const wish = wishOf({ targets: ports.map((one) => target(one)), stickiness: { kind: 'lb_cookie', seconds: 60 } });
    await upAll(rig, wish);
    const first = await request(port);
    const cookie = (first.headers['set-cookie'] ?? []).find((one) => one.startsWith('AWSALB='))?.split(';')[0] ?? '';
    assert.notEqual(cookie, '');
    for (let i = 0; i < 20; i++) assert.equal((await request(port, '/', { cookie })).body, first.body);
    await rig.apply({});
  });

  it('the application’s own cookie leads back to the target, also after a reload', async () => {
    const serve = (name: string) =>
      rig.serve((req, res) => {
        if (req.url === '/login') res.setHeader('set-cookie', `SID=${name}-session; Path=/`);
        res.end(name);
      });
    const ports = await Promise.all(['a', 'b', 'c'].map(serve));
    const wish = wishOf({ targets: ports.map((one) => target(one)), stickiness: { kind: 'app_cookie', name: 'SID', seconds: 60 } });
    await upAll(rig, wish);
    const { headers, body } = await request(port, '/login');
    const cookie = (headers['set-cookie'] ?? [])[0]?.split(';')[0] ?? '';
    const stays = async (when: string) => {
      for (let i = 0; i < 9; i++) assert.equal((await request(port, '/', { cookie })).body, body, when);
    };
    await stays('before');
    const pid = await rig.haproxyPid();
    await rig.apply({ ...wish, listeners: [listener('l1', port, { otherwise: forward('g'), idleSeconds: 63 })] });
    assert.notEqual(await rig.haproxyPid(), pid);
    await stays('after a reload');
    await rig.apply({});
  });

  it('rounds of registering and deregistering lose nothing, without a reload', async () => {
    const ports = await Promise.all(['a', 'b', 'c'].map((name) => rig.serve((_req, res) => res.end(name))));
    const [stays = 0, ...come] = ports;
    const wish = (...some: number[]) => wishOf({ targets: [stays, ...some].map((one) => target(one)) });
    await upAll(rig, wish());
    const pid = await rig.haproxyPid();
    let running = true;
    let failures = 0;
    let answered = 0;
    const load = (async () => {
      while (running)
        if ((await request(port)).status === 200) answered += 1;
        else failures += 1;
    })();
    for (let round = 0; round < 50; round++) {
      await rig.apply(wish(...come));
      if (round % 10 === 0) await upAll(rig, wish(...come));
      const draining = come.map((one) => target(one, clock.now() + 60_000));
      const leaving = wishOf({ targets: [target(stays), ...draining] });
      await until(async () => (await rig.apply(leaving)).targets.every((one, at) => at === 0 || one.status === 'absent'));
    }
    running = false;
    await load;
    assert.equal(failures, 0, `of ${answered}`);
    assert.equal(await rig.haproxyPid(), pid);
    await rig.apply(wish());
    const { groups } = rig.balancer.metrics();
    assert.ok((groups.find((one) => one.id === 'g')?.responses['2xx'] ?? 0) >= answered);
  });
});

async function upAll(rig: Rig, wish: Pick<TrafficDesired, 'listeners' | 'groups'>): Promise<void> {
  await until(async () => (await rig.apply(wish)).targets.every((one) => one.status === 'up'));
}
