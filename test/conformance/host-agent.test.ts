/** The host agent for real, but for the control plane: real kernel worker, supervisors and containers. Needs root. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostOps } from '#link/operations.ts';
import type { OutputEvent, TaskReport } from '#link/protocol.ts';
import { containersOf } from '../e2e/processes.ts';
import { createAgentUnderTest } from './agent.ts';
import type { AgentUnderTest } from './agent.ts';
import { createRealHost, scripted } from './real-host.ts';
import type { RealHost } from './real-host.ts';

const PATIENCE_MS = 20_000;
const log = { driver: 'awslogs', region: 'us-east-1', group: 'g', stream: 's', createGroup: true } as const;

describe('the host agent', () => {
  let host: RealHost;
  let agent: AgentUnderTest;
  let reports: Map<string, TaskReport>;
  let output: OutputEvent[];

  before(async () => {
    host = await createRealHost();
    agent = createAgentUnderTest(host, PATIENCE_MS);
    ({ reports, output } = agent);
    await agent.start([host.driver]);
  });
  after(async () => {
    await agent.stop();
    for (const id of reports.keys()) await host.driver.clean(id, `${host.dir}/tasks/${id}`, null);
    await host.close();
  });

  test('runs a task from its assignment to the end of everything it had', async () => {
    const task = agent.assignment([scripted('echo hello; env; exit 4', { log })]);
    const { id } = task.key;
    agent.give([{ ...task, platformEnv: { AWS_REGION: 'eu-west-1' } }]);
    await agent.until('it stops', agent.is(id, 'STOPPED'));
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
    const stays = agent.assignment([scripted('trap "exit 143" TERM; n=0; while :; do n=$((n+1)); echo $n; sleep 0.01; done', { log })]);
    // It ends when it is told, which is while nobody is there to see it.
    const ends = agent.assignment([scripted('trap "echo bye; exit 7" USR1; echo up; while :; do sleep 0.05; done', { log })]);
    agent.give([stays, ends]);
    const hears = () => output.some((event) => event.text === 'up');
    await agent.until('both run', () => agent.is(stays.key.id, 'RUNNING')() && agent.is(ends.key.id, 'RUNNING')() && hears());
    await agent.stop();
    for (const pid of containersOf(ends.key.id)) process.kill(pid, 'SIGUSR1');
    while (containersOf(ends.key.id).length > 0) await sleep(20);
    await agent.start([host.driver]);
    await agent.until('the end is told', agent.is(ends.key.id, 'STOPPED'));
    assert.equal(reports.get(ends.key.id)?.containers[0]?.exitCode, 7);
    const stats = await agent.call(hostOps.taskStats, { taskId: stays.key.id });
    assert.ok(JSON.stringify(stats).includes('memoryBytes'));
    agent.give([{ ...stays, desired: 'STOPPED', stop: { code: 'UserInitiated', reason: 'done' } }]);
    await agent.until('it stops', agent.is(stays.key.id, 'STOPPED'));
    assert.equal(reports.get(stays.key.id)?.containers[0]?.exitCode, 143);
    assert.ok(output.some((event) => event.text === 'bye'));
    // What was under way when the agent went may come twice; each event says where it ends, and the control plane cuts by that.
    const ofStays = new Map(output.filter((event) => /^\d+$/.test(event.text)).map((event) => [event.end, Number(event.text)]));
    const numbers = [...ofStays.entries()].toSorted(([a], [b]) => a - b).map(([, n]) => n);
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
    );
    for (const task of [stays, ends]) assert.deepEqual(await host.leftovers(task.key.id), []);
  });

  test('a kind that can not stand still says so', async () => {
    const task = agent.assignment([scripted('trap "exit 0" TERM; while :; do sleep 0.1; done')]);
    agent.give([task]);
    await agent.until('it runs', agent.is(task.key.id, 'RUNNING'));
    for (const op of [hostOps.taskSuspend, hostOps.taskResume]) {
      await assert.rejects(agent.call(op, { taskId: task.key.id }), {
        code: 'Unsupported',
        message: /container sandbox can't be suspended/,
      });
      await assert.rejects(agent.call(op, { taskId: 'none' }), { code: 'TaskNotFound' });
    }
    agent.give([{ ...task, desired: 'STOPPED', stop: { code: 'UserInitiated', reason: 'done' } }]);
    await agent.until('it stops', agent.is(task.key.id, 'STOPPED'));
  });

  test('starts fast, alone and many at once', async () => {
    const alone: number[] = [];
    for (let n = 0; n < 15; n++) {
      const task = agent.assignment([scripted('exit 0')]);
      const from = Date.now();
      agent.give([task]);
      await agent.until('it stops', agent.is(task.key.id, 'STOPPED'));
      alone.push((reports.get(task.key.id)?.containers[0]?.startedAt ?? Infinity) - from);
    }
    const many = Array.from({ length: 40 }, () => agent.assignment([scripted('exit 0')]));
    const from = performance.now();
    agent.give(many);
    await agent.until('all started', () => many.every((task) => (reports.get(task.key.id)?.startedAt ?? null) !== null));
    const wall = performance.now() - from;
    await agent.until('all stop', () => many.every((task) => agent.is(task.key.id, 'STOPPED')()));
    for (const task of many) assert.equal(reports.get(task.key.id)?.containers[0]?.exitCode, 0);
    for (const task of many) assert.deepEqual(await host.leftovers(task.key.id), []);
    const [quickest = Infinity, ...others] = alone.toSorted((a, b) => a - b);
    console.log(
      `# assignment to first instruction: quickest ${quickest} ms, median ${others[6]} ms; 40 at once: all started after ${wall.toFixed(0)} ms`,
    );
    // What else the machine does comes on top of the others.
    assert.ok(quickest < 200, `${quickest} ms`);
  });
});
