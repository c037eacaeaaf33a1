/** For tests: the real holder of sockets with a real HAProxy, servers to be targets, and requests. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, get } from 'node:http';
import type { Agent, IncomingHttpHeaders, RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { freePort } from '#base/testing.ts';
import { createActivator } from './activator.ts';
import { createBalancer } from './balancer.ts';
import { renderHaproxy } from './render.ts';
import { parseShowInfo, createRuntimeApi } from './runtime.ts';
import type { Balancer, BalancerSeen, GroupDesired, ListenerDesired, TrafficDesired } from './types.ts';

export const clock = realClock();
const supervisor = fileURLToPath(new URL('../../.berth/bin/berth-supervisor', import.meta.url));

export type Rig = {
  dir: string;
  /** The front door's. */
  port: number;
  /** Of listeners, on 127.0.0.1. */
  ports: number[];
  balancer: Balancer;
  apply(change: Partial<TrafficDesired>): Promise<BalancerSeen>;
  /** A balancer that knows nothing, as after a restart of the control plane. */
  another(): Balancer;
  haproxyPid(): Promise<number>;
  /** Starts an HTTP server on loopback; its port. */
  serve(handler: RequestListener, port?: number): Promise<number>;
  log(): string;
  close(): Promise<void>;
};

export async function startRig(): Promise<Rig> {
  const dir = await mkdtemp(join(tmpdir(), 'berth-balancer-'));
  const [port = 0, ...ports] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const activator = createActivator();
  await activator.listen(`${dir}/act.sock`);
  const options = {
    listen: '127.0.0.1',
    port,
    configPath: `${dir}/haproxy.cfg`,
    statsSocket: `${dir}/run/s.sock`,
    holderSocket: `${dir}/h.sock`,
    activatorSocket: `${dir}/act.sock`,
    accessSocket: `${dir}/run/access.sock`,
    acmeDomain: null,
    threads: 2,
  };
  mkdirSync(`${dir}/run`);
  const none = { stamp: '', endpoints: [], aliases: [], listeners: [], groups: [] };
  writeFileSync(options.configPath, renderHaproxy({ ...options, maxFiles: 8000, ...none }));
  const args = [
    '--config',
    options.configPath,
    '--socket',
    options.holderSocket,
    ...[port, ...ports].flatMap((one) => ['--front', `127.0.0.1:${one}`]),
    '--uid',
    '0',
    '--gid',
    '0',
  ];
  const holder = spawn('sh', ['-c', `exec ${supervisor} balance ${args.join(' ')} -- /usr/sbin/haproxy 2>>${dir}/log`], {
    stdio: 'ignore',
  });
  const ended = once(holder, 'exit');
  const servers: Server[] = [];
  const another = () => createBalancer({ clock, log: silentLog }, options);
  const balancer = another();
  const runtime = createRuntimeApi(options.statsSocket, clock);
  const rig: Rig = {
    dir,
    port,
    ports,
    balancer,
    another,
    async apply(change) {
      const traffic = { endpoints: [], aliases: [], listeners: [], groups: [], ...change };
      activator.show(traffic.endpoints);
      return await balancer.apply(traffic);
    },
    haproxyPid: async () => parseShowInfo(await runtime.run(['show info'])).pid,
    async serve(handler, at = 0) {
      const server = createServer(handler).listen(at, '127.0.0.1');
      await once(server, 'listening');
      servers.push(server);
      return (server.address() as AddressInfo).port;
    },
    log: () => readFileSync(`${dir}/log`, 'utf8'),
    async close() {
      holder.kill('SIGTERM');
      await ended;
      await activator.close();
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
  await until(async () => (await request(port, '/', { host: 'x.localhost' })).status > 0).catch(async (error: unknown) => {
    const said = rig.log();
    await rig.close();
    throw new Error(`HAProxy did not come up: ${said}`, { cause: error });
  });
  return rig;
}

export const check = {
  protocol: 'HTTP',
  http2: false,
  grpc: false,
  port: null,
  path: '/health',
  matcher: '200-299',
  intervalSeconds: 1,
  timeoutSeconds: 1,
  healthy: 2,
  unhealthy: 2,
} as const;

export function group(id: string, change: Partial<GroupDesired> = {}): GroupDesired {
  const base = {
    mode: 'http',
    tls: false,
    http2: false,
    balance: 'roundrobin',
    stickiness: null,
    slowStartSeconds: 0,
    idleSeconds: 60,
  } as const;
  return { id, ...base, check, targets: [], ...change };
}

export const target = (port: number, drainUntil: number | null = null, unhealthy = false) => ({ ip: '127.0.0.1', port, registeredAt: 0, drainUntil, unhealthy }); // prettier-ignore

export const forward = (...ids: string[]) => ({
  kind: 'forward' as const,
  groups: ids.map((id) => ({ id, weight: 1 })),
  stickySeconds: null,
});

export function listener(id: string, port: number, change: Partial<ListenerDesired> = {}): ListenerDesired {
  const address = '127.0.0.1';
  const base = {
    mode: 'http',
    tls: null,
    rules: [],
    idleSeconds: 60,
    keepAliveSeconds: 3600,
    forwardedFor: 'append',
    dropInvalidHeaders: false,
    accessLog: null,
  } as const;
  return { id, address, port, ...base, rules: [], otherwise: { kind: 'fixed', status: 404, contentType: null, body: null }, ...change };
}

export type Seen = { status: number; body: string; headers: IncomingHttpHeaders };

/** Status 0: no answer. */
export function request(
  port: number,
  path = '/',
  headers: Record<string, string> = {},
  options: { host?: string; method?: string; agent?: Agent; localAddress?: string } = {},
): Promise<Seen> {
  return new Promise((resolve) => {
    const nothing = () => resolve({ status: 0, body: '', headers: {} });
    const how = { host: '127.0.0.1', method: 'GET', agent: false as const, ...options };
    const req = get({ ...how, port, path, headers }, (res) => {
      let body = '';
      res.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body, headers: res.headers }));
      res.on('error', nothing);
    });
    req.on('error', nothing);
    req.setTimeout(10_000, () => req.destroy());
  });
}

/** Waits for a condition, at most twenty seconds. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = clock.now() + 20_000;
  while (!(await holds())) {
    assert.ok(clock.now() < deadline, 'the condition did not come true within 20 s');
    await clock.sleep(20);
  }
}
