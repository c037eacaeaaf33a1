/** Tasks of each kind of sandbox side by side, from the API to the container and back; and what becomes of them when something dies. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createHash } from 'node:crypto';
import { CreateClusterCommand, RunTaskCommand, StopTaskCommand, waitUntilTasksStopped } from '@aws-sdk/client-ecs';
import type { Secret, Task } from '@aws-sdk/client-ecs';
import { SecretsManager } from '@aws-sdk/client-secrets-manager';
import { SSM } from '@aws-sdk/client-ssm';
import { script, taskId } from './aws-sdk.ts';
import { platformFixture } from './fixture.ts';
import { tracesOf } from './planted.ts';
import { machineState } from './machine-state.ts';
import { endpoint, until } from './platform.ts';
import { inTask, machineOf, powerOff, processesOf, sandboxOf } from './processes.ts';

/** A virtual machine under emulation may take so long, with others beside it. */
const PATIENCE_S = 120;
const kinds = ['container', 'gvisor', 'microvm'] as const;
const walled = ['gvisor', 'microvm'] as const;
type Kind = (typeof kinds)[number];

const { platform, sdk } = await platformFixture({ upArgs: ['--accel', 'tcg'], maxAttempts: 10 });
beforeEach(ready);

/** Values that stand in the containers' environment and nowhere else. */
const planted = { token: 'planted-token-7c1e8f', password: 'planted-password-5b92d0', key: 'planted-key-e83a17' };
/** What `told` says of them. */
const digests = createHash('md5').update(Object.values(planted).join(' ')).digest('hex');
const told = 'printf "%s %s %s" "$TOKEN" "$PASSWORD" "$KEY" | md5sum | cut -d" " -f1';
const secrets: Secret[] = [];
const withSecrets = { executionRoleArn: 'arn:aws:iam::123456789012:role/execution' };
const nowhere = (when: string) => assert.deepEqual(tracesOf(platform, Object.values(planted)), [], when);

before(async () => {
  await using ending = new AsyncDisposableStack();
  const [manager, ssm] = [new SecretsManager(sdk.config), new SSM(sdk.config)];
  ending.defer(() => [manager, ssm].forEach((client) => client.destroy()));
  const SecretString = JSON.stringify({ token: planted.token, other: 'x' });
  const { ARN } = await manager.createSecret({ Name: 'app/token', SecretString });
  await ssm.putParameter({ Name: '/app/password', Value: planted.password, Type: 'SecureString' });
  await ssm.putParameter({ Name: 'key', Value: planted.key, Type: 'String' });
  secrets.push(
    { name: 'TOKEN', valueFrom: `${ARN}:token:AWSCURRENT:` },
    { name: 'PASSWORD', valueFrom: '/app/password' },
    { name: 'KEY', valueFrom: 'arn:aws:ssm:us-east-1:123456789012:parameter/key' },
  );
});

const tag = (key: string, value: string) => ({ key, value });
const inKind = (kind: Kind, ...more: { key: string; value: string }[]) => ({ tags: [tag('berth:isolation', kind), ...more] });
const init = { linuxParameters: { initProcessEnabled: true } };

async function ready(): Promise<void> {
  await until('the platform', async () => /"CONNECTED"/.test((await platform.berth(['status', '--json'])).stdout));
}

/** Fails with its reason when it ended instead. */
async function running(tasks: Task[]): Promise<Task[]> {
  return until(
    'all run',
    async () => {
      const now = await sdk.describe(tasks);
      for (const one of now) assert.notEqual(one.lastStatus, 'STOPPED', `${one.stoppedReason} ${JSON.stringify(one.containers)}`);
      return now.every((one) => one.lastStatus === 'RUNNING') && now;
    },
    PATIENCE_S * 1000,
  );
}
const stopped = (tasks: Task[]) => sdk.stopped(tasks, PATIENCE_S);

async function runEach<K extends Kind>(which: readonly K[], definition: string, count = 1): Promise<Task[]> {
  return (await Promise.all(which.map((kind) => sdk.run(definition, { ...inKind(kind), count })))).flat();
}

describe('a task of each kind', () => {
  it('says what it is, has its address, its names and its API, and is reached from outside', async () => {
    const web = "mkdir /w; echo I am $(hostname) > /w/index.html; trap 'exit 4' TERM; httpd -f -p 80 -h /w & wait";
    const ask = `until wget -qO- http://localhost/ >/dev/null 2>&1; do sleep 0.2; done
      echo "neighbour $(wget -qO- http://localhost/)"
      wget -S -O /dev/null $AWS_ENDPOINT_URL/ 2>&1 | grep -q 'HTTP/1.1' && echo "api answers"
      echo "secrets $(${told})"
      echo "resolver $(head -n 1 /etc/resolv.conf)"
      for kind in container gvisor microvm; do
        for n in $(seq 100); do said=$(wget -qO- http://whole-$kind.berth.internal/ 2>/dev/null) && break; sleep 0.5; done
        echo "$kind $said"
      done
      echo done; exec sleep 1000`;
    const containers = [
      script(web, { name: 'web', portMappings: [{ containerPort: 80 }] }),
      script(ask, { name: 'ask', essential: false, secrets, ...init }),
    ];
    const definition = await sdk.register('whole', containers, withSecrets);
    const runs = kinds.map((kind) => sdk.run(definition, inKind(kind, tag('berth:endpoint', `whole-${kind}`))));
    const tasks = await running((await Promise.all(runs)).flat());
    await until(
      'each has asked',
      async () =>
        (await Promise.all(tasks.map((task) => sdk.lines(task, 'ask').catch(() => [] as string[])))).every((lines) =>
          lines.includes('done'),
        ),
      PATIENCE_S * 1000,
    );
    const names: string[] = [];
    for (const [index, kind] of kinds.entries()) {
      const task = tasks[index];
      assert.ok(task);
      assert.equal(task.attributes?.find((one) => one.name === 'berth.isolation')?.value, kind);
      const said = await until(`the endpoint of ${kind}`, () => endpoint(platform, `whole-${kind}`));
      assert.match(said, /^I am ip-/);
      names.push(said);
    }
    for (const [index, task] of tasks.entries()) {
      const seen = Object.fromEntries((await sdk.lines(task, 'ask')).map((line) => /^(\w+) ?(.*)$/.exec(line)?.slice(1, 3) ?? []));
      assert.deepEqual(
        seen,
        {
          neighbour: names[index],
          api: 'answers',
          secrets: digests,
          resolver: 'nameserver 169.254.169.253',
          ...Object.fromEntries(kinds.map((kind, at) => [kind, names[at]])),
          done: '',
        },
        `what the task in a ${kinds[index]} sandbox sees`,
      );
    }
    nowhere('while the tasks run');
    // What the definition says of them is found: the search works.
    assert.notDeepEqual(tracesOf(platform, ['/app/password']), []);
    await sdk.stop(tasks);
    for (const task of await stopped(tasks)) {
      assert.equal(task.stopCode, 'UserInitiated');
      assert.equal(task.containers?.find((one) => one.name === 'web')?.exitCode, 4);
    }
  });

  it('ends with its exit code and all of its output; one that takes too much memory as on AWS', async () => {
    const counts = await sdk.register('counts', [script('for i in $(seq 500); do echo n $i; done; echo sorry >&2; exit 3')]);
    const eats = await sdk.register('eats', [script('echo begins; exec dd if=/dev/zero of=/dev/null bs=600M count=1')]);
    const [counting, eating] = await Promise.all([runEach(kinds, counts).then(stopped), runEach(kinds, eats).then(stopped)]);
    for (const [index, kind] of kinds.entries()) {
      const [counted, ate] = [counting[index], eating[index]];
      assert.ok(counted && ate);
      assert.equal(counted.containers?.[0]?.exitCode, 3, kind);
      assert.equal(counted.stopCode, 'EssentialContainerExited');
      const lines = await sdk.lines(counted, 'main');
      assert.ok(lines.includes('sorry'));
      assertCounted(lines.filter((line) => line !== 'sorry'));
      assert.equal(lines.length, 501);
      assert.equal(ate.containers?.[0]?.exitCode, 137, `${kind}: ${JSON.stringify(ate)}`);
      assert.match(ate.containers?.[0]?.reason ?? '', /^OutOfMemoryError: Container killed due to memory usage/, kind);
      assert.equal(ate.stoppedReason, 'Essential container in task exited');
      assert.deepEqual(await sdk.lines(ate, 'main'), ['begins']);
    }
    [...counting, ...eating].forEach(gone);
  });

  it('that is privileged, in a microVM of a cluster that allows it, runs a container of its own', async () => {
    const nested = `mkdir -p /inner/bin /inner/proc && cp /bin/busybox /inner/bin/
      unshare -m -p -f -u -i -n sh -c 'mount --bind /inner /inner && mount -t proc none /inner/proc && hostname nested &&
        exec chroot /inner /bin/busybox sh -c "echo \\$(/bin/busybox hostname) is \\$\\$; /bin/busybox ls /; exit 7"'
      echo "ended $?; $(hostname | cut -c1-3)"
      mkdir /groups && mount -t cgroup2 none /groups && echo "reserved $(cat /groups/memory.low)"`;
    await sdk.ecs.send(new CreateClusterCommand({ clusterName: 'builds', tags: [tag('berth:extensions', 'privileged')] }));
    const change = { tags: [tag('berth:extensions', 'privileged')] };
    const definition = await sdk.register('nests', [script(nested, { privileged: true, memoryReservation: 64 })], change);
    const networkConfiguration = { awsvpcConfiguration: { subnets: await sdk.subnets() } };
    const call = { taskDefinition: definition, launchType: 'FARGATE' as const, networkConfiguration, ...inKind('microvm') };
    await assert.rejects(sdk.ecs.send(new RunTaskCommand(call)), { name: 'InvalidParameterException' });
    const { tasks = [], failures } = await sdk.ecs.send(new RunTaskCommand({ ...call, cluster: 'builds' }));
    assert.deepEqual(failures, []);
    const ids = { cluster: 'builds', tasks: tasks.map((task) => task.taskArn ?? '') };
    await waitUntilTasksStopped({ client: sdk.ecs, maxWaitTime: PATIENCE_S, minDelay: 0.2, maxDelay: 1 }, ids);
    assert.deepEqual(await sdk.lines(tasks[0] ?? '', 'main'), ['nested is 1', 'bin', 'proc', 'ended 7; ip-', `reserved ${64 * 1024 ** 2}`]);
  });
});

const counter = (steps: number) => `i=0; while [ $i -lt ${steps} ]; do i=$((i+1)); echo n $i; sleep 0.05; done; exit 5`;

describe('when something dies', () => {
  let idle: string;
  let counts: string;
  before(async () => {
    idle = await sdk.register('idle', [script('exec sleep 100000', { ...init, secrets })], withSecrets);
    counts = await sdk.register('counter', [script(counter(100))]);
  });

  /** What must be the same process before and after. */
  const identity = (task: Task) => machineOf(platform, taskId(task))?.qemu ?? sandboxOf(platform, taskId(task));

  const names = (dir: string) => (existsSync(dir) ? readdirSync(dir) : []);
  /** What stands ready for tasks to come: machines and rooms that no task's files name. */
  function waiting(): string[] {
    const tasks = join(platform.state, 'host/tasks');
    const taken = names(tasks)
      .flatMap((id) => ['vm.json', 'task.json'].map((name) => join(tasks, id, name)))
      .map((path) => (existsSync(path) ? readFileSync(path, 'utf8') : ''))
      .join('\n');
    const all = [...names(join(platform.state, 'host/vms')), ...names(`/run/berth/${platform.instance}/gv`)];
    return all.filter((name) => !taken.includes(name));
  }

  async function endWell(tasks: Task[]): Promise<void> {
    await Promise.all(
      tasks.map((task) =>
        until('it is told to stop', () => sdk.ecs.send(new StopTaskCommand({ task: taskId(task) })).catch(() => undefined)),
      ),
    );
    const ended = await stopped(tasks);
    for (const task of ended) assert.equal(task.stopCode, 'UserInitiated', task.stoppedReason ?? '');
    ended.forEach(gone);
  }

  async function kill9(name: 'control' | 'host' | 'worker'): Promise<void> {
    const victim = (await until('all processes', async () => processesOf(platform)))[name];
    process.kill(victim, 'SIGKILL');
    await until(`a new ${name}`, async () => {
      const now = processesOf(platform);
      return now !== undefined && now[name] !== victim;
    });
  }

  it('the host agent, the kernel worker, the control plane: tasks go on, and nothing that they said is lost', async () => {
    const entered = walled.map((kind) => sdk.run(idle, { ...inKind(kind), enableExecuteCommand: true }));
    const stay = await running((await Promise.all(entered)).flat());
    const before = stay.map(identity);
    assert.ok(before.every((pid) => pid !== undefined));
    const write = await running(await runEach(walled, counts));
    for (const name of ['host', 'worker', 'control'] as const) await kill9(name);
    for (const task of await stopped(write)) {
      assert.equal(task.containers?.[0]?.exitCode, 5, JSON.stringify(task));
      const lines = await sdk.lines(task, 'main');
      assertCounted(lines);
      assert.equal(lines.length, 100);
    }
    assert.deepEqual(stay.map(identity), before);
    await running(stay);
    nowhere('after each was killed');
    for (const task of stay) assert.equal(await platform.ok(['exec', taskId(task), '--', 'sh', '-c', told]), `${digests}\n`);
    await platform.ok(['down', '--keep-tasks']);
    assert.deepEqual(stay.map(identity), before);
    await platform.ok(['up'], { timeoutMs: 120_000 });
    await running(stay);
    assert.deepEqual(stay.map(identity), before);
    await endWell(stay);
  });

  for (const name of ['host', 'worker', 'control'] as const) {
    it(`${name}, in the middle of starts and stops: all come to the end that was asked for`, async () => {
      const old = await running(await runEach(walled, idle));
      const [starting] = await Promise.all([runEach(walled, idle, 2), sdk.stop(old), sleep(name === 'control' ? 400 : 150)]);
      await kill9(name);
      await ready();
      await running(starting);
      (await stopped(old)).forEach(gone);
      await endWell(starting);
    });
  }

  it('the host agent, with sandboxes that stand ready: those of the former one are gone, and the next has its own', async () => {
    await endWell(await running(await runEach(walled, idle)));
    const ready = await until('some of each stand ready', async () => {
      const now = waiting();
      return now.some((name) => name.startsWith('pool-')) && now.some((name) => !name.startsWith('pool-')) && now;
    });
    await kill9('host');
    await until('none of them is left', async () => !waiting().some((name) => ready.includes(name)));
    await endWell(await running(await runEach(walled, idle)));
  });

  it('QEMU: its task says so, the others do not notice', async () => {
    const tasks = await running(await runEach(['microvm', 'microvm'], idle));
    const [one, other] = tasks;
    assert.ok(one && other);
    process.kill(machineOf(platform, taskId(one))?.qemu ?? 0, 'SIGKILL');
    const ended = (await stopped([one]))[0];
    assert.equal(ended?.stopCode, 'InfrastructureHealth');
    assert.match(ended?.stoppedReason ?? '', /^The task's virtual machine \(QEMU\) was killed by signal 9\.$/);
    gone(one);
    await running([other]);
    await endWell([other]);
  });

  it('the machine: what ran has ended, and others start', async () => {
    const tasks = await running(await runEach(walled, idle));
    await powerOff(platform);
    await platform.ok(['up'], { timeoutMs: 120_000 });
    for (const task of await stopped(tasks)) {
      assert.equal(task.stopCode, 'InfrastructureHealth');
      assert.match(task.stoppedReason ?? '', /the machine was restarted/);
      gone(task);
    }
    await endWell(await running(await runEach(walled, idle)));
  });
});

/** The lines `n 1`, `n 2`, ... without a gap and without a double. */
function assertCounted(lines: string[]): void {
  assert.deepEqual(
    lines,
    lines.map((_, index) => `n ${index + 1}`),
  );
}

/** Nothing on the machine carries the task's id any more, and no machine is there that neither a task nor the pool has. */
function gone(task: Task): void {
  const id = taskId(task);
  assert.deepEqual(inTask(id), [], 'processes are left');
  const { cgroups, mounts } = machineState(id);
  assert.deepEqual([...(cgroups ?? []), ...(mounts ?? [])], []);
  const dir = join(platform.state, 'host/tasks', id);
  assert.deepEqual(existsSync(dir) ? readdirSync(dir) : [], [], 'its files are left');
  assert.ok(!existsSync(`/run/berth/${platform.instance}/sup/${id}.sock`), 'its socket is left');
  assert.ok(!existsSync(`/run/berth/${platform.instance}/secrets/${id}`), 'its secrets are left');
}
