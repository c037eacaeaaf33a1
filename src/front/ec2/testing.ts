/** For tests: EC2's API behind a real gateway, over an empty store with one host. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EC2 } from '@aws-sdk/client-ec2';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { authorizeRoot, createGateway, openKeys } from '#gateway/index.ts';
import { ensureRegion } from '#intent/index.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { createEc2Api } from './index.ts';

export const testScope = { account: '123456789012', region: 'us-east-1' };

export type Ec2Bench = { store: Store; ec2: EC2; clientOf(region: string): EC2; close(): Promise<void> };

/** `occupied`: what the host says that its machine uses itself. */
export async function startEc2(occupied: string[] = []): Promise<Ec2Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-ec2-'));
  const deps = { clock: realClock(), random: realRandom(), log: silentLog };
  const store = await createSqliteStore({ path: ':memory:' });
  await putHost(store, occupied);
  const keys = openKeys(deps, { path: join(folder, 'keys.json'), account: testScope.account });
  const gateway = createGateway({
    ...deps,
    apis: [createEc2Api({ store, ...deps })],
    keys,
    authorize: authorizeRoot,
    version: 'test',
    beforeCall: (context) => ensureRegion({ store, ...deps }, context),
  });
  const port = await gateway.listen({ host: '127.0.0.1', port: 0 });
  const clientOf = (region: string) => new EC2({ endpoint: `http://127.0.0.1:${port}`, region, maxAttempts: 1, credentials: keys.root });
  const ec2 = clientOf(testScope.region);
  return {
    store,
    ec2,
    clientOf,
    async close() {
      ec2.destroy();
      await gateway.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function putHost(store: Store, occupiedCidrs: string[]): Promise<void> {
  const info = {
    hostname: 'h',
    arch: 'amd64' as const,
    cpuMillis: 1000,
    memoryBytes: 1,
    reserveBytes: 0,
    isolation: [],
    strictCapacity: false,
    occupiedCidrs,
    cidrSeed: 0,
  };
  const usage = { freeMemoryBytes: 1, freeDiskBytes: 1, loadPercent: 0, tasks: 0, sandboxes: [] };
  await store.write((tx) => tx.hosts.put({ key: { hostId: 'h' }, info, usage, status: 'CONNECTED', seenAt: 0 }, 0));
}
