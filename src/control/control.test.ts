import { afterEach, beforeEach, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import type { EndpointDesired } from '#balancer/types.ts';
import { virtualClock } from '#base/clock.ts';
import type { VirtualClock } from '#base/clock.ts';
import { Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { silentLog } from '#base/log.ts';
import { seededRandom } from '#base/random.ts';
import type { HostInfo } from '#domain/records.ts';
import type { LogTarget } from '#domain/task-spec.ts';
import { newTaskObserved } from '#domain/task.ts';
import type { TaskDesired, TaskKey, TaskRecord } from '#domain/task.ts';
import { memoryNetwork } from '#link/memory.ts';
import type { MemoryNetwork } from '#link/memory.ts';
import { controlOps } from '#link/operations.ts';
import type { OutputBatch, TaskReport } from '#link/protocol.ts';
import type { FromControl, HostConnection } from '#link/types.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { taskDesired, taskKey } from '../../test/conformance/store.ts';
import { startControl } from './index.ts';
import type { Control } from './index.ts';

const MIB = 1024 ** 2;
const info: HostInfo = {
  hostname: 'h',
  arch: 'amd64',
  cpuMillis: 4000,
  memoryBytes: 8192 * MIB,
  reserveBytes: 0,
  isolation: [{ kind: 'container', works: true, reason: '', accelerator: null, auto: true }],
  strictCapacity: false,
  occupiedCidrs: [],
  cidrSeed: 0,
};
const usage = { freeMemoryBytes: 8192 * MIB, freeDiskBytes: 1e12, loadPercent: 0, tasks: 0, sandboxes: [] };
const log: LogTarget = { driver: 'awslogs', region: 'us-east-1', group: 'g', stream: 's', createGroup: false };

type World = {
  clock: VirtualClock;
  store: Store;
  network: MemoryNetwork;
  control: Control;
  applied: EndpointDesired[][];
  output: { batch: OutputBatch; targets: Record<string, LogTarget | null> }[];
  refuseOutput: boolean;
};
type ScriptedHost = {
  connection: HostConnection;
  heard: FromControl[];
  of<T extends FromControl['t']>(t: T): Extract<FromControl, { t: T }>[];
};

/** Lets time pass, then everything that is under way come to rest. */
async function settle(world: World, ms = 1): Promise<void> {
  await world.clock.advance(ms);
  for (let turn = 0; turn < 50; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

async function makeWorld(): Promise<World> {
  const clock = virtualClock();
  const store = await createSqliteStore({ path: ':memory:' });
  const scope = { account: '123456789012', region: 'us-east-1' };
  await store.write(async (tx) => {
    await tx.vpcs.put({ key: { ...scope, id: 'vpc-1' }, cidr: '10.0.0.0/16', isDefault: true, tags: [] }, 0);
    const subnet = {
      key: { ...scope, id: 'subnet-1' },
      vpcId: 'vpc-1',
      cidr: '10.0.16.0/20',
      zone: 'a',
      zoneId: 'a',
      isDefault: true,
      tags: [],
    };
    await tx.subnets.put(subnet, 0);
  });
  const world = { clock, store, network: memoryNetwork(clock), applied: [], output: [], refuseOutput: false } as unknown as World;
  world.control = await start(world, 'first');
  return world;
}

function start(world: World, holder: string): Promise<Control> {
  return startControl(
    {
      store: world.store,
      linkServer: world.network.listen(),
      clock: world.clock,
      random: seededRandom(1),
      log: silentLog,
      balancer: {
        apply: async (traffic) => {
          world.applied.push(traffic.endpoints);
          return { targets: [], missing: [], leaving: 0 };
        },
        onRestart: () => undefined,
        metrics: () => ({ at: 0, listeners: [], groups: [] }),
      },
      certificatesDir: '/nowhere',
      async onOutput(batch, targets) {
        if (world.refuseOutput) throw new Fault('Unavailable', 'the disk is full');
        world.output.push({ batch, targets });
      },
      async openLogStream(open) {
        if (open.target.group !== 'g') throw new Fault('ResourceNotFound', 'no such group');
      },
      protectTask: async () => ({ until: null }),
      taskCredentials: async () => assert.fail('no task here has a role'),
      taskSecrets: async () => assert.fail('no task here has secrets'),
    },
    { holder, soleOwner: true },
  );
}

async function joinHost(world: World, hostId = 'h1', known: string[] = [], versions = { min: 1, max: 1 }): Promise<ScriptedHost> {
  const connection = await world.network.dialer().dial();
  const heard: FromControl[] = [];
  connection.onMessage((message) => heard.push(message));
  connection.send({ t: 'hello', versions, hostId, info, usage, known });
  await settle(world);
  const of = <T extends FromControl['t']>(t: T) => heard.filter((m): m is Extract<FromControl, { t: T }> => m.t === t);
  return { connection, heard, of };
}

const container = (name: string) => ({ name, log, ports: [{ containerPort: 80, protocol: 'tcp', name: null }], environment: {} });
const spec = { ...taskDesired().spec, containers: [container('web')] } as unknown as TaskDesired['spec'];

async function insert(world: World, id: string, change: Partial<TaskDesired> = {}): Promise<TaskKey> {
  const desired = taskDesired({ createdAt: world.clock.now(), spec, ...change });
  await world.store.write((tx) => tx.tasks.insert(taskKey(id), desired, newTaskObserved(desired.spec)));
  await settle(world);
  return taskKey(id);
}

async function stopTask(world: World, key: TaskKey): Promise<void> {
  await world.store.write(async (tx) => {
    const task = await tx.tasks.get(key);
    assert.ok(task !== undefined);
    const stop = { code: 'UserInitiated' as const, reason: 'enough', at: world.clock.now() };
    await tx.tasks.setDesired(key, { ...task.desired, status: 'STOPPED', stop }, task.revision);
  });
  await settle(world);
}

async function read(world: World, id: string): Promise<TaskRecord> {
  const task = await world.store.read((tx) => tx.tasks.byId(id));
  assert.ok(task !== undefined);
  return task;
}

function report(taskId: string, seq: number, change: Partial<TaskReport> = {}): TaskReport {
  const { version: _v, connectivity: _c, ...observed } = newTaskObserved(spec);
  return { taskId, seq, ...observed, status: 'RUNNING', ...change };
}

describe('control', () => {
  let world: World;
  beforeEach(async () => {
    world = await makeWorld();
  });
  afterEach(async () => {
    await world.control.stop();
    await world.store.close();
  });
  const say = async (host: ScriptedHost, ...reports: TaskReport[]) => {
    host.connection.send({ t: 'status', reports });
    await settle(world);
  };

  test('a task is placed and assigned at once, whole, and again in every sync', async () => {
    const host = await joinHost(world);
    assert.deepEqual(host.heard.slice(0, 1), [{ t: 'welcome', version: 1, fence: 1, heartbeatMs: limits.heartbeatMs }]);
    await insert(world, 'a');
    const [assignment] = host.of('assign')[0]?.assignments ?? [];
    assert.ok(assignment !== undefined);
    assert.deepEqual(assignment.network, {
      vpcId: 'vpc-1',
      vpcCidr: '10.0.0.0/16',
      subnetId: 'subnet-1',
      subnetCidr: '10.0.16.0/20',
      gatewayIp: '10.0.16.1',
      eniId: assignment.network.eniId,
      ip: '10.0.16.4',
      mac: assignment.network.mac,
      hostname: 'ip-10-0-16-4.ec2.internal',
    });
    assert.match(assignment.network.eniId, /^eni-[0-9a-f]{17}$/);
    assert.match(assignment.network.mac, /^02(:[0-9a-f]{2}){5}$/);
    assert.equal(assignment.platformEnv['AWS_ENDPOINT_URL'], 'http://169.254.170.3');
    assert.equal(assignment.labels.taskArn, 'arn:aws:ecs:us-east-1:123456789012:task/default/a');
    await settle(world, limits.syncMs + 1);
    assert.deepEqual(host.of('sync').at(-1)?.assignments, [assignment]);
    assert.equal(host.of('assign').length, 1);
  });

  test('a task stopped before any host came is STOPPED; one whose host is there is told to it', async () => {
    const early = await insert(world, 'a');
    await stopTask(world, early);
    assert.equal((await read(world, 'a')).observed.status, 'STOPPED');
    const host = await joinHost(world);
    assert.deepEqual(host.of('sync')[0]?.assignments, []);
    const key = await insert(world, 'b');
    await stopTask(world, key);
    const last = host.of('assign').at(-1)?.assignments[0];
    assert.deepEqual([last?.key.id, last?.desired, last?.stop], ['b', 'STOPPED', { code: 'UserInitiated', reason: 'enough' }]);
  });

  test('while placement is paused new tasks wait, and those that are to stop do', async () => {
    const host = await joinHost(world);
    const placed = await insert(world, 'a');
    world.control.pausePlacement();
    const waits = await insert(world, 'b');
    assert.equal((await read(world, 'b')).placement, null);
    await stopTask(world, placed);
    assert.deepEqual(
      host
        .of('assign')
        .at(-1)
        ?.assignments.map((one) => [one.key.id, one.desired]),
      [['a', 'STOPPED']],
    );
    await stopTask(world, waits);
    assert.equal((await read(world, 'b')).observed.status, 'STOPPED');
  });

  test('reports are kept in order of seq, never go back, and STOPPED is forgotten once it is kept', async () => {
    const host = await joinHost(world);
    await insert(world, 'a');
    await say(host, report('a', 5, { startedAt: 7 }));
    await say(host, report('a', 4, { status: 'STOPPED', stoppedAt: 1 }));
    await say(host, report('a', 6, { status: 'PENDING' }));
    const running = await read(world, 'a');
    assert.deepEqual([running.observed.status, running.observed.startedAt, running.observed.version], ['RUNNING', 7, 2]);
    assert.deepEqual(host.of('forget'), []);
    const stop = { code: 'EssentialContainerExited' as const, reason: 'Essential container in task exited' };
    await say(host, report('a', 7, { status: 'STOPPED', stoppedAt: 9, stop }));
    assert.deepEqual((await read(world, 'a')).observed.stop, stop);
    assert.deepEqual(host.of('forget'), [{ t: 'forget', taskIds: ['a'] }]);
    await say(host, report('a', 7, { status: 'STOPPED', stoppedAt: 9, stop }), report('zzz', 1, { status: 'STOPPED' }));
    assert.deepEqual(host.of('forget').at(-1), { t: 'forget', taskIds: ['a', 'zzz'] });
  });

  test('a host can not speak for tasks of another host', async () => {
    const owner = await joinHost(world);
    await insert(world, 'a');
    const other = await joinHost(world, 'h2');
    await say(other, report('a', 9, { status: 'STOPPED', stoppedAt: 1 }));
    assert.equal((await read(world, 'a')).observed.status, 'PROVISIONING');
    const body = { key: taskKey('a'), container: 'web', target: log };
    await assert.rejects(other.connection.request(controlOps.logOpen, body, { timeoutMs: 1000 }), (e) => isFault(e, 'TaskNotFound'));
    assert.equal(await owner.connection.request(controlOps.logOpen, body, { timeoutMs: 1000 }), null);
  });

  test('output is acknowledged once it is taken, and again when it is repeated', async () => {
    const host = await joinHost(world);
    const key = await insert(world, 'a');
    const batch = { key, from: 0, to: 30, events: [{ container: 'web', source: 'stdout' as const, time: 1, text: 'hello', end: 30 }] };
    const send = async () => {
      host.connection.send({ t: 'output', batch });
      await settle(world);
    };
    world.refuseOutput = true;
    await send();
    assert.deepEqual(host.of('output-ack'), []);
    world.refuseOutput = false;
    await send();
    assert.deepEqual(world.output, [{ batch, targets: { web: log } }]);
    assert.deepEqual(host.of('output-ack'), [{ t: 'output-ack', taskId: 'a', to: 30 }]);
  });

  test('a batch of output is taken behind the one before it only, however they come', async () => {
    const host = await joinHost(world);
    const key = await insert(world, 'a');
    const batch = (from: number) => {
      const events = [{ container: 'web', source: 'stdout' as const, time: 1, text: `${from}`, end: from + 10 }];
      return { key, lane: 1, from, to: from + 10, acked: 0, events };
    };
    const send = async (...froms: number[]) => {
      for (const from of froms) host.connection.send({ t: 'output', batch: batch(from) });
      await settle(world);
    };
    const acks = () => host.of('output-ack').map(({ to }) => to);
    // The first was lost.
    await send(10, 20);
    assert.deepEqual(acks(), []);
    await send(0, 20, 10, 20);
    assert.deepEqual(acks(), [10, 20, 30]);
    world.refuseOutput = true;
    await send(30);
    world.refuseOutput = false;
    await send(40);
    assert.deepEqual(acks(), [10, 20, 30]);
    assert.deepEqual(
      world.output.flatMap(({ batch }) => batch.events.map(({ text }) => text)),
      ['0', '10', '20'],
    );
  });

  test('a silent host is disconnected with its tasks, and connected when it comes back; a task it lost is stopped', async () => {
    const host = await joinHost(world);
    await insert(world, 'a');
    await insert(world, 'b');
    await say(host, report('a', 1, { startedAt: 1 }), report('b', 1));
    await settle(world, 2 * limits.hostSilenceMs + 2 * limits.heartbeatMs);
    assert.equal((await world.store.read((tx) => tx.hosts.get({ hostId: 'h1' })))?.status, 'DISCONNECTED');
    assert.equal((await read(world, 'a')).observed.connectivity, 'DISCONNECTED');
    const back = await joinHost(world, 'h1', ['b']);
    const [a, b] = [await read(world, 'a'), await read(world, 'b')];
    assert.deepEqual([a.observed.status, a.observed.stop?.code], ['STOPPED', 'InfrastructureHealth']);
    assert.deepEqual([b.observed.status, b.observed.connectivity], ['RUNNING', 'CONNECTED']);
    assert.deepEqual(
      back.of('sync')[0]?.assignments.map((assignment) => assignment.key.id),
      ['b'],
    );
  });

  test('a host that stays silent loses its tasks once another one is there; should it come back it is told to end them', async () => {
    const host = await joinHost(world);
    await insert(world, 'a');
    await say(host, report('a', 1, { startedAt: 1 }));
    await settle(world, limits.hostLostMs + 2 * limits.hostSilenceMs);
    assert.deepEqual(
      [(await read(world, 'a')).observed.status, (await read(world, 'a')).observed.connectivity],
      ['RUNNING', 'DISCONNECTED'],
    );
    await joinHost(world, 'h2');
    await settle(world, limits.heartbeatMs + 1);
    const { observed } = await read(world, 'a');
    assert.deepEqual([observed.status, observed.stop?.code, observed.connectivity], ['STOPPED', 'InfrastructureHealth', 'DISCONNECTED']);
    assert.match(observed.stop?.reason ?? '', /not heard of for 5 minutes/);
    const back = await joinHost(world, 'h1', ['a']);
    assert.deepEqual(back.of('sync')[0]?.assignments, []);
    await say(back, report('a', 2));
    assert.equal((await read(world, 'a')).observed.status, 'STOPPED');
  });

  test('a host of another version is refused with a reason', async () => {
    const host = await joinHost(world, 'h9', [], { min: 7, max: 8 });
    assert.match(host.of('refused')[0]?.fault.message ?? '', /update the control plane$/);
    assert.equal(await world.store.read((tx) => tx.hosts.get({ hostId: 'h9' })), undefined);
  });

  test('endpoints and names follow the tasks', async () => {
    const host = await joinHost(world);
    await insert(world, 'a', { tags: [{ key: 'berth:endpoint', value: 'web' }] });
    assert.equal(world.applied.at(-1)?.[0]?.note.state, 'starting');
    await say(host, report('a', 1));
    assert.deepEqual(world.applied.at(-1)?.[0]?.targets, [{ id: 'a', ip: '10.0.16.4', port: 80 }]);
    assert.deepEqual(host.of('names').at(-1)?.names, { web: ['10.0.16.4'] });
  });

  test('more assignments than fit into a frame are still one whole sync', async () => {
    const front = { padding: 'x' };
    const labels = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`label-${n}`, 'y'.repeat(200)]));
    const big = { ...spec, containers: spec.containers.map((c) => ({ ...c, labels })) };
    for (let n = 0; n < 40; n++) await insert(world, `t${n}`, { spec: big, front });
    const host = await joinHost(world);
    await settle(world, limits.syncMs + 1000);
    const sync = host.of('sync').at(-1);
    const inAssigns = new Set(host.of('assign').flatMap((m) => m.assignments.map((a) => a.key.id)));
    assert.equal((sync?.assignments.length ?? 0) + (sync?.others.length ?? 0), 40);
    assert.ok((sync?.others.length ?? 0) > 0 && sync?.others.every((id) => inAssigns.has(id)));
  });

  test('a new control plane has a higher fence, and goes on where the old one stopped', async () => {
    const key = await insert(world, 'a');
    await world.control.stop();
    world.control = await start(world, 'second');
    const host = await joinHost(world);
    assert.equal(host.of('welcome')[0]?.fence, 1);
    await world.control.stop();
    world.control = await start(world, 'third');
    const again = await joinHost(world, 'h1', ['a']);
    assert.equal(again.of('welcome')[0]?.fence, 2);
    assert.equal(again.of('sync')[0]?.assignments[0]?.fence, 2);
    assert.equal((await read(world, key.id)).placement?.hostId, 'h1');
  });

  test('what is past its time is forgotten', async () => {
    const key = await insert(world, 'a');
    await stopTask(world, key);
    await settle(world, limits.stoppedTaskKeepMs + 120_000);
    assert.equal(await world.store.read((tx) => tx.tasks.byId('a')), undefined);
  });

  test('hosts can be called by the front doors', async () => {
    const host = await joinHost(world);
    host.connection.handle('ping', async (body) => ['pong', body]);
    assert.deepEqual(world.control.hosts.connected(), ['h1']);
    assert.deepEqual(await world.control.hosts.request('h1', 'ping', 1, { timeoutMs: 1000 }), ['pong', 1]);
    await assert.rejects(world.control.hosts.request('h2', 'ping', 1, { timeoutMs: 1000 }), (e) => isFault(e, 'Unavailable'));
  });

  test('a stream to a host that starts anew waits for it, for a moment', async () => {
    const host = await joinHost(world);
    host.connection.close('killed');
    await settle(world);
    const stream = world.control.hosts.openStream('h1');
    const returned = world.control.hosts.returned('h1');
    await settle(world, limits.hostReturnMs - 1000);
    const again = await joinHost(world);
    again.connection.handle('take', async (_body, given) => given !== undefined);
    assert.equal(await world.control.hosts.request('h1', 'take', null, { timeoutMs: 1000, stream: await stream }), true);
    await returned;
    const never = assert.rejects(
      world.control.hosts.openStream('h2'),
      (e) => isFault(e, 'Unavailable') && /h2 is not connected/.test(e.message),
    );
    await settle(world, limits.hostReturnMs);
    await never;
    const ended = assert.rejects(world.control.hosts.openStream('h2'), (e) => isFault(e, 'Unavailable'));
    await world.control.stop();
    await ended;
  });
});
