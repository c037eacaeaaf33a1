/** A way in: `berth exec` with its streams and exit codes, ExecuteCommand's answers, and what happens when something dies in the middle. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { CreateClusterCommand, ExecuteCommandCommand, UpdateClusterCommand } from '@aws-sdk/client-ecs';
import type { ExecuteCommandCommandInput, Task } from '@aws-sdk/client-ecs';
import { taskId } from './aws-sdk.ts';
import { platformFixture } from './fixture.ts';
import { until } from './platform.ts';
import { processesOf } from './processes.ts';

const { platform, sdk } = await platformFixture();
let task: Task;
let id: string;

before(async () => {
  const sleeps = (name: string) => ({ name, image: 'busybox', command: ['sleep', '100000'], essential: name === 'app', stopTimeout: 2 });
  const definition = await sdk.register('two', [sleeps('app'), sleeps('side')]);
  const [ran] = await sdk.running(await sdk.run(definition, { enableExecuteCommand: true }));
  assert.ok(ran);
  task = ran;
  id = taskId(task);
});

/** `berth exec` with bytes both ways. */
async function exec(args: string[], input: Buffer | null = Buffer.alloc(0)) {
  const child = spawn(join(platform.home, 'berth'), ['exec', ...args], {
    env: { ...process.env, BERTH_STATE: platform.state, NO_COLOR: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  if (input !== null) child.stdin.end(input);
  const ended = once(child, 'close') as Promise<[number]>;
  return {
    child,
    printed: () => Buffer.concat(out).toString(),
    end: async () => ({ code: (await ended)[0], out: Buffer.concat(out), err: Buffer.concat(err).toString() }),
  };
}
const command = (input: Partial<ExecuteCommandCommandInput>) =>
  sdk.ecs.send(new ExecuteCommandCommand({ task: id, container: 'app', command: 'sh', interactive: true, ...input }));

describe('berth exec', () => {
  it('has the streams and the exit code of the command', async () => {
    const { code, out, err } = await (await exec([id, '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'])).end();
    assert.deepEqual([code, out.toString(), err], [7, 'out\n', 'err\n']);
    const side = await (await exec([id, '-c', 'side', '-u', '65534', '--', 'id', '-u'])).end();
    assert.deepEqual([side.code, side.out.toString()], [0, '65534\n']);
  });

  it('carries any bytes whole, and the end of the input', async () => {
    const bytes = randomBytes(3_000_000);
    const { code, out } = await (await exec([id, '--', 'cat'], bytes)).end();
    assert.equal(code, 0);
    assert.ok(out.equals(bytes));
  });

  it('many at once, each with its own', async () => {
    const all = await Promise.all(Array.from({ length: 12 }, (_, n) => exec([id, '--', 'sh', '-c', `echo ${n}; exit ${n}`])));
    for (const [n, one] of all.entries()) {
      const { code, out } = await one.end();
      assert.deepEqual([code, out.toString()], [n, `${n}\n`]);
    }
  });

  it('hands a signal on', async () => {
    const one = await exec([id, '--', 'sh', '-c', 'trap "echo got; exit 5" INT; echo up; while :; do sleep 0.1; done'], null);
    await until('it runs', async () => one.printed() === 'up\n');
    one.child.kill('SIGINT');
    const { code, out } = await one.end();
    assert.deepEqual([code, out.toString()], [5, 'up\ngot\n']);
  });

  it('says what is wrong: no such container, no such command, not enabled', async () => {
    const refused = async (args: string[], text: RegExp) => {
      const { code, err } = await (await exec(args)).end();
      assert.equal(code, 1, err);
      assert.match(err, text);
    };
    await refused([id, '-c', 'nobody', '--', 'true'], /no container 'nobody' \(app, side\)/);
    await refused([id, '--', '/no/such'], /\/no\/such/);
    const [off] = await sdk.running(await sdk.run('two'));
    assert.ok(off);
    await refused([taskId(off), '--', 'true'], /without enableExecuteCommand/);
    await assert.rejects(command({ task: taskId(off) }), { name: 'InvalidParameterException', message: /execute command was not enabled/ });
    await sdk.stopped((await sdk.stop([off]), [off]));
  });
});

describe('ExecuteCommand', () => {
  it('tells who would run it, and refuses with AWS’s errors', async () => {
    const [described] = await sdk.describe([task]);
    const agents = described?.containers?.find((one) => one.name === 'app')?.managedAgents ?? [];
    assert.deepEqual(
      agents.map((agent) => [agent.name, agent.lastStatus, agent.lastStartedAt instanceof Date]),
      [['ExecuteCommandAgent', 'RUNNING', true]],
    );
    const refused = (input: Partial<ExecuteCommandCommandInput>, name: string, message: RegExp) =>
      assert.rejects(command(input), (error: Error) => error.name === name && message.test(error.message));
    await refused({ interactive: false }, 'InvalidParameterException', /Interactive is the only mode/);
    await refused({ container: 'nobody' }, 'InvalidParameterException', /nobody/);
    await refused({ container: undefined }, 'InvalidParameterException', /app, side/);
    await refused({ task: '0'.repeat(32) }, 'InvalidParameterException', /referenced task was not found/);
    await refused({ cluster: 'nobody' }, 'ClusterNotFoundException', /Cluster not found/);
  });

  it('makes a session whose token is good for one connection', async () => {
    const { session, containerName } = await command({ command: 'echo hi' });
    assert.equal(containerName, 'app');
    assert.match(session?.sessionId ?? '', /^ecs-execute-command-[0-9a-f]{17}$/);
    const knock = async (token: string) => {
      const socket = new WebSocket(session?.streamUrl ?? '');
      socket.binaryType = 'arraybuffer';
      const opened = await Promise.race([once(socket, 'open').then(() => true), once(socket, 'close').then(() => false)]);
      if (!opened) return 'close'; // the session is over already
      const answer = Promise.race([once(socket, 'message').then(() => 'message'), once(socket, 'close').then(() => 'close')]);
      socket.send(JSON.stringify({ MessageSchemaVersion: '1.0', RequestId: 'r', TokenValue: token, ClientId: 'c', ClientVersion: '1' }));
      const what = await answer;
      socket.close();
      return what;
    };
    assert.equal(await knock('wrong'), 'close');
    assert.equal(await knock(session?.tokenValue ?? ''), 'message');
    assert.equal(await knock(session?.tokenValue ?? ''), 'close');
  });

  it('checks how a cluster wants sessions recorded', async () => {
    const executeCommandConfiguration = { logging: 'OVERRIDE' as const, logConfiguration: { s3BucketName: 'bucket' } };
    const configuration = { executeCommandConfiguration };
    await assert.rejects(sdk.ecs.send(new CreateClusterCommand({ clusterName: 'recorded', configuration })), /s3BucketName/);
    await assert.rejects(
      sdk.ecs.send(
        new UpdateClusterCommand({ cluster: 'default', configuration: { executeCommandConfiguration: { logging: 'OVERRIDE' } } }),
      ),
      /cloudWatchLogGroupName/,
    );
  });
});

describe('what dies in the middle', () => {
  it('ends, and says so, when its container or the control plane is killed; so does what ran inside', async () => {
    const mark = String(100_000 + process.pid);
    const begin = async () => {
      const one = await exec([id, '-c', 'side', '--', 'sh', '-c', `echo up; exec sleep ${mark}`], null);
      await until('it runs', async () => one.printed() === 'up\n');
      return one;
    };
    const inside = async () =>
      (await (await exec([id, '-c', 'side', '--', 'sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'])).end()).out.toString();
    const one = await begin();
    const control = processesOf(platform)?.control ?? assert.fail('no control plane');
    process.kill(control, 'SIGKILL');
    const { code, err } = await one.end();
    assert.equal(code, 1);
    assert.match(err, /cut off/);
    await until(
      'another control plane answers',
      async () => (processesOf(platform)?.control ?? control) !== control && (await platform.berth(['ps'])).code === 0,
    );
    await until('the command is gone', async () => {
      const seen = await inside();
      return seen.includes('sleep 100000') && !seen.includes(`sleep ${mark}`);
    });
    const two = await begin();
    await sdk.stop([task]);
    assert.equal((await two.end()).code, 137);
  });
});
