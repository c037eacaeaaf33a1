/**
 * A steady load through a load balancer while everything behind it changes and dies: what fails is counted. BERTH_SOAK_ROUNDS (default: 5) of each;
 * BERTH_SOAK_BACK_MS (default: 500): how soon all is to be back after HAProxy was killed.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import {
  CreateServiceCommand,
  DescribeServicesCommand,
  ListTasksCommand,
  UpdateServiceCommand,
  waitUntilServicesStable,
} from '@aws-sdk/client-ecs';
import type { ContainerDefinition, UpdateServiceCommandInput } from '@aws-sdk/client-ecs';
import {
  CreateListenerCommand,
  CreateRuleCommand,
  DeleteListenerCommand,
  DeleteRuleCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { createBalanced, setDelay, targetsIn } from '../balanced.ts';
import type { Balanced } from '../balanced.ts';
import { script, taskId } from '../e2e/aws-sdk.ts';
import { platformFixture } from '../e2e/fixture.ts';
import { nginxArchive } from '../e2e/images.ts';
import { until } from '../e2e/platform.ts';
import { containersOf, processesOf } from '../e2e/processes.ts';
import { startLoad, summed, told } from '../load.ts';
import type { Counts, LoadOptions } from '../load.ts';

const ROUNDS = Number(process.env['BERTH_SOAK_ROUNDS'] ?? 5);
const BACK_MS = Number(process.env['BERTH_SOAK_BACK_MS'] ?? 500);
/** Others may share the machine. */
const WAIT_S = 180;
const CLIENTS = 8;
/** A request that a client began before it could hear of a death was under way then. */
const HEARING_MS = 100;

const { platform, sdk } = await platformFixture({ maxAttempts: 20 });
const { elb } = sdk;
let vpcId: string;

before(async () => {
  vpcId = await sdk.vpc();
  await platform.ok(['image', 'import', await nginxArchive(), '--name', 'nginx']);
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** With both kinds of clients, while `during` goes on and a second before and after; prints and returns the counts. */
async function underLoad(what: string, at: Balanced, during: () => Promise<void>, change: Partial<LoadOptions> = {}): Promise<Counts> {
  const common = { host: at.address, port: at.port, clients: CLIENTS, ...change };
  const loads = [startLoad({ ...common, keepAlive: true }), startLoad({ ...common, keepAlive: false })];
  try {
    await pause(1000);
    await during();
    await pause(1000);
  } finally {
    await Promise.all(loads.map((load) => load.end()));
  }
  const counts = summed(loads.map((load) => load.counts));
  console.log(`  ${what}: ${told(counts)}`);
  assert.ok(counts.answered > 0);
  return counts;
}

const noneFailed = (counts: Counts) => assert.deepEqual(counts.failures, []);

async function createService(
  name: string,
  taskDefinition: string,
  at: Balanced,
  containerPort: number,
  desiredCount: number,
): Promise<void> {
  await sdk.ecs.send(
    new CreateServiceCommand({
      serviceName: name,
      taskDefinition,
      desiredCount,
      launchType: 'FARGATE',
      networkConfiguration: { awsvpcConfiguration: { subnets: await sdk.subnets() } },
      loadBalancers: [{ targetGroupArn: at.groupArn, containerName: 'main', containerPort }],
    }),
  );
  await stable(name);
  await healthy(at, desiredCount);
}

/** A service counts as stable once its tasks run; that many serve. */
async function healthy(at: Balanced, count: number): Promise<void> {
  await until(`${count} healthy targets`, async () => (await targetsIn(elb, at.groupArn, 'healthy')).length === count, WAIT_S * 1000);
}

const update = (service: string, change: Partial<UpdateServiceCommandInput>) =>
  sdk.ecs.send(new UpdateServiceCommand({ service, ...change }));

/** By the SDK's own waiter, and with every task that is wished for. */
async function stable(name: string): Promise<void> {
  const options = { client: sdk.ecs, maxWaitTime: WAIT_S, minDelay: 0.2, maxDelay: 0.5 };
  await waitUntilServicesStable(options, { services: [name] }).catch(async (cause: unknown) => {
    const { services } = await sdk.ecs.send(new DescribeServicesCommand({ services: [name] }));
    throw new Error(`${name} is not stable: ${(services?.[0]?.events ?? []).map((event) => event.message).join('\n')}`, { cause });
  });
}

/** SIGKILL; resolves once another has taken its place. */
async function kill(name: 'control' | 'host'): Promise<void> {
  const victim: number = await until(name, async () => processesOf(platform)?.[name], WAIT_S * 1000);
  await killNow(victim);
  await until(`another ${name}`, async () => (processesOf(platform)?.[name] ?? victim) !== victim, WAIT_S * 1000);
}

async function gone(pid: number): Promise<number> {
  while (existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(statusOf(pid))) await pause(1);
  return Date.now();
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return 'State:\tZ';
  }
}

/** Killed, and seen to be gone: in ms since the epoch. */
type Death = { from: number; to: number };
async function killNow(pid: number): Promise<Death> {
  const from = Date.now();
  process.kill(pid, 'SIGKILL');
  return { from, to: await gone(pid) };
}

/** Only what was under way at that time: one of each client at most. */
function underWayOnly(counts: Counts, deaths: Death[]): void {
  for (const one of counts.failures) {
    assert.ok(
      deaths.some(({ from, to }) => one.begunAt <= to + HEARING_MS && one.begunAt + one.tookMs >= from),
      `a request that was not under way failed: ${JSON.stringify(one)}; deaths: ${JSON.stringify(deaths)}`,
    );
  }
  assert.ok(counts.failures.length <= 2 * CLIENTS * deaths.length);
}

describe('nginx behind a load balancer', { concurrency: false }, () => {
  let at: Balanced;
  let revisions: string[];
  let next = 0;
  const roll = async () => {
    await update('web', { taskDefinition: revisions[++next % 2] ?? '' });
    await stable('web');
  };

  before(async () => {
    at = await createBalanced(platform, elb, {
      name: 'web',
      port: 80,
      targetPort: 80,
      subnets: await sdk.subnets(),
      vpcId,
      delaySeconds: 5,
    });
    const container: ContainerDefinition = { name: 'main', image: 'nginx', portMappings: [{ containerPort: 80 }] };
    const register = (n: string) => sdk.register('web', [{ ...container, environment: [{ name: 'N', value: n }] }]);
    revisions = [await register('1'), await register('2')];
    await createService('web', revisions[0] ?? '', at, 80, 4);
  });

  it(`${ROUNDS} rolling updates lose nothing`, async () => {
    const counts = await underLoad(`${ROUNDS} rolling updates of 4 tasks`, at, async () => {
      for (let n = 0; n < ROUNDS; n++) await roll();
    });
    noneFailed(counts);
  });

  it('with a deregistration delay of 0 neither', async () => {
    await setDelay(elb, at.groupArn, 0);
    const counts = await underLoad(`${ROUNDS} rolling updates of 4 tasks, deregistration delay 0`, at, async () => {
      for (let n = 0; n < ROUNDS; n++) await roll();
    });
    await setDelay(elb, at.groupArn, 5);
    noneFailed(counts);
  });

  it('scaling out and in loses nothing', async () => {
    const counts = await underLoad(`${ROUNDS} times scaled 4 -> 8 -> 2 -> 4`, at, async () => {
      for (let n = 0; n < ROUNDS; n++) {
        for (const desiredCount of [8, 2, 4]) {
          await update('web', { desiredCount });
          await stable('web');
        }
      }
    });
    noneFailed(counts);
  });

  it('reloads lose nothing', async () => {
    const anotherHaproxy = async (change: () => Promise<unknown>) => {
      const before = await until('HAProxy', async () => processesOf(platform)?.haproxy);
      await change();
      await until('another HAProxy', async () => (processesOf(platform)?.haproxy ?? before) !== before, WAIT_S * 1000);
    };
    const forward = [{ Type: 'forward' as const, TargetGroupArn: at.groupArn }];
    const Conditions = [{ Field: 'path-pattern', PathPatternConfig: { Values: ['/nothing/*'] } }];
    const other = { LoadBalancerArn: at.loadBalancerArn, Protocol: 'HTTP' as const };
    let reloads = 0;
    const counts = await underLoad(`${ROUNDS * 4} reloads`, at, async () => {
      for (let n = 0; n < ROUNDS; n++) {
        let [rule, listener] = ['', ''];
        await anotherHaproxy(async () => {
          const made = await elb.send(new CreateRuleCommand({ ListenerArn: at.listenerArn, Priority: 1, Conditions, Actions: forward }));
          rule = made.Rules?.[0]?.RuleArn ?? '';
        });
        await anotherHaproxy(() => elb.send(new DeleteRuleCommand({ RuleArn: rule })));
        await anotherHaproxy(async () => {
          const made = await elb.send(new CreateListenerCommand({ ...other, Port: 8080, DefaultActions: forward }));
          listener = made.Listeners?.[0]?.ListenerArn ?? '';
        });
        await anotherHaproxy(() => elb.send(new DeleteListenerCommand({ ListenerArn: listener })));
        reloads += 4;
      }
    });
    assert.equal(reloads, ROUNDS * 4);
    noneFailed(counts);
  });

  for (const name of ['control', 'host'] as const) {
    it(`${name} killed loses nothing, at rest and in a rolling update`, async () => {
      const counts = await underLoad(`${2 * ROUNDS} times ${name} killed`, at, async () => {
        for (let n = 0; n < ROUNDS; n++) {
          await kill(name);
          await pause(500);
          await update('web', { taskDefinition: revisions[++next % 2] ?? '' });
          await pause(Math.random() * 2000);
          await kill(name);
          await stable('web');
        }
      });
      noneFailed(counts);
    });
  }

  it(`HAProxy killed: only what was under way fails, and all is back within ${BACK_MS} ms`, async () => {
    const deaths: Death[] = [];
    const back: number[] = [];
    const counts = await underLoad(`${ROUNDS} times HAProxy killed`, at, async () => {
      for (let n = 0; n < ROUNDS; n++) {
        const victim: number = await until('HAProxy', async () => processesOf(platform)?.haproxy);
        const death = await killNow(victim);
        deaths.push(death);
        const probe = startLoad({ host: at.address, port: at.port, clients: 1, keepAlive: false, pauseMs: 1 });
        await until('an answer', async () => probe.counts.answered > 0 || undefined, WAIT_S * 1000);
        const { failures } = await probe.end();
        assert.deepEqual(failures, [], 'a new connection waits');
        back.push(probe.counts.firstAt - death.to);
        await pause(1500);
        await healthy(at, 4);
      }
    });
    console.log(`  HAProxy killed -> the first answer: ${back.join(', ')} ms`);
    underWayOnly(counts, deaths);
    assert.ok(Math.max(...back) <= BACK_MS, `back after ${back.join(', ')} ms`);
  });
});

describe('a slow program behind a load balancer', () => {
  it('a task killed fails only what it had under way', async () => {
    const cgi = '#!/bin/sh\\nsleep 0.2\\nprintf "Content-Type: text/plain\\\\r\\\\n\\\\r\\\\n$HOSTNAME"\\n';
    const text = `mkdir -p /w/cgi-bin; echo up > /w/index.html; printf '${cgi}' > /w/cgi-bin/slow; chmod +x /w/cgi-bin/slow; trap 'exit 0' TERM; httpd -f -p 80 -h /w & wait`;
    const at = await createBalanced(platform, elb, {
      name: 'slow',
      port: 81,
      targetPort: 80,
      subnets: await sdk.subnets(),
      vpcId,
      delaySeconds: 5,
    });
    await createService('slow', await sdk.register('slow', [script(text, { portMappings: [{ containerPort: 80 }] })]), at, 80, 3);
    const tasks = async () => (await sdk.ecs.send(new ListTasksCommand({ serviceName: 'slow' }))).taskArns ?? [];
    for (const method of ['POST', 'GET'] as const) {
      const deaths: Death[] = [];
      const during = async () => {
        for (let n = 0; n < ROUNDS; n++) {
          const victim = (await tasks())[0] ?? '';
          const [pid] = containersOf(taskId(victim));
          assert.ok(pid, `task ${victim} has no container`);
          deaths.push(await killNow(pid));
          await until('another task', async () => !(await tasks()).includes(victim), WAIT_S * 1000);
          await stable('slow');
          await healthy(at, 3);
        }
      };
      const counts = await underLoad(`${ROUNDS} times a task killed, ${method}`, at, during, { method, path: '/cgi-bin/slow' });
      underWayOnly(counts, deaths);
    }
  });
});
