import { it } from 'node:test';
import { realClock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import type { Delivery } from '#domain/event.ts';
import { createSqliteStore } from '#store/index.ts';
import { startDeliveriesLoop } from './deliveries-loop.ts';

const delivery = (rule: string, n: number): Delivery => ({
  id: `${rule}/${n}`,
  account: '123456789012',
  region: 'us-east-1',
  sourceArn: `arn:aws:events:us-east-1:123456789012:rule/${rule}`,
  sourceName: rule,
  target: { id: 't', arn: 'arn', roleArn: null, input: {}, maxAttempts: 0, maxAgeMs: 3_600_000, deadLetterArn: null, parameters: {}, front: {} },
  event: { version: '0', id: String(n), 'detail-type': 'd', source: 's', account: '123456789012', time: '', region: 'us-east-1', resources: [], detail: {} },
  at: Date.now(),
  dueAt: 0,
  attempts: 0,
  alarm: null,
}); // prettier-ignore

it('a target that hangs holds up no other, however much waits for it', { timeout: 60_000 }, async () => {
  const store = await createSqliteStore({ path: ':memory:' });
  const [hanging, arrived] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const deliver = async (batch: readonly Delivery[]) => {
    if (batch[0]?.sourceName === 'hangs') await hanging.promise;
    else arrived.resolve();
    return batch.map(() => ({ ok: true as const }));
  };
  await store.write(async (tx) => {
    const most = limits.eventDeliveryBatch * limits.eventTargetsAtOnce;
    for (let n = 0; n <= most; n++) await tx.eventDeliveries.put(delivery('hangs', n));
    await tx.eventDeliveries.put({ ...delivery('flows', 0), dueAt: 1 });
  });
  const sources = { keepMs: 0, deliver, describeTask: () => Promise.reject(new Error('nobody asks')) };
  const loop = startDeliveriesLoop({ store, clock: realClock(), random: realRandom(), log: silentLog, sources }, 'test');
  try {
    await arrived.promise;
  } finally {
    hanging.resolve();
    await loop.stop();
    await store.close();
  }
});
