/** berth's own API through the real gateway and the command line's signing client; the host is a handler on a real in-memory link. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, it } from 'node:test';
import { realClock } from '#base/clock.ts';
import { Fault, isFault } from '#base/fault.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { openCertificates } from '#certificates/index.ts';
import { createClient } from '#cli/client.ts';
import type { Client } from '#cli/client.ts';
import { authorizeRoot, createGateway, openKeys } from '#gateway/index.ts';
import type { Gateway } from '#gateway/index.ts';
import { memoryNetwork } from '#link/memory.ts';
import { hostOps } from '#link/operations.ts';
import type { ControlConnection, HostConnection } from '#link/types.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { createBerthApi, createBerthStreams } from './index.ts';

const MIB = 1024 * 1024;
const clock = realClock();
const random = realRandom();
const folder = mkdtempSync(join(tmpdir(), 'berth-api-'));
const digest = `sha256:${'ab'.repeat(32)}`;
const received: Buffer[] = [];
const certificateDirs = { dir: join(folder, 'certificates'), bundleDir: join(folder, 'bundles'), instance: 'abcdef' };
let store: Store;
let gateway: Gateway;
let client: Client;
let endpoint: string;
let pauses = 0;
/** How the host's return is waited for; null while it is there. */
let away: (() => Promise<void>) | null = null;
let connection: HostConnection;

before(async () => {
  store = await createSqliteStore({ path: join(folder, 'berth.db') });
  await store.write((tx) => tx.hosts.put(hostRecord(), 0));
  const network = memoryNetwork(clock);
  const dialled = Promise.withResolvers<ControlConnection>();
  network.listen().onConnection(dialled.resolve);
  connection = await network.dialer().dial();
  answerAsHost(connection);
  const toHost = await dialled.promise;
  const deps = {
    store,
    clock,
    hosts: {
      connected: () => (away === null ? ['host-1'] : []),
      returned: async () => await away?.(),
      request: (_id: string, ...call: Parameters<ControlConnection['request']>) => toHost.request(...call),
      openStream: async () => toHost.openStream(),
    },
    authority: (await openCertificates({ clock, random }, certificateDirs)).authority,
    facts: {
      version: '1',
      instance: 'abcdef',
      endpointUrl: 'http://x',
      endpoint: { listen: '127.0.0.1', port: 8080 },
      strictCapacity: false,
      isolation: 'auto',
    },
    traffic: () => ({ at: 5, listeners: [{ id: 'nobodys', requests: 1 }], groups: [] }),
    pausePlacement: () => void pauses++,
    masterKeys: { keys: () => [], rotate: () => ({ id: 'a' }), rewrap: () => undefined },
  };
  const keys = openKeys({ clock, random }, { path: join(folder, 'keys.json'), account: '123456789012' });
  gateway = createGateway({
    apis: [createBerthApi(deps, { store, clock, random })],
    streamRoutes: createBerthStreams(deps),
    keys,
    authorize: authorizeRoot,
    clock,
    random,
    log: silentLog,
    version: '1',
  });
  endpoint = `http://127.0.0.1:${await gateway.listen({ host: '127.0.0.1', port: 0 })}`;
  client = createClient({ endpoint, region: 'eu-west-1', credentials: keys.root }, clock);
});

after(async () => {
  await gateway?.close();
  connection?.close('the test ends');
  await store?.close();
  rmSync(folder, { recursive: true, force: true });
});

function hostRecord() {
  return {
    key: { hostId: 'host-1' },
    info: {
      hostname: 'metal',
      arch: 'amd64' as const,
      cpuMillis: 2000,
      memoryBytes: 8 * 1024 * MIB,
      reserveBytes: 256 * MIB,
      isolation: [{ kind: 'container' as const, works: true, reason: 'tried', accelerator: null, auto: true }],
      strictCapacity: false,
      occupiedCidrs: ['10.0.0.0/8'],
      cidrSeed: 0,
    },
    usage: { freeMemoryBytes: MIB, freeDiskBytes: MIB, loadPercent: 3, tasks: 0, sandboxes: [] },
    status: 'CONNECTED' as const,
    seenAt: 1,
  };
}

function answerAsHost(host: HostConnection): void {
  host.handle(hostOps.imageList, async () => ({ images: [{ refs: ['nginx'], digest, sizeBytes: 5 }] }));
  host.handle(hostOps.imageRemove, async (body) => {
    const { ref } = body as { ref: string };
    if (ref !== 'nginx') throw new Fault('ResourceNotFound', `there is no image '${ref}'`);
    return { freedBytes: 7 };
  });
  host.handle(hostOps.imagePrune, async (body) => ({ removed: [String((body as { all: boolean }).all)], freedBytes: 0 }));
  host.handle(hostOps.imagePull, async (body, { stream }) => {
    const { ref } = body as { ref: string };
    if (ref === 'absent')
      throw new Fault('CannotPullContainer', 'CannotPullContainerError: pull image manifest has been retried 1 time(s)');
    for (const bytes of [1, 2]) {
      await stream?.write(Buffer.from(`${JSON.stringify({ stage: 'download', layer: 'l', bytes, totalBytes: 2 })}\n`));
    }
    stream?.end();
    return { ref: `docker.io/library/${ref}`, digest, exposedPorts: ['80/tcp'] };
  });
  host.handle(hostOps.imageImport, async (body, { stream }) => {
    const { ref } = body as { ref: string };
    if (ref === 'bad') throw new Fault('InvalidParameter', 'this is no image archive');
    for await (const chunk of stream?.read() ?? []) received.push(chunk);
    stream?.end();
    return { image: { refs: [ref], digest, sizeBytes: 9 } };
  });
}

const all = async (lines: AsyncIterable<unknown>): Promise<unknown[]> => {
  const out: unknown[] = [];
  for await (const line of lines) out.push(line);
  return out;
};

it('describes the platform with the default network of the caller’s region', async () => {
  const platform = await client.call('berth', 'DescribePlatform', {});
  assert.equal(platform.account, '123456789012');
  assert.equal(platform.region, 'eu-west-1');
  assert.deepEqual(platform.endpoint, { listen: '127.0.0.1', port: 8080 });
  assert.match(platform.network.vpcId, /^vpc-/);
  assert.equal(platform.network.subnetIds.length, 3);
  assert.equal(platform.network.securityGroupIds.length, 1);
});

it('describes hosts, and lists, removes and prunes their images', async () => {
  const { hosts } = await client.call('berth', 'DescribeHosts', {});
  assert.equal(hosts[0].info.hostname, 'metal');
  assert.equal(hosts[0].autoIsolation, 'container');
  assert.deepEqual((await client.call('berth', 'ListImages', {})).images, [{ refs: ['nginx'], digest, sizeBytes: 5 }]);
  assert.deepEqual(await client.call('berth', 'RemoveImage', { image: 'nginx' }), { freedBytes: 7 });
  assert.deepEqual(await client.call('berth', 'PruneImages', {}), { removed: ['false'], freedBytes: 0 });
  await assert.rejects(client.call('berth', 'RemoveImage', { image: 'other' }), (error) => isFault(error, 'ResourceNotFound'));
  await assert.rejects(client.call('berth', 'RemoveImage', {}), (error) => isFault(error) && error.details['status'] === 400);
});

it('tells a host by its connection, not by its record, and waits for it', async () => {
  const back = Promise.withResolvers<void>();
  away = () => back.promise;
  try {
    const { hosts } = await client.call('berth', 'DescribeHosts', {});
    assert.deepEqual([hosts[0].hostId, hosts[0].status], ['host-1', 'DISCONNECTED']);
    let answered = false;
    const images = client.call('berth', 'ListImages', {}).finally(() => (answered = true));
    await client.call('berth', 'DescribePlatform', {});
    assert.equal(answered, false);
    back.resolve();
    assert.equal((await images).images.length, 1);
    away = () => Promise.reject(new Fault('Unavailable', 'host host-1 is not connected'));
    await assert.rejects(client.call('berth', 'ListImages', {}), (error) => isFault(error, 'Unavailable'));
  } finally {
    away = null;
  }
  assert.equal((await client.call('berth', 'DescribeHosts', {})).hosts[0].status, 'CONNECTED');
});

it('streams a pull’s progress and its result', async () => {
  const lines = await all(client.stream('POST', '/_berth/images/pull', { ref: 'nginx', check: 'always' }));
  assert.deepEqual(lines, [
    { progress: { stage: 'download', layer: 'l', bytes: 1, totalBytes: 2 } },
    { progress: { stage: 'download', layer: 'l', bytes: 2, totalBytes: 2 } },
    { image: { ref: 'docker.io/library/nginx', digest, exposedPorts: ['80/tcp'], sizeBytes: 5 } },
  ]);
});

it('tells why a pull failed', async () => {
  await assert.rejects(
    all(client.stream('POST', '/_berth/images/pull', { ref: 'absent' })),
    (error) => isFault(error, 'CannotPullContainer') && error.message.startsWith('CannotPullContainerError: '),
  );
  await assert.rejects(all(client.stream('POST', '/_berth/images/pull', {})), /'ref' is missing/);
});

it('uploads an archive much larger than any window, byte for byte', async () => {
  const blocks = Array.from({ length: 24 }, (_, index) => Buffer.alloc(MIB, index));
  const lines = await all(client.stream('POST', '/_berth/images/import', { ref: 'mine:1' }, Readable.from(blocks)));
  assert.deepEqual(lines.at(-1), { image: { ref: 'mine:1', exposedPorts: [], refs: ['mine:1'], digest, sizeBytes: 9 } });
  assert.ok(Buffer.concat(received).equals(Buffer.concat(blocks)));
});

it('answers an upload that the host refuses at once, without hanging', async () => {
  const endless = Readable.from(
    (function* () {
      for (let index = 0; index < 64; index++) yield Buffer.alloc(MIB);
    })(),
  );
  await assert.rejects(all(client.stream('POST', '/_berth/images/import', { ref: 'bad' }, endless)), /no image archive/);
});

it('refuses a wrong key and a task of somebody else', async () => {
  const stranger = createClient({ endpoint, region: 'eu-west-1', credentials: { accessKeyId: 'AKIAX', secretAccessKey: 'y' } }, clock);
  await assert.rejects(stranger.call('berth', 'ListImages', {}), (error) => isFault(error) && error.details['status'] !== 200);
  await assert.rejects(client.call('berth', 'TailTask', { task: 'f'.repeat(32) }), (error) => isFault(error, 'ResourceNotFound'));
});

it('says that nobody answers when nobody does', async () => {
  const nobody = createClient(
    { endpoint: 'http://127.0.0.1:1', region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } },
    clock,
  );
  await assert.rejects(
    nobody.call('ecs', 'ListTasks', {}),
    (error) => isFault(error, 'Unavailable') && error.details['notRunning'] === true,
  );
});

it("gives the root of berth's own certificate authority", async () => {
  const told = await client.call('berth', 'DescribeCertificateAuthority', {});
  const root = new X509Certificate(told.certificate);
  assert.ok(root.ca && root.verify(root.publicKey));
  assert.deepEqual(
    [told.name, told.fingerprint, told.notAfter],
    ['berth local CA (abcdef)', root.fingerprint256, root.validToDate.getTime()],
  );
});

it('placement is paused on request', async () => {
  await client.call('berth', 'PausePlacement', {});
  assert.equal(pauses, 1);
});

it('counters of listeners and groups that nobody has are not told', async () => {
  const told = await client.call('berth', 'DescribeLoadBalancerMetrics', {});
  assert.deepEqual(told, { at: 5, loadBalancers: [], listeners: [], targetGroups: [] });
});

it('lists events by no more than an answer may have, and none twice', async () => {
  const scope = { account: '123456789012', region: client.region };
  const event = (n: number) => ({ version: '0' as const, id: String(n), 'detail-type': 'd', source: n % 2 === 0 ? 'even' : 'odd', ...scope, time: '', resources: [], detail: { text: 'x'.repeat(200_000) } }); // prettier-ignore
  await store.write(async (tx) => {
    for (let n = 0; n < 340; n++) await tx.events.add({ ...scope, bus: 'default', at: n, event: event(n) });
  });
  const idsOf = ({ events }: { events: { event: { id: string } }[] }) => events.map((one) => Number(one.event.id));
  const newest = idsOf(await client.call('berth', 'ListEvents', { limit: 500 }));
  assert.deepEqual([newest.length > 30, newest.length < 60, newest.at(-1)], [true, true, 339]);
  assert.deepEqual(idsOf(await client.call('berth', 'ListEvents', { limit: 3, source: 'even' })), [334, 336, 338]);
  const all: number[] = [];
  for (let after = 0; ;) {
    const answer = await client.call('berth', 'ListEvents', { after });
    if (answer.next === after) break;
    all.push(...idsOf(answer));
    after = answer.next;
  }
  assert.deepEqual(all, Array.from({ length: 340 }, (_, n) => n)); // prettier-ignore
});
