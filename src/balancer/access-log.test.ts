/** Access logs: how HAProxy is told to write them (golden file), what is made of its lines, and both together with the real HAProxy. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { createConnection, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import { silentLog } from '#base/log.ts';
import { createAccessLog } from './access-log.ts';
import type { AccessLog, AccessLogEvent } from './access-log.ts';
import { accessLogLine } from './access-format.ts';
import { parseAccessLine } from './access-line.ts';
import { createLatencies } from './latency.ts';
import { renderHaproxy } from './render.ts';
import { check, clock, forward, group, listener, request, startRig, target, until } from './testing.ts';
import type { Rig } from './testing.ts';
import type { AccessLogDesired, ListenerDesired } from './types.ts';

const arn = (name: string) => `arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/${name}/0123456789abcdef`;
const accessLog: AccessLogDesired = {
  account: '123456789012',
  region: 'us-east-1',
  group: '/elb/access',
  balancer: 'app/web/50dc6c495c0c9188',
  balancerId: '50dc6c495c0c9188',
  certificateArns: [],
  priorities: { default: 0, r1: 10, r2: 20 },
  groupArns: { g1: arn('g1'), g4: arn('g4') },
};
const moved = { kind: 'redirect', protocol: 'HTTPS', host: '#{host}', port: '443', path: '/#{path}', query: '', status: 301 } as const;
const gone = { kind: 'fixed', status: 410, contentType: null, body: null } as const;
const rules = (change: Partial<ListenerDesired> = {}): Partial<ListenerDesired> => ({
  accessLog,
  otherwise: forward('g1'),
  rules: [
    { id: 'r1', conditions: [{ field: 'path-pattern', values: ['/old/*'] }], route: moved },
    { id: 'r2', conditions: [{ field: 'path-pattern', values: ['/gone'] }], route: gone },
  ],
  ...change,
});

it('the configuration is what the golden file says: listeners without an access log have none of it', async () => {
  const listeners = [
    listener('aaaa', 80, rules({ address: '172.31.0.9' })),
    listener('bbbb', 81, { address: '172.31.0.9', otherwise: forward('g1') }),
    listener('cccc', 5432, { address: '172.31.0.10', mode: 'tcp', idleSeconds: 350, otherwise: forward('g4'), accessLog }),
  ];
  const sockets = { statsSocket: '/tmp/stats.sock', activatorSocket: '/tmp/activator.sock', accessSocket: '/tmp/access.sock' };
  const rest = { listen: '127.0.0.1', port: 8080, acmeDomain: null, maxFiles: 10_000, threads: 2, stamp: '', endpoints: [], aliases: [] };
  const groups = [group('g1'), group('g4', { mode: 'tcp', check: { ...check, protocol: 'TCP' } })].map((one) => ({ group: one, up: [] }));
  const spec = { ...sockets, ...rest, groups, listeners: listeners.map((one, at) => ({ ...one, fd: 101 + at, crtList: null })) };
  assert.equal(renderHaproxy(spec), await readFile(new URL('./golden/access-log.cfg', import.meta.url), 'utf8'));
  const silent = renderHaproxy({ ...spec, listeners: spec.listeners.map((one) => ({ ...one, accessLog: null })) });
  assert.doesNotMatch(silent, /access|log-|logurilen|txn\.rule/);
});

describe('a line', () => {
  const logged = { ...listener('l1', 443, rules()), accessLog };
  const tls = { certificates: [], minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', alpn: ['h2'] } as const;
  const seen = (line: string) => {
    const parsed = parseAccessLine(line);
    assert.ok(parsed, line);
    return parsed;
  };

  it("of HTTP/2 over TLS becomes one in AWS's format", () => {
    const line =
      'h1 l_l1 tg_g1 192.168.131.39 2817 10.0.0.1 80 1530568800 100 40 46 1 0 2 48 37 88 200 5 257 ---- GET HTTP/2.0 ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 ' +
      String.raw`"default" "" "www.example.com" "" "" "www.example.com" "cu\"rl\\ é" "https://www.example.com/a?b=#22#231"`;
    const one = { ...logged, tls: { ...tls, certificates: [], alpn: [] }, accessLog: { ...accessLog, certificateArns: ['arn:cert'] } };
    assert.equal(
      accessLogLine(seen(Buffer.from(line).toString('latin1')), one),
      'h2 2018-07-02T22:00:00.274000Z app/web/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.003 0.048 0.037 200 200 5 257 ' +
        String.raw`"GET https://www.example.com:443/a?b=\x22#1 HTTP/2.0" "cu\x22rl\x5c \xc3\xa9" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 ` +
        `${arn('g1')} "-" "www.example.com" "arn:cert" 0 2018-07-02T22:00:00.186000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"`,
    );
  });

  it('of a client that went away, and of what was no request', () => {
    const left =
      'h1 l_l1 tg_g1 10.0.0.9 1 10.0.0.1 80 1530568800 100 0 0 0 0 0 -1 -1 900 -1 5 0 CH-- GET HTTP/1.1 - - "default" "" "" "" "" "h" "" "/"';
    assert.match(accessLogLine(seen(left), logged), / 0\.000 -1 -1 460 - 5 0 "GET http:\/\/h:443\/ HTTP\/1\.1" "-" - - /);
    const bad =
      'h1 l_l1 l_l1 10.0.0.9 1 - - 1530568800 100 0 0 -1 -1 -1 -1 -1 1 400 0 90 PR-- <BADREQ> - - - "" "" "" "" "" "" "" "<BADREQ>"';
    assert.match(
      accessLogLine(seen(bad), logged),
      / - -1 -1 -1 400 - 0 90 "- - -" "-" - - - "-" "-" "-" - \S+ "-" "-" "-" "-" "-" "-" "-"$/,
    );
  });

  it('that was cut in its last field still is one; anything else is none', () => {
    const line =
      'h1 l_l1 tg_g1 10.0.0.9 1 10.0.0.1 80 1530568800 100 0 0 0 0 0 1 1 2 200 5 0 ---- GET HTTP/0.9 - - "default" "" "" "" "" "h" "a" "/xxx';
    assert.match(accessLogLine(seen(line), logged), /"GET http:\/\/h:443\/xxx HTTP\/1\.1"/);
    for (const text of [
      '',
      'Proxy l_l1 stopped',
      'h1',
      `${line.slice(0, 60)}`,
      line.replace('200', '"'),
      line.replace('1530568800', 'x'),
      't1 a b c',
    ]) {
      assert.equal(parseAccessLine(text), undefined, text);
    }
  });

  it("of a network load balancer's listener", () => {
    const line =
      't1 l_l1 tg_g4 72.21.218.154 51341 172.100.100.185 443 1530568800 100 2 0 1 5 98 246 ---- ECDHE-RSA-AES128-SHA TLSv1.2 "my.example" "h2"';
    const net = {
      ...logged,
      mode: 'tcp' as const,
      tls: { ...tls, certificates: [], alpn: [] },
      accessLog: { ...accessLog, balancer: 'net/n/1' },
    };
    assert.equal(
      accessLogLine(seen(line), net),
      'tls 2.0 2018-07-02T22:00:00 net/n/1 l1 72.21.218.154:51341 172.100.100.185:443 5 2 98 246 - - - ECDHE-RSA-AES128-SHA tlsv12 - my.example h2 - - 2018-07-02T22:00:00',
    );
  });
});

it('percentiles are those of the last minutes, within a tenth', async () => {
  const time = virtualClock();
  const latencies = createLatencies(time);
  for (let ms = 1; ms <= 1000; ms++) latencies.note('a', ms);
  const seen = latencies.of('a');
  assert.ok(seen);
  for (const [got, exact] of [[seen.p50, 500], [seen.p90, 900], [seen.p99, 990]] as const) assert.ok(Math.abs(got - exact) <= exact / 10, `${got}`); // prettier-ignore
  await time.advance((limits.latencyMinutes - 1) * 60_000);
  latencies.note('a', 0);
  assert.equal(latencies.of('a')?.count, 1001);
  await time.advance(60_000);
  assert.deepEqual(latencies.of('a'), { count: 1, p50: 0, p90: 0, p99: 0 });
  latencies.keep(new Set(['b']));
  assert.equal(latencies.of('a'), undefined);
});

describe('what comes to the socket', () => {
  const line =
    'h1 l_l1 tg_g1 10.0.0.9 1 10.0.0.1 80 1530568800 100 0 0 0 0 0 1 1 2 200 5 0 ---- GET HTTP/1.1 - - "default" "" "" "" "" "h" "a" "/"';
  let dir: string;
  before(async () => void (dir = await mkdtemp(join(tmpdir(), 'berth-access-'))));
  after(() => rm(dir, { recursive: true, force: true }));

  async function told(pieces: (string | Buffer)[], sink: (events: AccessLogEvent[]) => Promise<void>): Promise<AccessLog> {
    const access = createAccessLog({ clock, log: silentLog }, join(dir, 's.sock'), (_to, events) => sink(events));
    await access.show([listener('l1', 80, rules())]);
    const socket = createConnection(join(dir, 's.sock'));
    await once(socket, 'connect');
    // The other end may hang up.
    socket.on('error', () => undefined);
    for (const piece of pieces) await new Promise((resolve) => socket.write(piece, resolve));
    socket.end().resume();
    if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
    return access;
  }

  it('is taken however it is cut; a frame that is none or too long ends the connection, not more', async () => {
    const frame = `${line.length} ${line}`;
    const events: AccessLogEvent[] = [];
    const take = async (more: AccessLogEvent[]) => void events.push(...more);
    const each = [...`${frame}${frame}5 hello`];
    for (const bad of ['x', `${limits.accessLineBytes + 1} `, '99999999', '12:']) {
      const access = await told([...each, bad, frame], take);
      await access.close();
      assert.deepEqual([events.splice(0).length, access.counts()], [2, { dropped: 0, strange: 1 }], bad);
    }
  });

  it('is dropped and counted when nobody takes it', async () => {
    const access = await told([`${line.length} ${line}`], () => Promise.reject(new Error('full')));
    await access.close();
    assert.deepEqual(access.counts(), { dropped: 1, strange: 0 });
  });

  it('is dropped and counted past the bound, and goes on in batches that the logs take', async () => {
    const long = line.replace('"/"', `"/${'x'.repeat(7000)}"`);
    const frame = `${long.length} ${long}`;
    const count = Math.ceil(limits.accessQueueBytes / 7000) + 500;
    const sizes: number[] = [];
    const begun = Promise.withResolvers<void>();
    const access = await told(
      Array.from({ length: count }, () => frame),
      async (events) => {
        await begun.promise;
        sizes.push(events.reduce((sum, { message }) => sum + message.length + limits.logEventOverheadBytes, 0));
      },
    );
    begun.resolve();
    await access.close();
    assert.ok(access.counts().dropped > 0);
    assert.ok(Math.max(...sizes) <= limits.logPutBytes);
  });
});

describe('with the real HAProxy', { concurrency: false }, () => {
  let rig: Rig;
  let access: AccessLog;
  let lines: string[] = [];
  let wish: Parameters<Rig['apply']>[0] & { listeners: ListenerDesired[] };
  /** Answers of requests that are under way until a test gives them. */
  const held: (() => void)[] = [];
  const tcp = createServer((socket) => void socket.on('data', () => socket.end('bye')).on('error', () => undefined));
  const open = async () => {
    access = createAccessLog(
      { clock, log: silentLog },
      `${rig.dir}/run/access.sock`,
      async (_to, events) => void lines.push(...events.map((e) => e.message)),
    );
    await access.show(wish.listeners);
  };
  const apply = async (change: Partial<typeof wish> = {}) => {
    wish = { ...wish, ...change };
    await access.show(wish.listeners);
    return await rig.apply(wish);
  };
  const lineOf = async (text: string): Promise<string> => {
    await until(async () => lines.some((line) => line.includes(text)));
    return lines.find((line) => line.includes(text)) ?? '';
  };

  before(async () => {
    rig = await startRig();
    const [lb = 0, silent = 0, net = 0] = rig.ports;
    const port = await rig.serve((req, res) => {
      const answer = () => void res.end('hello');
      if (req.url === '/under-way') held.push(answer);
      else setTimeout(answer, Number(/slow=(\d+)/.exec(req.url ?? '')?.[1] ?? 0));
    });
    await once(tcp.listen(0, '127.0.0.1'), 'listening');
    const tcpTarget = target((tcp.address() as AddressInfo).port);
    wish = {
      listeners: [
        listener('l1', lb, rules()),
        listener('l2', silent, { otherwise: forward('g1') }),
        listener('l3', net, { mode: 'tcp', otherwise: forward('g4'), accessLog: { ...accessLog, balancer: 'net/n/1', balancerId: '1' } }),
      ],
      groups: [
        group('g1', { targets: [target(port)] }),
        group('g4', { mode: 'tcp', check: { ...check, protocol: 'TCP' }, targets: [tcpTarget] }),
      ],
    };
    await open();
    await until(async () => (await apply()).targets.every(({ status }) => status === 'up'));
  });
  after(async () => {
    await access?.close();
    await rig?.close();
    tcp.close();
  });

  it('each request is a line, with what answered it, and of a listener without a log there is none', async () => {
    const [lb = 0, silent = 0] = rig.ports;
    await request(silent, '/nobody-sees');
    await request(lb, '/one?a="b', { 'user-agent': 'te"st', host: 'x.example' });
    await request(lb, '/old/two', { host: 'x.example' });
    await request(lb, '/gone');
    const one = await lineOf('/one');
    const to = `127\\.0\\.0\\.1:${wish.groups?.[0]?.targets[0]?.port}`;
    assert.match(one, new RegExp(String.raw`^http \S+Z app/web/50dc6c495c0c9188 127\.0\.0\.1:\d+ ${to} 0\.\d{3} 0\.\d{3} 0\.\d{3} 200 200 \d+ \d+ "GET http://x\.example:${lb}/one\?a=\\x22b HTTP/1\.1" "te\\x22st" - - ${arn('g1')} "-" "-" "-" 0 \S+Z "forward" "-" "-" "${to}" "200" "-" "-"$`)); // prettier-ignore
    assert.match(
      await lineOf('/old/two HTTP'),
      / - -1 -1 -1 301 - .* 10 \S+Z "redirect" "https:\/\/x\.example:443\/old\/two" "-" "-" "-" "-" "-"$/,
    );
    assert.match(await lineOf('/gone'), / 410 - .* 20 \S+Z "fixed-response" /);
    assert.ok(!lines.some((line) => line.includes('nobody-sees')));
  });

  it('a URL of any length is cut, and what is no request is a line too', async () => {
    const [lb = 0] = rig.ports;
    await request(lb, `/long${'\\'.repeat(6000)}`);
    const long = await lineOf('/long');
    assert.ok(long.length > limits.accessUriBytes && long.length < 5 * limits.accessLineBytes);
    const socket = createConnection(lb, '127.0.0.1').on('error', () => undefined);
    socket.end('nonsense\r\n\r\n').resume();
    assert.match(await lineOf('"- - -"'), / 400 - /);
  });

  it('a connection of a network load balancer is a line', async () => {
    const socket = createConnection(rig.ports[2] ?? 0, '127.0.0.1');
    socket.write('hi');
    socket.resume();
    await once(socket, 'close');
    assert.match(
      await lineOf('net/n/1'),
      /^tcp 2\.0 \S+ net\/n\/1 l3 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+ \d+ - 2 3 - - - - - - - - - - \S+$/,
    );
  });

  it('latencies are told where the log is on', async () => {
    // Both count whole milliseconds, each its own.
    await request(rig.ports[0] ?? 0, '/slow=310');
    await lineOf('slow=310');
    const taken = access.takeAnswerTimes();
    assert.ok(
      [...(taken.get('g1') ?? [])].some(([ms, times]) => ms >= 300 && times >= 1),
      JSON.stringify([...taken]),
    );
    assert.ok(!taken.has('g4'));
    assert.equal(access.takeAnswerTimes().size, 0, 'each is told once');
    const metrics = access.withLatencies(rig.balancer.metrics());
    assert.ok((metrics.groups.find(({ id }) => id === 'g1')?.latencyMs?.p99 ?? 0) >= 270);
    assert.ok((metrics.loadBalancers?.find(({ id }) => id === '50dc6c495c0c9188')?.latencyMs.count ?? 0) >= 4);
    assert.equal(metrics.groups.find(({ id }) => id === 'g4')?.latencyMs, undefined);
    // HAProxy itself tells the longest between two looks, and each once.
    const longest = () => rig.balancer.metrics().groups.find(({ id }) => id === 'g1')?.responseMs.longest ?? [];
    await apply();
    assert.ok((longest().at(-1)?.ms ?? 0) >= 300, JSON.stringify(longest()));
    const known = longest().length;
    await apply();
    assert.equal(longest().length, known);
    const asked = performance.now();
    await request(rig.ports[0] ?? 0, '/slow=60');
    const tookMs = performance.now() - asked;
    await apply();
    const { ms } = longest().at(-1) ?? assert.fail();
    assert.ok(ms >= 50 && ms <= Math.ceil(tookMs), `${ms} of ${tookMs}`);
  });

  it('while nobody listens lines wait in the ring', async () => {
    await access.close();
    for (let at = 0; at < 20; at++) await request(rig.ports[0] ?? 0, `/waits-${at}-`);
    await open();
    for (let at = 0; at < 20; at++) await lineOf(`/waits-${at}-`);
  });

  it('a ring that is full holds nobody up, and goes on once somebody listens', async () => {
    const [lb = 0] = rig.ports;
    await access.close();
    lines = [];
    const long = 'x'.repeat(limits.accessUriBytes - 200);
    const count = Math.ceil((1.5 * limits.accessRingBytes) / long.length);
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    const seen = await Promise.all(Array.from({ length: count }, (_, at) => request(lb, `/full-${at}-${long}`, {}, { agent })));
    agent.destroy();
    assert.ok(seen.every(({ status }) => status === 200));
    await open();
    await until(async () => {
      await request(lb, '/after-full');
      return lines.some((line) => line.includes('/after-full'));
    });
    const kept = lines.filter((line) => line.includes('/full-')).length;
    assert.ok(kept > 0 && kept < count, `${kept} of ${count}`);
    // What did not fit HAProxy tells.
    const { dropped, strange } = access.counts();
    assert.ok(kept + dropped >= count && strange === 0, JSON.stringify({ kept, dropped, strange, count }));
  });

  it('over a reload each request is logged once: what the former process has under way, and what it hands over', async () => {
    const [lb = 0] = rig.ports;
    lines = [];
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const kept = { agent, localAddress: '127.0.0.2' };
    assert.equal((await request(lb, '/before', {}, kept)).status, 200);
    const slow = request(lb, '/under-way');
    await until(async () => held.length === 1);
    const pid = await rig.haproxyPid();
    const [first, ...others] = wish.listeners;
    assert.ok(first);
    await apply({
      listeners: [
        { ...first, rules: [...first.rules, { id: 'r3', conditions: [{ field: 'path-pattern', values: ['/x'] }], route: gone }] },
        ...others,
      ],
    });
    assert.notEqual(await rig.haproxyPid(), pid);
    assert.equal((await request(lb, '/handed-over', {}, kept)).status, 200);
    held[0]?.();
    assert.equal((await slow).status, 200);
    agent.destroy();
    await request(lb, '/last');
    for (const path of ['/before', '/under-way', '/handed-over', '/last']) await lineOf(path);
    await clock.sleep(2 * limits.accessFlushMs);
    for (const path of ['/before', '/under-way', '/handed-over', '/last']) {
      assert.equal(lines.filter((line) => line.includes(path)).length, 1, path);
    }
    assert.match(await lineOf('/handed-over'), /^http \S+ \S+ 127\.0\.0\.2:0 /);
  });
});
