/** The bucket over a link whose other end is slow, wrong or silent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import type { Json } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { memoryNetwork } from '#link/memory.ts';
import { controlOps } from '#link/operations.ts';
import type { RequestHandler } from '#link/types.ts';
import { createBucketDoors } from './bucket-door.ts';
import { createUplink } from './uplink.ts';

async function setUp(handlers: Record<string, RequestHandler>) {
  const clock = virtualClock();
  const network = memoryNetwork(clock);
  network.listen().onConnection((connection) => {
    for (const [op, handler] of Object.entries(handlers)) connection.handle(op, handler);
  });
  const uplink = createUplink();
  const dialing = network.dialer().dial();
  await clock.advance(1);
  uplink.set(await dialing);
  const door = createBucketDoors({ uplink }).doorOf({ account: '1', region: 'r', id: 'fs-1' });
  return { clock, door, advance: (ms: number) => clock.advance(ms) };
}

test('a control plane that takes no bytes and says nothing is given up after its time', async () => {
  const { door, advance } = await setUp({ [controlOps.bucketPut]: () => new Promise<Json>(() => {}) });
  const size = limits.streamWindowBytes + 1;
  const body = async function* () {
    yield Buffer.alloc(size);
  };
  const refused = assert.rejects(door.put({ name: 'a', metadata: {}, size, replaces: null }, body()), { code: 'TimedOut' });
  await advance(limits.bucketTransferMs + 1);
  await refused;
});

test('directories count as objects do: there may be as many', async () => {
  const listing = (deep: number) =>
    setUp({
      [controlOps.bucketList]: async (_body, { stream }) => {
        const lines = Array.from({ length: limits.bucketObjects / 400 }, (_, n) => {
          const key = `${String(n).padStart(5, '0')}${'/x'.repeat(deep)}`;
          return `${JSON.stringify([key, 'e', 1, 1])}\n`;
        });
        void stream?.write(Buffer.from(lines.join(''))).then(
          () => stream.end(),
          () => {},
        );
        return { token: 't', prefix: '', exportAfterMs: 0 };
      },
    });
  const fits = await listing(400);
  const listed = fits.door.list(null);
  await fits.advance(1000);
  assert.equal((await listed)?.objects.size, limits.bucketObjects / 400);
  const { door, advance } = await listing(401);
  const refused = assert.rejects(door.list(null), { code: 'LimitExceeded', message: /give it a prefix/ });
  await advance(1000);
  await refused;
});
