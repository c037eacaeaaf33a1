/** What a task runs in, as the stock AWS CLI and SDK ask for it: a task gets the kind that it asked for, or is refused with the reason. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { DescribeTasksCommand, RunTaskCommand, StopTaskCommand, waitUntilTasksStopped } from '@aws-sdk/client-ecs';
import type { RunTaskCommandInput } from '@aws-sdk/client-ecs';
import { script } from './aws-sdk.ts';
import { AWS } from './aws-forks.ts';
import { platformFixture } from './fixture.ts';
import { installPackages } from './packages.ts';
import { until } from './platform.ts';
import type { Ran } from './platform.ts';

type Kind = 'container' | 'gvisor' | 'microvm';
type KindInfo = { kind: Kind; works: boolean; reason: string; accelerator: string | null; auto: boolean };

/** Long enough for a virtual machine under software emulation. */
const START_MS = 180_000;
const SLEEP = 'exec sleep 1000';
/** It ends as soon as it is told, also when that is before its shell has read a word. */
const sleeper = script(SLEEP, { linuxParameters: { initProcessEnabled: true } });
const kinds: Kind[] = ['container', 'gvisor', 'microvm'];
const tags = (key: string, value: string) => [{ key, value }];
const isolation = (kind: string) => tags('berth:isolation', kind);

installPackages({ '/usr/bin/aws': 'awscli' });
const { platform, sdk, dir } = await platformFixture({ upArgs: ['--accel', 'auto'] });
/** What this machine's host agent found: whatever it is, each kind has to keep its word. */
let found: KindInfo[];

before(async () => {
  const status = JSON.parse(await platform.ok(['status', '--json'])) as { hosts: { info: { isolation: KindInfo[] } }[] };
  found = status.hosts[0]?.info.isolation ?? [];
  await sdk.register('sleeper', [sleeper]);
});

const works = (kind: Kind) => found.some((info) => info.kind === kind && info.works);

/** Debian's own AWS CLI; never throws. */
const cli = (...args: string[]): Promise<Ran> =>
  platform.command(AWS, ['--endpoint-url', platform.env['AWS_ENDPOINT_URL'] ?? '', '--output', 'json', ...args], {
    env: { AWS_CONFIG_FILE: join(dir, 'none'), AWS_SHARED_CREDENTIALS_FILE: join(dir, 'none') },
  });

async function aws(...args: string[]): Promise<string> {
  const ran = await cli(...args);
  assert.equal(ran.code, 0, `aws ${args.join(' ')} exited ${ran.code}\n${ran.stderr}`);
  return ran.stdout;
}

/**
 * What a call comes to: the kind that the task runs in, or the kind that was refused because it doesn't work here. Either way it must be
 * `kind`, so this says whose word counted on every machine. Leaves nothing running.
 */
async function comesTo(kind: Kind, wish: Partial<RunTaskCommandInput> = {}): Promise<void> {
  const network = { awsvpcConfiguration: { subnets: await sdk.subnets() } };
  const call = { taskDefinition: 'sleeper', launchType: 'FARGATE' as const, networkConfiguration: network, ...wish };
  const { tasks = [], failures = [] } = await sdk.ecs.send(new RunTaskCommand(call));
  if (!works(kind)) {
    assert.deepEqual(tasks, [], `a task that should run in a ${kind} sandbox was accepted`);
    assert.match(failures[0]?.detail ?? '', new RegExp(`isolation '${kind}'`));
    const reason = found.find((info) => info.kind === kind)?.reason;
    if (reason !== undefined) assert.ok(failures[0]?.detail?.includes(reason), `${failures[0]?.detail} doesn't say: ${reason}`);
    return;
  }
  assert.deepEqual(failures, []);
  const taskArn = tasks[0]?.taskArn ?? '';
  const one = { cluster: wish.cluster ?? 'default', tasks: [taskArn] };
  const running = await until(
    `the ${kind} task runs`,
    async () => {
      const [task] = (await sdk.ecs.send(new DescribeTasksCommand(one))).tasks ?? [];
      assert.notEqual(task?.lastStatus, 'STOPPED', `it ended: ${task?.stoppedReason}`);
      return task?.lastStatus === 'RUNNING' ? task : undefined;
    },
    START_MS,
  );
  const attribute = (name: string) => running.attributes?.find((candidate) => candidate.name === name)?.value;
  assert.equal(attribute('berth.isolation'), kind);
  assert.equal(attribute('berth.accelerator') ?? null, found.find((info) => info.kind === kind)?.accelerator ?? null);
  await sdk.ecs.send(new StopTaskCommand({ cluster: one.cluster, task: taskArn }));
  await waitUntilTasksStopped({ client: sdk.ecs, maxWaitTime: 90, minDelay: 0.2, maxDelay: 1 }, one);
}

describe('a kind of sandbox', () => {
  for (const kind of kinds) {
    it(`${kind}: a task that asks for it gets it, or is refused with the reason`, () => comesTo(kind, { tags: isolation(kind) }));
  }

  it('is the call’s word, else the definition’s, else the cluster’s, else what up said', async () => {
    await aws('ecs', 'create-cluster', '--cluster-name', 'walled', '--tags', 'key=berth:isolation,value=gvisor');
    await sdk.register('virtual', [sleeper], { tags: isolation('microvm') });
    await comesTo('container');
    await comesTo('gvisor', { cluster: 'walled' });
    await comesTo('microvm', { cluster: 'walled', taskDefinition: 'virtual' });
    await comesTo('container', { cluster: 'walled', taskDefinition: 'virtual', tags: isolation('container') });
    await comesTo('container', { cluster: 'walled', taskDefinition: 'virtual', tags: isolation('auto') });
  });

  it('is set and seen by the stock CLI, and a bad value changes nothing', async () => {
    const created = JSON.parse(
      await aws('ecs', 'create-cluster', '--cluster-name', 'tagged', '--tags', 'key=berth:isolation,value=container'),
    );
    const arn = created.cluster.clusterArn as string;
    const listed = async () => JSON.parse(await aws('ecs', 'list-tags-for-resource', '--resource-arn', arn)).tags as unknown;
    const bad = await cli('ecs', 'tag-resource', '--resource-arn', arn, '--tags', 'key=berth:isolation,value=vm', 'key=team,value=a');
    assert.equal(bad.code, 254);
    assert.match(
      bad.stderr,
      /InvalidParameterException.*'vm' is not a value of the tag berth:isolation: use one of auto, container, gvisor, microvm/,
    );
    assert.deepEqual(await listed(), isolation('container'));
    await aws('ecs', 'tag-resource', '--resource-arn', arn, '--tags', 'key=berth:isolation,value=auto');
    assert.deepEqual(await listed(), isolation('auto'));
    const refused = await cli('ecs', 'create-cluster', '--cluster-name', 'never', '--tags', 'key=berth:isolation,value=');
    assert.match(refused.stderr, /InvalidParameterException/);
    assert.deepEqual(JSON.parse(await aws('ecs', 'describe-clusters', '--clusters', 'never')).clusters, []);
    await assert.rejects(sdk.register('never', [script('true')], { tags: isolation('vm') }), { name: 'InvalidParameterException' });
  });
});

describe('the command line', () => {
  it('says what auto is and why, wherever it is asked', async () => {
    assert.match(await platform.ok(['up']), /Tasks run in: container .*up --isolation container said so/);
    assert.match(await platform.ok(['status']), /isolation +auto is container/);
    assert.match((await platform.berth(['doctor'])).stdout, /a task that asks for none runs in: container \(by up --isolation container\)/);
    const checks = JSON.parse((await platform.berth(['doctor', '--json'])).stdout) as { name: string; detail: string }[];
    for (const name of ['KVM', 'QEMU', 'guest kernel', 'erofs-utils', 'runsc', 'container']) {
      assert.ok(
        checks.some((check) => check.name === name),
        `doctor says nothing of ${name}`,
      );
    }
    const ran = await platform.ok(['run', 'plain', '--image', 'busybox', '--', 'sh', '-c', "trap 'exit 0' TERM; sleep 1000 & wait"]);
    assert.match(ran, /isolation container +.*for code you trust/);
    assert.match(await platform.ok(['ps']), /plain .* container /);
    assert.match(await platform.ok(['inspect', 'plain']), /"berth\.isolation"/);
    await platform.ok(['stop', 'plain']);
  });

  it('run in a kind that does not work here fails with the reason', async () => {
    for (const kind of kinds.filter((one) => !works(one))) {
      const ran = await platform.berth(['run', 'refused', '--image', 'busybox', '--isolation', kind, '--', 'sleep', '1000']);
      assert.equal(ran.code, 1);
      assert.match(ran.stdout + ran.stderr, new RegExp(`no sandbox for ${kind} works here`));
      assert.match(ran.stdout + ran.stderr, new RegExp(`isolation '${kind}'`));
    }
    assert.equal((await platform.berth(['run', 'refused', '--image', 'busybox', '--isolation', 'vm'])).code, 2);
  });

  it('keeps what microVMs run on', async () => {
    const config = () => JSON.parse(readFileSync(join(platform.state, 'config.json'), 'utf8')) as { accel: string; isolation: string };
    assert.deepEqual([config().accel, config().isolation], ['auto', 'container']);
    assert.match((await platform.berth(['up', '--accel', 'tcg'])).stderr, /to change accel auto -> tcg/);
    assert.match((await platform.berth(['up', '--accel', 'xen'])).stderr, /--accel must be one of auto, kvm, tcg/);
  });
});

describe('the extension privileged', () => {
  const privileged = tags('berth:extensions', 'privileged');
  const container = { ...sleeper, privileged: true };

  it('is asked for by a tag of the definition; without it AWS’s own words stay', async () => {
    const words = { name: 'ClientException', message: "Fargate requires that the 'privileged' setting be 'false'" };
    await assert.rejects(sdk.register('root', [container]), words);
    const path = join(dir, 'root.json');
    const definition = { family: 'root', requiresCompatibilities: ['FARGATE'], networkMode: 'awsvpc', cpu: '256', memory: '512' };
    const whole = {
      ...definition,
      executionRoleArn: 'arn:aws:iam::123456789012:role/e',
      containerDefinitions: [container],
      tags: privileged,
    };
    writeFileSync(path, JSON.stringify(whole));
    await aws('ecs', 'register-task-definition', '--cli-input-json', `file://${path}`);
  });

  it('is refused unless the cluster switches it on and the task runs in a microVM', async () => {
    const run = async (wish: Partial<RunTaskCommandInput>) =>
      sdk.ecs.send(
        new RunTaskCommand({
          taskDefinition: 'root',
          launchType: 'FARGATE',
          networkConfiguration: { awsvpcConfiguration: { subnets: await sdk.subnets() } },
          ...wish,
        }),
      );
    const refused = (message: RegExp) => ({ name: 'InvalidParameterException', message });
    await assert.rejects(run({ tags: isolation('microvm') }), refused(/the cluster 'default' doesn't allow/));
    await aws('ecs', 'create-cluster', '--cluster-name', 'builds', '--tags', 'key=berth:extensions,value=privileged');
    for (const kind of ['container', 'gvisor']) {
      await assert.rejects(run({ cluster: 'builds', tags: isolation(kind) }), refused(new RegExp(`only a microVM may have.*'${kind}'`)));
    }
    await assert.rejects(run({ cluster: 'builds' }), refused(/'auto', which is container here/));
    await comesTo('microvm', { cluster: 'builds', taskDefinition: 'root', tags: isolation('microvm') });
  });
});

describe('the extensions sizes, timeouts and capabilities', () => {
  const extensions = 'sizes timeouts capabilities';
  const definition = {
    family: 'beyond',
    requiresCompatibilities: ['FARGATE'],
    networkMode: 'awsvpc',
    cpu: '300',
    memory: '200',
    executionRoleArn: 'arn:aws:iam::123456789012:role/e',
    containerDefinitions: [
      script('sed -n "s/^CapEff:[[:space:]]*//p" /proc/self/status', {
        stopTimeout: 300,
        startTimeout: 200,
        linuxParameters: { capabilities: { add: ['NET_ADMIN'] } },
      }),
    ],
  };
  const register = (change: object) => {
    const path = join(dir, 'beyond.json');
    writeFileSync(path, JSON.stringify({ ...definition, ...change }));
    return cli('ecs', 'register-task-definition', '--cli-input-json', `file://${path}`);
  };

  it('are had by the stock CLI: asked for by the definition, allowed by the cluster, refused in AWS’s words without', async () => {
    for (const [named, words] of [
      ['timeouts capabilities', /No Fargate configuration exists for given values: 300 CPU, 200 memory/],
      ['sizes capabilities', /(?:stop|start)Timeout|timeout/i],
      ['sizes timeouts', /NET_ADMIN/],
    ] as const) {
      const ran = await register({ tags: tags('berth:extensions', named) });
      assert.match(ran.stderr, /ClientException/);
      assert.match(ran.stderr, words);
    }
    const registered = await register({ tags: tags('berth:extensions', extensions) });
    assert.equal(registered.code, 0, registered.stderr);
    await aws('ecs', 'create-cluster', '--cluster-name', 'beyond', '--tags', `key=berth:extensions,value=${extensions}`);
    const [subnet] = await sdk.subnets();
    const call = ['ecs', 'run-task', '--task-definition', 'beyond', '--launch-type', 'FARGATE', '--network-configuration'];
    const run = (cluster: string) => cli(...call, `awsvpcConfiguration={subnets=[${subnet}]}`, '--cluster', cluster);
    assert.match((await run('default')).stderr, /InvalidParameterException.*the cluster 'default' doesn't allow/);
    const { tasks } = JSON.parse((await run('beyond')).stdout) as { tasks: { taskArn: string; cpu: string; memory: string }[] };
    assert.deepEqual([tasks[0]?.cpu, tasks[0]?.memory], ['300', '200']);
    const arn = tasks[0]?.taskArn ?? '';
    await aws('ecs', 'wait', 'tasks-stopped', '--cluster', 'beyond', '--tasks', arn);
    const [seen = '0'] = await sdk.lines(arn, 'main');
    assert.equal((BigInt(`0x${seen}`) >> 12n) & 1n, 1n, `no NET_ADMIN in ${seen}`);
  });
});
