import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import type { Json } from '#base/fault.ts';
import { silentLog } from '#base/log.ts';
import { seededRandom } from '#base/random.ts';
import { controlOps, hostOps } from '#link/operations.ts';
import type { LogOpen, TaskTail } from '#link/operations.ts';
import { memoryNetwork } from '#link/memory.ts';
import type { OutputEvent, TaskReport } from '#link/protocol.ts';
import type { ControlConnection, LinkServer } from '#link/types.ts';
import type { HostUsage, SandboxPoolStatus } from '#domain/records.ts';
import type { SandboxDriver } from '#sandbox/driver.ts';
import { createFakeDriver, createFakeWorld } from '#sandbox/fake.ts';
import { createFakeVolumes } from '#volume/volumes.ts';
import type { LogTarget } from '#domain/task-spec.ts';
import { createHostAgent } from './agent.ts';
import type { HostAgent } from './agent.ts';
import { createMemoryJournal } from './journal.ts';
import { containerSpec, taskSpec } from '#domain/samples.ts';
import { assignmentOf, createFakeImages, createFakeNetwork, fakeHostInfo } from './testing.ts';

const ID = '0123456789abcdef0123456789abcdef';
const awslogs: LogTarget = { driver: 'awslogs', region: 'us-east-1', group: 'g', stream: 's', createGroup: false };

/** A machine whose agent can die and come back, and the control plane's end of its link. */
function rig() {
  const clock = virtualClock();
  const random = seededRandom(7);
  const network = memoryNetwork(clock);
  const world = createFakeWorld({ clock });
  const journal = createMemoryJournal();
  const images = createFakeImages();
  const reports = new Map<string, TaskReport[]>();
  const output: OutputEvent[] = [];
  const takenTo = new Map<string, number>();
  const pools: SandboxPoolStatus[] = [];
  const usages: HostUsage[] = [];
  let connection: ControlConnection | undefined;
  let server: LinkServer | undefined;
  const control = {
    acknowledges: true,
    logOpen: async (_body: LogOpen): Promise<void> => {},
    listen() {
      server = network.listen();
      server.onConnection((made) => {
        connection = made;
        made.handle(controlOps.logOpen, async (body) => {
          await control.logOpen(body as unknown as LogOpen);
          return null;
        });
        made.onMessage((message) => {
          if (message.t === 'hello' || message.t === 'heartbeat') usages.push(message.usage);
          if (message.t === 'hello') made.send({ t: 'welcome', version: 1, fence: 1, heartbeatMs: 5_000 });
          if (message.t === 'status')
            for (const report of message.reports) reports.set(report.taskId, [...(reports.get(report.taskId) ?? []), report]);
          if (message.t === 'output') take(made, message.batch);
        });
      });
    },
    async close() {
      await server?.close();
    },
  };
  const take = (made: ControlConnection, batch: { key: { id: string }; to: number; events: OutputEvent[] }) => {
    if (!control.acknowledges) return;
    const taken = takenTo.get(batch.key.id) ?? 0;
    output.push(...batch.events.filter((event) => event.end > taken));
    takenTo.set(batch.key.id, Math.max(taken, batch.to));
    made.send({ t: 'output-ack', taskId: batch.key.id, to: batch.to });
  };
  let agent: HostAgent | undefined;
  const start = async () => {
    agent = createHostAgent(
      {
        dialer: network.dialer(),
        drivers: [createFakeDriver(world, { clock }), ...pools.map((pool) => pooled(createFakeDriver(world, { clock }), pool))],
        images,
        network: createFakeNetwork(),
        volumes: createFakeVolumes(),
        journal,
        clock,
        random,
        log: silentLog,
        info: async () => fakeHostInfo(),
        usage: async () => ({ freeMemoryBytes: 8 * 1024 ** 3, freeDiskBytes: 1e12, loadPercent: 0 }),
        serveVpc: async () => {},
        setNames: () => {},
      },
      { hostId: 'h1', dir: '/nowhere' },
    );
    await agent.start();
    await clock.advance(100);
  };
  const crash = async () => {
    world.detachAll();
    await agent?.stop();
    agent = undefined;
  };
  return {
    clock,
    world,
    journal,
    images,
    control,
    output,
    pools,
    usages,
    start,
    crash,
    send: (message: Parameters<ControlConnection['send']>[0]) => connection?.send(message),
    request: async (op: string, body: Json) => {
      const answer = connection?.request(op, body, { timeoutMs: 1000 });
      await clock.advance(10);
      return answer;
    },
    last: (id: string) => reports.get(id)?.at(-1),
    statuses: (id: string) => [...new Set((reports.get(id) ?? []).map((report) => report.status))],
    reports,
    async up() {
      control.listen();
      await start();
    },
  };
}

/** A driver that has something ready. */
function pooled(driver: SandboxDriver, pool: SandboxPoolStatus): SandboxDriver {
  return { ...driver, status: () => pool };
}

function specOf(command: string[], change = {}) {
  return taskSpec({ containers: [containerSpec({ command, ...change })] });
}

test('a task goes through its states, and ends when its essential container does', async () => {
  const r = rig();
  await r.up();
  r.send({ t: 'assign', assignments: [assignmentOf(ID, { spec: specOf(['run-ms=1000', 'exit=3']) })] });
  await r.clock.advance(500);
  const running = r.last(ID);
  assert.equal(running?.status, 'RUNNING');
  assert.ok(running?.startedAt && running.pullStartedAt && running.pullStoppedAt && running.connectivityAt);
  assert.match(running.containers[0]?.runtimeId ?? '', /^[0-9a-f]{32}-\d{10}$/);
  assert.deepEqual([...r.images.pins().keys()], [ID]);
  await r.clock.advance(2000);
  const ended = r.last(ID);
  assert.equal(ended?.status, 'STOPPED');
  assert.deepEqual(ended?.stop, { code: 'EssentialContainerExited', reason: 'Essential container in task exited' });
  assert.equal(ended?.containers[0]?.exitCode, 3);
  assert.equal(ended?.containers[0]?.status, 'STOPPED');
  assert.deepEqual(r.world.alive(), []);
  assert.equal(r.images.pins().size, 0);
  assert.deepEqual(r.journal.ids(), [ID]);
  r.send({ t: 'forget', taskIds: [ID] });
  await r.clock.advance(1000);
  assert.deepEqual(r.journal.ids(), []);
  await r.crash();
});

test('what only a microVM may have is refused by the host too, and so is a kind that it does not have', async () => {
  const r = rig();
  await r.up();
  const [privileged = '', virtual = '', devices = ''] = ['1', '2', '3'].map((c) => c.repeat(32));
  const fuse = [{ hostPath: '/dev/fuse', containerPath: '/dev/fuse', permissions: 'rwm' }];
  r.send({
    t: 'assign',
    assignments: [
      assignmentOf(privileged, { spec: specOf(['run-ms=1000'], { privileged: true }) }),
      assignmentOf(virtual, { spec: { ...specOf(['run-ms=1000']), isolation: 'microvm' } }),
      assignmentOf(devices, { spec: specOf(['run-ms=1000'], { devices: fuse }) }),
    ],
  });
  await r.clock.advance(500);
  const ended = (id: string) => [r.last(id)?.status, r.last(id)?.stop?.reason, r.last(id)?.startedAt];
  const only = (what: string) =>
    `ResourceInitializationError: ${what} (container 'app') is not for a sandbox of the kind container, which this task's is`;
  assert.deepEqual(ended(privileged), ['STOPPED', only('privileged'), null]);
  assert.deepEqual(ended(devices), ['STOPPED', only('devices'), null]);
  assert.match(String(ended(virtual)[1]), /^ResourceInitializationError: this host can't isolate a task by "microvm"/);
  assert.deepEqual(r.world.alive(), []);
  await r.crash();
});

test('what stands ready for tasks to come is told with every heartbeat', async () => {
  const r = rig();
  const pool = { kind: 'gvisor' as const, ready: 2, memoryBytes: 7, templates: 0 };
  r.pools.push(pool);
  await r.up();
  assert.deepEqual(r.usages.at(-1)?.sandboxes, [pool]);
  pool.ready = 1;
  await r.clock.advance(6000);
  assert.equal(r.usages.at(-1)?.sandboxes[0]?.ready, 1);
  await r.crash();
});

test('a wish to stop ends a task in an orderly way, with the wish as its reason', async () => {
  const r = rig();
  await r.up();
  const spec = specOf(['stop-ms=700']);
  r.send({ t: 'assign', assignments: [assignmentOf(ID, { spec })] });
  await r.clock.advance(200);
  const stop = { code: 'UserInitiated', reason: 'enough' } as const;
  r.send({ t: 'assign', assignments: [assignmentOf(ID, { spec, desired: 'STOPPED', stop })] });
  await r.clock.advance(300);
  assert.equal(r.last(ID)?.status, 'STOPPING');
  await r.clock.advance(1000);
  assert.equal(r.last(ID)?.status, 'STOPPED');
  assert.deepEqual(r.last(ID)?.stop, stop);
  assert.equal(r.last(ID)?.containers[0]?.exitCode, 143);
  await r.crash();
});

test('what heeds no signal is killed after its time, and an OOM kill is said', async () => {
  const r = rig();
  await r.up();
  const deaf = specOf(['stop-ms=999999'], { stopTimeoutMs: 2000 });
  const hungry = 'f'.repeat(32);
  r.send({ t: 'assign', assignments: [assignmentOf(ID, { spec: deaf }), assignmentOf(hungry, { spec: specOf(['run-ms=50', 'oom']) })] });
  await r.clock.advance(500);
  r.send({ t: 'assign', assignments: [assignmentOf(ID, { spec: deaf, desired: 'STOPPED' })] });
  await r.clock.advance(3000);
  assert.equal(r.last(ID)?.containers[0]?.exitCode, 137);
  assert.deepEqual(r.last(ID)?.stop, { code: 'UserInitiated', reason: 'Task stopped by user' });
  assert.equal(r.last(hungry)?.containers[0]?.reason, 'OutOfMemoryError: Container killed due to memory usage');
  await r.crash();
});

test('failures to start say which step failed, in AWS words', async () => {
  const r = rig();
  await r.up();
  const ids = ['a', 'b', 'c', 'd'].map((c) => c.repeat(32));
  const [missing = '', command = '', create = '', group = ''] = ids;
  r.control.logOpen = async () => {
    throw new Fault('ResourceNotFound', 'The specified log group does not exist.');
  };
  r.send({
    t: 'assign',
    assignments: [
      assignmentOf(missing, { spec: specOf([], { image: 'missing/app:1' }) }),
      assignmentOf(command, { spec: specOf(['fail-start=exec: "x": not found']) }),
      assignmentOf(create, { spec: specOf(['fail-create=no space left on device']) }),
      assignmentOf(group, { spec: specOf([], { log: awslogs }) }),
    ],
  });
  await r.clock.advance(1000);
  for (const id of ids) {
    assert.equal(r.last(id)?.status, 'STOPPED');
    assert.equal(r.last(id)?.stop?.code, 'TaskFailedToStart');
    assert.equal(r.last(id)?.stop?.reason, r.last(id)?.containers[0]?.reason);
    assert.equal(r.last(id)?.startedAt, null);
  }
  const reason = (id: string) => r.last(id)?.stop?.reason ?? '';
  assert.match(
    reason(missing),
    /^CannotPullContainerError: pull image manifest has been retried 7 time\(s\): failed to resolve ref missing/,
  );
  assert.equal(reason(command), 'CannotStartContainerError: exec: "x": not found');
  assert.equal(reason(create), 'CannotCreateContainerError: no space left on device');
  assert.equal(
    reason(group),
    'ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch ' +
      'log stream: ResourceNotFoundException: The specified log group does not exist.',
  );
  assert.deepEqual(r.world.alive(), []);
  await r.crash();
});

test('a task that cannot be stopped while it waits for the control plane can', async () => {
  const r = rig();
  await r.up();
  r.control.logOpen = () => new Promise(() => {});
  const spec = specOf([], { log: awslogs });
  r.send({ t: 'assign', assignments: [assignmentOf(ID, { spec })] });
  await r.clock.advance(1000);
  assert.equal(r.last(ID)?.status, 'ACTIVATING');
  r.send({ t: 'assign', assignments: [assignmentOf(ID, { spec, desired: 'STOPPED', stop: { code: 'UserInitiated', reason: 'no' } })] });
  await r.clock.advance(20_000);
  assert.equal(r.last(ID)?.status, 'STOPPED');
  assert.equal(r.last(ID)?.stop?.code, 'UserInitiated');
  assert.equal(r.world.starts().size, 0);
  await r.crash();
});

test('output arrives once and whole although the control plane was away, and before the task is STOPPED', async () => {
  const r = rig();
  await r.up();
  const lines = Array.from({ length: 50 }, (_, n) => `line ${n}`);
  const spec = specOf([...lines.map((line) => `print=${line}`), 'print-ms=20', 'run-ms=1200'], { log: awslogs });
  r.send({ t: 'assign', assignments: [assignmentOf(ID, { spec })] });
  await r.clock.advance(300);
  assert.ok(r.output.length > 2 && r.output.length < 50);
  await r.control.close();
  await r.clock.advance(5000);
  assert.deepEqual(r.world.alive(), [ID], 'its spool is still needed');
  r.control.listen();
  await r.clock.advance(20_000);
  assert.deepEqual(
    r.output.map((event) => event.text),
    lines,
  );
  assert.equal(r.last(ID)?.status, 'STOPPED');
  const tail = (await r.request(hostOps.taskTail, { taskId: ID })) as unknown as TaskTail;
  assert.deepEqual(
    tail.lines.map((line) => line.text),
    lines.slice(-20),
  );
  await r.crash();
});

test('an agent that comes back takes its tasks back, and starts none twice', async () => {
  const r = rig();
  await r.up();
  const running = 'a'.repeat(32);
  const ending = 'b'.repeat(32);
  const log = { log: awslogs };
  r.send({
    t: 'assign',
    assignments: [
      assignmentOf(running, { spec: specOf(['print=one', 'print=two', 'print-ms=400'], log) }),
      assignmentOf(ending, { spec: specOf(['run-ms=1000', 'exit=5'], log) }),
    ],
  });
  await r.clock.advance(300);
  assert.equal(r.last(running)?.status, 'RUNNING');
  await r.crash();
  await r.clock.advance(3000);
  await r.start();
  await r.clock.advance(1000);
  assert.equal(r.last(running)?.status, 'RUNNING');
  assert.equal(r.last(ending)?.status, 'STOPPED');
  assert.equal(r.last(ending)?.containers[0]?.exitCode, 5);
  assert.deepEqual(
    r.output.map((event) => event.text),
    ['one', 'two'],
  );
  assert.deepEqual([...r.world.starts().values()], [1, 1]);
  const seqs = (r.reports.get(ending) ?? []).map((report) => report.seq);
  assert.deepEqual(
    seqs,
    seqs.toSorted((a, b) => a - b),
  );
  await r.crash();
});

test('after a reboot what ran is STOPPED with the reason, and what never ran is started', async () => {
  const r = rig();
  await r.up();
  const ran = 'a'.repeat(32);
  const waits = 'b'.repeat(32);
  r.control.logOpen = () => new Promise(() => {});
  r.send({
    t: 'assign',
    assignments: [assignmentOf(ran, { spec: specOf([]) }), assignmentOf(waits, { spec: specOf([], { log: awslogs }) })],
  });
  await r.clock.advance(300);
  await r.crash();
  r.world.reboot();
  r.control.logOpen = async () => {};
  await r.start();
  await r.clock.advance(1000);
  assert.equal(r.last(ran)?.status, 'STOPPED');
  assert.equal(r.last(ran)?.stop?.code, 'InfrastructureHealth');
  assert.equal(r.last(waits)?.status, 'RUNNING');
  assert.equal(r.world.starts().get(ran), 1);
  await r.crash();
});

test('a supervisor that dies is the end of its task', async () => {
  const r = rig();
  await r.up();
  r.send({ t: 'assign', assignments: [assignmentOf(ID)] });
  await r.clock.advance(300);
  r.world.kill(ID);
  await r.clock.advance(100);
  assert.equal(r.last(ID)?.status, 'STOPPED');
  assert.equal(r.last(ID)?.stop?.code, 'InfrastructureHealth');
  await r.crash();
});

test('a sync starts what is missing, and stops what it leaves out again and again', async () => {
  const r = rig();
  await r.up();
  const stays = 'a'.repeat(32);
  const goes = 'b'.repeat(32);
  r.send({ t: 'sync', fence: 1, assignments: [assignmentOf(stays), assignmentOf(goes)], others: [] });
  await r.clock.advance(300);
  assert.equal(r.last(stays)?.status, 'RUNNING');
  r.send({ t: 'sync', fence: 1, assignments: [assignmentOf(stays)], others: [] });
  await r.clock.advance(300);
  assert.equal(r.last(goes)?.status, 'RUNNING', 'one sync may be old');
  r.send({ t: 'sync', fence: 0, assignments: [], others: [] });
  await r.clock.advance(15_000);
  assert.equal(r.last(goes)?.status, 'RUNNING');
  r.send({ t: 'sync', fence: 1, assignments: [assignmentOf(stays)], others: [] });
  await r.clock.advance(300);
  assert.equal(r.last(goes)?.status, 'STOPPED');
  assert.equal(r.last(stays)?.status, 'RUNNING');
  await r.crash();
});

test('a late assignment does not start a forgotten task again', async () => {
  const r = rig();
  await r.up();
  const assignment = assignmentOf(ID, { spec: specOf(['run-ms=10']) });
  r.send({ t: 'assign', assignments: [assignment] });
  await r.clock.advance(500);
  r.send({ t: 'forget', taskIds: [ID] });
  r.send({ t: 'assign', assignments: [assignment] });
  await r.clock.advance(500);
  assert.equal(r.world.starts().get(ID), 1);
  assert.equal(r.last(ID)?.status, 'STOPPED');
  await r.crash();
});

test('containers start in the order of what they depend on', async () => {
  const r = rig();
  await r.up();
  const spec = taskSpec({
    containers: [
      containerSpec({ name: 'app', command: ['run-ms=100'], dependsOn: [{ container: 'init', condition: 'SUCCESS' }] }),
      containerSpec({ name: 'init', command: ['run-ms=300'], essential: false }),
    ],
  });
  r.send({ t: 'assign', assignments: [assignmentOf(ID, { spec })] });
  await r.clock.advance(200);
  assert.equal(r.last(ID)?.status, 'ACTIVATING');
  await r.clock.advance(2000);
  const [app, init] = r.last(ID)?.containers ?? [];
  assert.ok((app?.startedAt ?? 0) >= (init?.finishedAt ?? Infinity));
  assert.equal(r.last(ID)?.stop?.code, 'EssentialContainerExited');
  await r.crash();
});
