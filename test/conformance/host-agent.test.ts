/** The host agent for real, but for the control plane: real kernel worker, supervisors and containers. Needs root. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { realClock } from '#base/clock.ts';
import { hexId } from '#base/ids.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import { taskSpec } from '#domain/samples.ts';
import { createHostAgent } from '#host/agent.ts';
import type { HostAgent } from '#host/agent.ts';
import { createFileJournal } from '#host/file-journal.ts';
import { readHostUsage } from '#host/info.ts';
import { assignmentOf, createFakeImages, fakeHostInfo } from '#host/testing.ts';
import { controlOps, hostOps } from '#link/operations.ts';
import { memoryNetwork } from '#link/memory.ts';
import type { Assignment, OutputEvent, TaskReport } from '#link/protocol.ts';
import type { ControlConnection } from '#link/types.ts';
import { createScratchVolumes } from '#volume/scratch.ts';
import { createRealHost, scripted, VPC } from './real-host.ts';
import type { RealHost } from './real-host.ts';

const PATIENCE_MS = 20_000;
const log = { driver: 'awslogs', region: 'us-east-1', group: 'g', stream: 's', createGroup: true } as const;

describe('the host agent', () => {
  const clock = realClock();
  const random = realRandom();
  const link = memoryNetwork(clock);
  const reports = new Map<string, TaskReport>();
  const output: OutputEvent[] = [];
  const waiting = new Set<() => void>();
  let host: RealHost;
  let agent: HostAgent;
  let connection: ControlConnection | undefined;
  let address = 10;

  const until = (what: string, condition: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`waited ${PATIENCE_MS} ms for ${what}: ${JSON.stringify([...reports.values()])}`)),
        PATIENCE_MS,
      );
      const check = () => {
        if (!condition()) return;
        clearTimeout(timer);
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });

  const listen = () =>
    link.listen().onConnection((made) => {
      made.handle(controlOps.logOpen, async () => null);
      made.onMessage((message) => {
        if (message.t === 'hello') {
          made.send({ t: 'welcome', version: 1, fence: 1, heartbeatMs: 1_000 });
          connection = made;
        }
        if (message.t === 'status') for (const report of message.reports) reports.set(report.taskId, report);
        if (message.t === 'output') {
          output.push(...message.batch.events);
          made.send({ t: 'output-ack', taskId: message.batch.key.id, to: message.batch.to });
        }
        waiting.forEach((one) => one());
      });
    });

  const start = async () => {
    agent = createHostAgent(
      {
        dialer: link.dialer(),
        drivers: [host.driver],
        images: { ...createFakeImages(), prepare: async () => host.image },
        network: host.network,
        volumes: createScratchVolumes(),
        journal: createFileJournal(host.dir),
        clock,
        random,
        log: silentLog,
        info: async (isolation) => fakeHostInfo({ isolation }),
        usage: () => readHostUsage(host.dir),
        serveVpc: async () => {},
        setNames: () => {},
      },
      { hostId: 'h1', dir: host.dir },
    );
    connection = undefined;
    await agent.start();
    await until('the link', () => connection !== undefined);
  };

  before(async () => {
    host = await createRealHost();
    listen();
    await start();
  });
  after(async () => {
    await agent.stop();
    for (const id of reports.keys()) await host.driver.clean(id, `${host.dir}/tasks/${id}`, null);
    await host.close();
  });

  function assignment(containers: ContainerSpec[]): Assignment {
    const n = address++;
    const id = hexId(random);
    const base = assignmentOf(id, { spec: taskSpec({ containers }) });
    const mac = `02:00:0a:d5:00:${n.toString(16).padStart(2, '0')}`;
    return { ...base, network: { ...base.network, vpcId: VPC.id, vpcCidr: VPC.cidr, gatewayIp: VPC.gatewayIp, ip: VPC.address(n), mac } };
  }
  const give = (assignments: Assignment[]) => connection?.send({ t: 'assign', assignments });
  const is = (id: string, status: string) => () => reports.get(id)?.status === status;

  test('runs a task from its assignment to the end of everything it had', async () => {
    const task = assignment([scripted('echo hello; env; exit 4', { log })]);
    const { id } = task.key;
    give([{ ...task, platformEnv: { AWS_REGION: 'eu-west-1' } }]);
    await until('it stops', is(id, 'STOPPED'));
    const report = reports.get(id);
    assert.equal(report?.containers[0]?.exitCode, 4);
    assert.equal(report?.isolation, 'container');
    assert.equal(report?.stop?.code, 'EssentialContainerExited');
    const text = output.map((event) => event.text);
    for (const line of ['hello', 'AWS_REGION=eu-west-1', 'AWS_EXECUTION_ENV=AWS_ECS_FARGATE']) assert.ok(text.includes(line), line);
    assert.deepEqual(await host.leftovers(id), []);
  });

  test('an agent that is gone for a while finds its tasks again, those that ended meanwhile too', async () => {
    output.length = 0;
    const stays = assignment([scripted('trap "exit 143" TERM; n=0; while :; do n=$((n+1)); echo $n; sleep 0.01; done', { log })]);
    const ends = assignment([scripted('sleep 0.3; echo bye; exit 7', { log })]);
    give([stays, ends]);
    await until('both run', () => is(stays.key.id, 'RUNNING')() && is(ends.key.id, 'RUNNING')());
    await agent.stop();
    await clock.sleep(600);
    await start();
    await until('the end is told', is(ends.key.id, 'STOPPED'));
    assert.equal(reports.get(ends.key.id)?.containers[0]?.exitCode, 7);
    const stats = await connection?.request(hostOps.taskStats, { taskId: stays.key.id }, { timeoutMs: 5_000 });
    assert.ok(JSON.stringify(stats).includes('memoryBytes'));
    give([{ ...stays, desired: 'STOPPED', stop: { code: 'UserInitiated', reason: 'done' } }]);
    await until('it stops', is(stays.key.id, 'STOPPED'));
    assert.equal(reports.get(stays.key.id)?.containers[0]?.exitCode, 143);
    assert.ok(output.some((event) => event.text === 'bye'));
    // What was under way when the agent went may come twice; each event says where it ends, and the control plane cuts by that.
    const ofStays = new Map(output.filter((event) => event.text !== 'bye').map((event) => [event.end, Number(event.text)]));
    const numbers = [...ofStays.entries()].toSorted(([a], [b]) => a - b).map(([, n]) => n);
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
    );
    for (const task of [stays, ends]) assert.deepEqual(await host.leftovers(task.key.id), []);
  });

  test('starts fast, alone and many at once', async () => {
    const alone: number[] = [];
    for (let n = 0; n < 15; n++) {
      const task = assignment([scripted('exit 0')]);
      const from = Date.now();
      give([task]);
      await until('it stops', is(task.key.id, 'STOPPED'));
      alone.push((reports.get(task.key.id)?.containers[0]?.startedAt ?? Infinity) - from);
    }
    const many = Array.from({ length: 40 }, () => assignment([scripted('exit 0')]));
    const from = performance.now();
    give(many);
    await until('all started', () => many.every((task) => (reports.get(task.key.id)?.startedAt ?? null) !== null));
    const wall = performance.now() - from;
    await until('all stop', () => many.every((task) => is(task.key.id, 'STOPPED')()));
    for (const task of many) assert.equal(reports.get(task.key.id)?.containers[0]?.exitCode, 0);
    for (const task of many) assert.deepEqual(await host.leftovers(task.key.id), []);
    const median = alone.toSorted((a, b) => a - b)[7] ?? Infinity;
    console.log(`# assignment to first instruction: median ${median} ms; 40 at once: all started after ${wall.toFixed(0)} ms`);
    assert.ok(median < 200);
  });
});
