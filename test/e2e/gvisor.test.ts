/** Tasks in gVisor through the stock SDK, while berth's own processes are killed under them. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { script, taskId } from './aws-sdk.ts';
import { platformFixture } from './fixture.ts';
import { until } from './platform.ts';
import { processesOf } from './processes.ts';

const BURST = 6;
const TICKS = "trap 'exit 7' TERM; n=0; while :; do echo $n; n=$((n+1)); sleep 0.1; done";

const { platform, sdk } = await platformFixture({ isolation: 'gvisor' });

const rooms = () => readdirSync(join('/run/berth', platform.instance, 'gv'));
const ready = async () => {
  const status = JSON.parse(await platform.ok(['status', '--json'])) as {
    hosts: { usage: { sandboxes: { kind: string; ready: number }[] } }[];
  };
  return status.hosts[0]?.usage.sandboxes.find((one) => one.kind === 'gvisor')?.ready ?? 0;
};

describe('tasks in gVisor', () => {
  it('run, say what they run in, and end with their own exit codes and all their output', async () => {
    const lines = Array.from({ length: 2000 }, (_, n) => `line ${n}`);
    const main = script('cat /proc/version; n=0; while [ $n -lt 2000 ]; do echo line $n; n=$((n+1)); done; exit 3');
    const { task, printed, exitCode } = await sdk.toEnd('prints', [main, script('exit 0', { name: 'side', essential: false })]);
    assert.equal(exitCode('main'), 3);
    assert.match(printed['main']?.[0] ?? '', /^Linux version 4\.4\.0/);
    assert.deepEqual(printed['main']?.slice(1), lines);
    assert.equal(task.attributes?.find((one) => one.name === 'berth.isolation')?.value, 'gvisor');
  });

  it('that take too much memory say so in AWS words', async () => {
    const { task, exitCode } = await sdk.toEnd('hog', [script('exec dd if=/dev/zero of=/dev/null bs=1000M count=1')]);
    assert.equal(exitCode('main'), 137);
    assert.match(task.containers?.[0]?.reason ?? '', /^OutOfMemoryError/);
  });

  it('whose sandbox is killed stop with a true reason', async () => {
    const [task] = await sdk.running(await sdk.run(await sdk.register('ticks', [script(TICKS)])));
    assert.ok(task);
    const dir = join(platform.state, 'host/tasks', taskId(task));
    const { room } = (JSON.parse(readFileSync(join(dir, 'task.json'), 'utf8')) as { runtime: { room: string } }).runtime;
    const sandbox = readdirSync('/proc').find((pid) => {
      const command = /^\d+$/.test(pid) && existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : '';
      return command.startsWith('runsc-sandbox') && command.includes(`--root=${room}\0`);
    });
    process.kill(Number(sandbox), 'SIGKILL');
    const [ended] = await sdk.stopped([task]);
    assert.equal(ended?.stoppedReason, "The task's gVisor sandbox is gone: it was killed by signal 9");
    assert.equal(ended?.stopCode, 'InfrastructureHealth');
    assert.equal(ended?.containers?.[0]?.exitCode, 137);
  });

  it('run on when the host agent is killed, whose pool goes with it and comes back', async () => {
    await until('the pool is full', async () => (await ready()) >= 2);
    const [task] = await sdk.running(await sdk.run('ticks'));
    assert.ok(task);
    const before = processesOf(platform);
    assert.ok(before);
    const pool = rooms();
    process.kill(before.host, 'SIGKILL');
    await until('a new host agent', async () => {
      const now = processesOf(platform);
      return now !== undefined && now.host !== before.host;
    });
    await until('another pool', async () => (await ready()) >= 2 && rooms().filter((name) => pool.includes(name)).length <= 1);
    await until('it goes on to write', async () => (await sdk.lines(task, 'main')).length > 5);
    await sdk.stop([task]);
    const [ended] = await sdk.stopped([task]);
    assert.equal(ended?.containers?.[0]?.exitCode, 7);
    const numbers = await sdk.lines(task, 'main');
    assert.deepEqual(
      numbers,
      numbers.map((_, n) => String(n)),
    );
  });

  it(`start ${BURST} at once, more than the pool has, and leave nothing when they end`, async () => {
    const tasks = await sdk.running(await sdk.run('ticks', { count: BURST }), 120);
    // One that is told to end before its trap is set ends by the signal.
    for (const task of tasks) await until('it ticks', async () => (await sdk.lines(task, 'main')).length > 0);
    await sdk.stop(tasks);
    for (const ended of await sdk.stopped(tasks)) assert.equal(ended.containers?.[0]?.exitCode, 7);
    await until('no task’s files', async () => readdirSync(join(platform.state, 'host/tasks')).length === 0);
    await until('only the pool’s rooms', async () => rooms().every((name) => name.startsWith('pool-')) && rooms().length <= 2);
  });
});
