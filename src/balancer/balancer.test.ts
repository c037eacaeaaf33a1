/** The balancer against a real HAProxy: what a user's request meets before, while and after a target answers. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { type Activator, createActivator } from './activator.ts';
import { createBalancer } from './balancer.ts';
import { renderHaproxy } from './render.ts';
import type { EndpointDesired } from './types.ts';

const clock = realClock();
const note = { state: 'starting', detail: 'task 1 pulls its image' } as const;

describe('render', () => {
  it('is what the golden file says', async () => {
    const text = renderHaproxy({
      listen: '127.0.0.1',
      port: 8080,
      statsSocket: '/run/berth/abc/haproxy.sock',
      activatorSocket: '/run/berth/abc/activator.sock',
      maxConnections: 20_000,
      backends: [
        { name: 'api', servers: [] },
        { name: 'web', servers: [{ id: '0123456789abcdef', ip: '172.31.0.5', port: 80 }] },
      ],
    });
    assert.equal(text, await readFile(new URL('./golden/two-endpoints.cfg', import.meta.url), 'utf8'));
  });
});

describe('balancer with a real HAProxy', { concurrency: false }, () => {
  let dir: string;
  let port: number;
  let haproxy: ChildProcess;
  let ended: Promise<unknown>;
  let activator: Activator;
  let balancer: ReturnType<typeof createBalancer>;
  const servers: Server[] = [];

  const start = async () => {
    haproxy = spawn('haproxy', ['-W', '-S', `${dir}/m.sock,mode,600`, '-f', `${dir}/haproxy.cfg`], { stdio: 'ignore' });
    ended = once(haproxy, 'exit');
    await until(async () => (await request(port, 'x.localhost')).status > 0);
  };
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'berth-balancer-'));
    port = await freePort();
    activator = createActivator();
    await activator.listen(`${dir}/act.sock`);
    balancer = createBalancer(
      { clock, log: silentLog },
      {
        listen: '127.0.0.1',
        port,
        configPath: `${dir}/haproxy.cfg`,
        statsSocket: `${dir}/s.sock`,
        masterSocket: `${dir}/m.sock`,
        activatorSocket: `${dir}/act.sock`,
      },
    );
    await balancer.writeInitial();
    await start();
  });
  after(async () => {
    haproxy.kill('SIGTERM');
    await ended;
    await activator.close();
    for (const server of servers) server.close();
    await rm(dir, { recursive: true, force: true });
  });

  const apply = async (endpoints: EndpointDesired[]) => {
    activator.show(endpoints);
    await balancer.apply(endpoints);
  };
  const target = async (body: string, at = 0): Promise<number> => {
    const server = createServer((_req, res) => res.end(body));
    server.listen(at, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
    return (server.address() as AddressInfo).port;
  };

  it('says which names there are to a name that nobody has', async () => {
    await apply([{ name: 'web', targets: [], note }]);
    const seen = await request(port, 'nope.localhost');
    assert.equal(seen.status, 404);
    assert.match(seen.body, /“nope”.*\nKnown here: web\.localhost/);
  });

  it('answers with a clear page until the port answers, then with the target, with no reload between', async () => {
    const targetPort = await freePort();
    await apply([{ name: 'web', targets: [{ id: 'aaaaaaaaaaaaaaaa', ip: '127.0.0.1', port: targetPort }], note }]);
    for (let i = 0; i < 10; i++) {
      const seen = await request(port, 'web.localhost');
      assert.equal(seen.status, 503);
      assert.equal(seen.body, '“web” is starting\ntask 1 pulls its image\n');
    }
    await target('hello from a', targetPort);
    await until(async () => (await request(port, `WEB.localhost:${port}`)).body === 'hello from a');
  });

  it('takes a new name in while the others answer without a gap', async () => {
    const web = { name: 'web', targets: [{ id: 'bbbbbbbbbbbbbbbb', ip: '127.0.0.1', port: await target('b') }], note };
    await apply([web]);
    await until(async () => (await request(port, 'web.localhost')).body === 'b');
    let reloading = true;
    let failures = 0;
    const load = (async () => {
      while (reloading) if ((await request(port, 'web.localhost')).body !== 'b') failures += 1;
    })();
    for (const name of ['one', 'two', 'three']) await apply([web, { name, targets: [], note }]);
    reloading = false;
    await load;
    assert.equal(failures, 0);
  });

  it('drops a target that is gone', async () => {
    await apply([{ name: 'web', targets: [], note: { state: 'stopped', detail: 'exit code 3' } }]);
    const seen = await request(port, 'web.localhost');
    assert.deepEqual([seen.status, seen.body], [503, '“web” is stopped\nexit code 3\n']);
  });

  it('brings a HAProxy that was killed and started again back in step', async () => {
    const web = { name: 'web', targets: [{ id: 'cccccccccccccccc', ip: '127.0.0.1', port: await target('c') }], note };
    await apply([web]);
    haproxy.kill('SIGKILL');
    await ended;
    await start();
    // Nobody tells the balancer: it sees the socket come.
    await until(async () => (await request(port, 'web.localhost')).body === 'c');
    await apply([web]);
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function request(port: number, host: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const req = get({ host: '127.0.0.1', port, agent: false, headers: { host } }, (res) => {
      let body = '';
      res.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body }));
      res.on('error', () => resolve({ status: 0, body: '' }));
    });
    req.on('error', () => resolve({ status: 0, body: '' }));
  });
}

/** Waits for a condition, at most ten seconds. */
async function until(check: () => Promise<boolean>): Promise<void> {
  const deadline = clock.now() + 10_000;
  while (!(await check())) {
    assert.ok(clock.now() < deadline, 'the condition did not come true within 10 s');
    await clock.sleep(20);
  }
}
