/**
 * Fifty starts and fifty stops at a time while the platform's processes are killed, over and over. BERTH_SOAK_ROUNDS (default: 12),
 * BERTH_SOAK_SEED, BERTH_SOAK_KIND (default: container; of gvisor and microvm ten at a time).
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { paginateListTasks, RunTaskCommand, StopTaskCommand } from '@aws-sdk/client-ecs';
import { seededRandom } from '#base/random.ts';
import { script, taskId } from '../e2e/aws-sdk.ts';
import { platformFixture } from '../e2e/fixture.ts';
import { until } from '../e2e/platform.ts';
import { containersOf, inTask, processesOf } from '../e2e/processes.ts';

const ROUNDS = Number(process.env['BERTH_SOAK_ROUNDS'] ?? 12);
const KIND = process.env['BERTH_SOAK_KIND'] ?? 'container';
const EACH = KIND === 'container' ? 5 : 1;
const STARTS = 10 * EACH;
const SEED = Number(process.env['BERTH_SOAK_SEED'] ?? Date.now() % 1_000_000);
const victims = ['control', 'host', 'worker', 'haproxy', 'control', 'host'] as const;
const random = seededRandom(SEED);
const below = (n: number) => Math.floor(random.fraction() * n);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const { platform, sdk } = await platformFixture({ upArgs: ['--accel', 'tcg'] });

/** Kills what a seed says, until told to stop; every process is given the time to come back now and then. */
function killer() {
  let over = false;
  const killed: string[] = [];
  const done = (async () => {
    while (!over) {
      await pause(100 + below(900));
      const name = victims[below(victims.length)] ?? 'control';
      const pid = processesOf(platform)?.[name];
      if (pid === undefined || over) continue;
      process.kill(pid, 'SIGKILL');
      killed.push(name);
    }
  })();
  return {
    async end() {
      over = true;
      await done;
      return killed;
    },
  };
}

/** Says it again until somebody acknowledges. */
const insist = <T>(call: () => Promise<T | false>) => until('an acknowledgement', () => call().catch(() => undefined), 60_000);

async function running(): Promise<string[]> {
  const arns: string[] = [];
  for await (const page of paginateListTasks({ client: sdk.ecs }, { desiredStatus: 'RUNNING' })) arns.push(...(page.taskArns ?? []));
  return arns;
}

it(`${ROUNDS} rounds of ${STARTS} ${KIND} starts and stops under SIGKILL (BERTH_SOAK_SEED=${SEED})`, async () => {
  const idle = await sdk.register('idle', [script('exec sleep 100000', { linuxParameters: { initProcessEnabled: true } })]);
  const counting = await sdk.register('counting', [script('i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo n $i; sleep 0.05; done; exit 5')]);
  const networkConfiguration = { awsvpcConfiguration: { subnets: await sdk.subnets() } };
  const tags = [{ key: 'berth:isolation', value: KIND }];
  const ask = async (taskDefinition: string, count: number, clientToken: string) => {
    const answer = await insist(async () => {
      const said = await sdk.ecs.send(
        new RunTaskCommand({ taskDefinition, count, clientToken, launchType: 'FARGATE', networkConfiguration, tags }),
      );
      // While the host is away there is no room: that is a true answer, and the user asks again.
      return (said.tasks ?? []).length === count && said;
    });
    return (answer.tasks ?? []).map((task) => task.taskArn ?? '');
  };
  for (let round = 1; round <= ROUNDS; round++) {
    const killing = killer();
    const [counters, ...starts] = await Promise.all([
      ask(counting, 3, `count-${round}`),
      ...Array.from({ length: 10 }, async (_, n) => {
        await pause(below(1500));
        return ask(idle, EACH, `start-${round}-${n}`);
      }),
    ]);
    const tasks = starts.flat();
    assert.equal(new Set(tasks).size, STARTS);
    const startKills = await killing.end();
    await sdk.running(tasks, 120);
    const pids = tasks.map((arn) => (KIND === 'container' ? containersOf(taskId(arn)).join() : '0'));
    assert.ok(
      pids.every((pid) => /^\d+$/.test(pid)),
      `not one container each: ${pids.join(' ')}`,
    );
    const killingAgain = killer();
    await Promise.all(
      tasks.map(async (task) => {
        await pause(below(1500));
        await insist(() => sdk.ecs.send(new StopTaskCommand({ task })));
      }),
    );
    const stopKills = await killingAgain.end();
    const ended = await sdk.stopped([...tasks, ...counters], 120);
    for (const task of ended.filter((one) => counters.includes(one.taskArn ?? ''))) {
      assert.equal(task.containers?.[0]?.exitCode, 5, JSON.stringify(task));
      assert.deepEqual(
        await sdk.lines(task, 'main'),
        Array.from({ length: 60 }, (_, n) => `n ${n + 1}`),
      );
    }
    for (const task of ended) assert.deepEqual(inTask(taskId(task)), [], `${taskId(task)} left processes`);
    assert.deepEqual(await insist(running), []);
    await until('nothing of the tasks is left', async () => readdirSync(join(platform.state, 'host/tasks')).length === 0, 60_000);
    assert.ok(!existsSync(`/run/berth/${platform.instance}/sup`) || readdirSync(`/run/berth/${platform.instance}/sup`).length === 0);
    console.log(`  round ${round}: killed ${[...startKills, ...stopKills].join(' ') || 'nothing'}`);
  }
});
