/**
 * A load balancer with 1,000 targets and 100 rules, and a thousand rounds of registering and deregistering under a steady load, with the real HAProxy. Smaller by
 * BERTH_SOAK_TARGETS and BERTH_SOAK_ROUNDS.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { clock, check, forward, group, listener, request, startRig, until } from '#balancer/testing.ts';
import type { Rig } from '#balancer/testing.ts';
import type { TargetDesired } from '#balancer/types.ts';

const TARGETS = Number(process.env['BERTH_SOAK_TARGETS'] ?? 1000);
const ROUNDS = Number(process.env['BERTH_SOAK_ROUNDS'] ?? 1000);
const RULES = 100;

describe(`${TARGETS} targets, ${RULES} rules, ${ROUNDS} rounds`, { concurrency: false, timeout: 3_600_000 }, () => {
  let rig: Rig;
  let port = 0;
  const servers: Server[] = [];
  const targets: TargetDesired[] = [];
  before(async () => {
    rig = await startRig();
    [port = 0] = rig.ports;
    const shared = await rig.serve((_req, res) => res.end('0'));
    targets.push({ ip: '127.0.0.1', port: shared, registeredAt: 0, drainUntil: null, unhealthy: false });
    for (let at = 1; at < TARGETS; at++) {
      const ip = `127.77.${at >> 8}.${at & 255}`;
      const server = createServer((_req, res) => res.end(String(at))).listen(shared, ip);
      await once(server, 'listening');
      servers.push(server);
      targets.push({ ip, port: shared, registeredAt: 0, drainUntil: null, unhealthy: false });
    }
  });
  after(async () => {
    await rig?.close();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  const rules = Array.from({ length: RULES }, (_, at) => ({
    id: `r${at}`,
    conditions: [{ field: 'path-pattern' as const, values: [`/rule${at}/*`] }],
    route: { kind: 'fixed' as const, status: 200, contentType: 'text/plain', body: `rule ${at}` },
  }));
  const wish = (now: TargetDesired[]) => ({
    listeners: [listener('l1', port, { rules, otherwise: forward('g') })],
    groups: [group('g', { targets: now, check: { ...check, intervalSeconds: 30 } })],
  });

  it('all come up, each gets requests, rules decide, and a look takes little time', async () => {
    const begun = clock.now();
    await until(async () => (await rig.apply(wish(targets))).targets.every((one) => one.status === 'up'));
    const upMs = clock.now() - begun;
    const bodies = new Set<string>();
    for (let at = 0; at < TARGETS * 2; at++) bodies.add((await request(port)).body);
    assert.equal(bodies.size, TARGETS);
    assert.equal((await request(port, `/rule${RULES - 1}/x`)).body, `rule ${RULES - 1}`);
    const looks: number[] = [];
    for (let at = 0; at < 20; at++) {
      const from = clock.now();
      await rig.apply(wish(targets));
      looks.push(clock.now() - from);
    }
    console.log(JSON.stringify({ targets: TARGETS, upMs, lookMs: looks.toSorted((a, b) => a - b)[10] }));
  });

  it('rounds of registering and deregistering lose nothing', async () => {
    const [stays, ...come] = targets.slice(0, 4);
    assert.ok(stays);
    await until(async () => (await rig.apply(wish([stays]))).targets.every((one) => one.status === 'up'));
    const pid = await rig.haproxyPid();
    let running = true;
    const counts = { answered: 0, failed: 0 };
    const client = async () => {
      while (running) {
        if ((await request(port)).status === 200) counts.answered += 1;
        else counts.failed += 1;
      }
    };
    const clients = [client(), client()];
    try {
      for (let round = 1; round <= ROUNDS; round++) {
        const here = come.map((one) => ({ ...one, registeredAt: round }));
        await until(async () => (await rig.apply(wish([stays, ...here]))).targets.every((one) => one.status === 'up'));
        const leaving = wish([stays, ...here.map((one) => ({ ...one, drainUntil: clock.now() + 60_000 }))]);
        await until(async () => (await rig.apply(leaving)).targets.every((one, at) => at === 0 || one.status === 'absent'));
      }
    } finally {
      running = false;
      await Promise.all(clients);
    }
    console.log(JSON.stringify({ rounds: ROUNDS, ...counts }));
    assert.equal(counts.failed, 0, JSON.stringify(counts));
    assert.equal(await rig.haproxyPid(), pid, 'no reload');
  });
});
