import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { silentLog } from '#base/log.ts';
import { memoryNetwork } from '#link/memory.ts';
import { hostOps } from '#link/operations.ts';
import type { ControlConnection, RequestHandler } from '#link/types.ts';
import { createSqliteStore } from '#store/index.ts';
import { claimRange, startRangesLoop } from './ranges-loop.ts';
import type { HostCalls } from './types.ts';

const CIDR = '10.7.0.0/16';

/** Hosts over links of their own; null: an agent of before, which knows nothing of ranges. */
async function setUp(agents: Record<string, RequestHandler | null>) {
  const clock = virtualClock();
  const store = await createSqliteStore({ path: ':memory:' });
  const key = { account: '123456789012', region: 'us-east-1', id: 'vpc-1' };
  await store.write((tx) => tx.vpcs.put({ key, cidr: CIDR, isDefault: true, tags: [] }, 0));
  const links = new Map<string, ControlConnection>();
  for (const [id, answer] of Object.entries(agents)) {
    const network = memoryNetwork(clock);
    network.listen().onConnection((connection) => void links.set(id, connection));
    const agent = await network.dialer().dial();
    if (answer !== null) for (const op of [hostOps.ranges, hostOps.rangeClaim]) agent.handle(op, answer);
  }
  const link = (id: string) => links.get(id) ?? assert.fail(`no host ${id}`);
  const hosts: HostCalls = {
    connected: () => [...links.keys()],
    request: (id, op, body, options) => link(id).request(op, body, options),
    returned: async (id) => void link(id),
    openStream: async (id) => link(id).openStream(),
  };
  return { clock, store, hosts };
}

test('every host is told, whatever another one says, and that one again later', async () => {
  const told: string[] = [];
  const { clock, store, hosts } = await setUp({
    former: null,
    ill: async () => {
      told.push('ill');
      if (told.filter((one) => one === 'ill').length < 2) throw new Fault('Unavailable', 'its disk is full');
      return null;
    },
    well: async (body) => {
      told.push(`well ${JSON.stringify(body)}`);
      return null;
    },
  });
  const loop = startRangesLoop({ store, clock, log: silentLog }, hosts);
  for (let n = 0; n < 20; n++) await clock.advance(500);
  await loop.stop();
  assert.deepEqual([...new Set(told)].toSorted(), ['ill', `well ${JSON.stringify({ cidrs: [CIDR] })}`]);
  assert.equal(told.filter((one) => one === 'ill').length, 2);
  await claimRange(hosts, CIDR);
  await store.close();
});
