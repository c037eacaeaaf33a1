/** The container sandbox for real: the conformance suite, and what only something that really runs can show. Needs root. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ContainerSpec, TaskSpec } from '#domain/task-spec.ts';
import { nofileOf } from '#sandbox/container/nofile.ts';
import type { Sandbox } from '#sandbox/driver.ts';
import { createRealHost, HOG_AT_ONCE, realSandbox, scripted, untilReaped } from './real-host.ts';
import type { RealHost } from './real-host.ts';
import { sandboxConformance } from './sandbox.ts';
import { witness } from './witness.ts';

sandboxConformance('container', async () => realSandbox(await createRealHost(), { hog: HOG_AT_ONCE }));

describe('a container', () => {
  let host: RealHost;
  before(async () => {
    host = await createRealHost();
  });
  after(async () => {
    await host.close();
  });

  /** Runs a task to its end; gives back what it wrote and how it ended, and checks that nothing of it is left. */
  async function run(containers: ContainerSpec[], change: Partial<TaskSpec> = {}) {
    const plan = await host.plan(containers, change);
    const w = witness();
    let started: Sandbox | undefined;
    const output: typeof w.events.output = (records, from, to) => {
      w.events.output(records, from, to);
      started?.ack(to);
    };
    try {
      const sandbox = (started = await host.driver.start(plan, { ...w.events, output }));
      sandbox.ack(w.offset());
      const state = await w.ended();
      sandbox.ack(w.offset());
      await sandbox.release();
      assert.deepEqual(await host.leftovers(plan.taskId), []);
      return { w, state, plan, text: w.text('app') };
    } finally {
      await host.driver.clean(plan.taskId, plan.dir, plan.network);
    }
  }
  const lines = async (script: string, change: Partial<ContainerSpec> = {}, task: Partial<TaskSpec> = {}) =>
    (await run([scripted(script, change)], task)).text.trim().split('\n');

  test('is confined: no new privileges, Docker capabilities and seccomp, limits, masked and read-only paths, no devices', async () => {
    const nofile = String(nofileOf(readFileSync('/proc/self/limits', 'utf8'), readFileSync('/proc/self/status', 'utf8')));
    const status = await lines('grep -E "^(NoNewPrivs|Seccomp|CapEff|CapBnd|CapAmb):" /proc/self/status; ulimit -n; ulimit -Hn');
    assert.deepEqual(
      status.map((line) => line.replace(/\s+/g, ' ')),
      ['CapEff: 00000000a80425fb', 'CapBnd: 00000000a80425fb', 'CapAmb: 0000000000000000', 'NoNewPrivs: 1', 'Seccomp: 2', nofile, nofile],
    );
    const refused = await lines(
      [
        'unshare -m true 2>/dev/null && echo unshared',
        'mount -t tmpfs none /tmp 2>/dev/null && echo mounted',
        'echo 1 2>/dev/null > /proc/sys/kernel/hostname && echo sysctl',
        'touch /sys/x 2>/dev/null && echo sysfs',
        'mkdir /sys/fs/cgroup/x 2>/dev/null && echo cgroup',
        'cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c',
        'ls /sys/firmware | wc -l',
        'mknod /tmp/disk b 8 0 && dd if=/tmp/disk of=/dev/null count=1 2>&1 | head -1',
        'echo end',
      ].join('\n'),
    );
    assert.deepEqual(refused.slice(0, 2), ['0', '0']);
    assert.match(refused[2] ?? '', /ermission denied|not permitted/);
    assert.equal(refused.at(-1), 'end');
    const unprivileged = await lines('grep CapEff /proc/self/status', { user: 'web' });
    assert.deepEqual(unprivileged, ['CapEff:\t0000000000000000']);
    const debugger_ = await lines('grep CapEff /proc/self/status', { capabilities: { add: ['SYS_PTRACE'], drop: ['ALL'] } });
    assert.deepEqual(debugger_, ['CapEff:\t0000000000080000']);
  });

  test('has its memory reserved as the kernel does it', async () => {
    const spec = scripted('echo up; exec sleep 100', { memoryReservationBytes: 48 * 1024 ** 2 });
    const plan = await host.plan([spec]);
    const w = witness();
    const sandbox = await host.driver.start(plan, w.events);
    try {
      await w.until('it runs', () => w.text('app') === 'up\n');
      const groups = readdirSync('/sys/fs/cgroup', { recursive: true, encoding: 'utf8' }).filter((path) => path.includes(plan.taskId));
      const files = groups.filter((path) => /\/(memory\.low|memory\.soft_limit_in_bytes)$/.test(path));
      const values = files.map((path) => readFileSync(join('/sys/fs/cgroup', path), 'utf8').trim());
      assert.ok(values.includes(String(48 * 1024 ** 2)), `${files} ${values}`);
    } finally {
      sandbox.kill();
      await w.ended();
      await sandbox.release();
      await host.driver.clean(plan.taskId, plan.dir, plan.network);
    }
  });

  test('sees only its own processes, names and mounts', async () => {
    const seen = await lines('echo $$; ls -d /proc/[0-9]* | wc -l; hostname; cat /etc/hostname; grep -c berth-host /proc/self/mounts');
    assert.equal(seen[0], '1');
    assert.ok(Number(seen[1]) <= 4);
    assert.match(seen[2] ?? '', /^ip-100-\d+-0-\d+$/);
    assert.equal(seen[3], seen[2]);
  });

  test('one that can’t be made fails in its turn: what it waits for has run', async () => {
    const first = scripted('echo up', { name: 'first', essential: false });
    const plan = await host.plan([
      scripted('echo up', { user: 'nobody-knows', dependsOn: [{ container: 'first', condition: 'START' }] }),
      first,
    ]);
    const w = witness();
    const sandbox = await host.driver.start(plan, w.events);
    await w.ended();
    const [app, other] = w.state().containers;
    assert.match(app?.failure?.message ?? '', /nobody-knows/);
    assert.ok(other?.startedAtMs !== null && other?.failure === null);
    await sandbox.release();
  });

  test('can have an init that reaps, and one PID namespace for the whole task', async () => {
    const reaped = await lines(`${untilReaped}; echo $$`, { initProcess: true });
    assert.equal(reaped[0], 'reaped');
    assert.notEqual(reaped[1], '1');
    const other = scripted('sleep 30', { name: 'other', essential: false });
    const shared = await host.plan(
      [scripted('ps | grep -c "sleep 30"', { dependsOn: [{ container: 'other', condition: 'START' }] }), other],
      {
        pidMode: 'task',
      },
    );
    const w = witness();
    try {
      const sandbox = await host.driver.start(shared, w.events);
      await w.until('it ends', () => w.state().containers[0]?.status === 'exited' && w.text('app') !== '');
      assert.ok(Number(w.text('app')) >= 2);
      sandbox.kill();
      await w.ended();
      await sandbox.release();
    } finally {
      await host.driver.clean(shared.taskId, shared.dir, shared.network);
    }
  });

  test('starts quickly', async () => {
    const times: number[] = [];
    for (let n = 0; n < 20; n++) {
      const plan = await host.plan([scripted('exit 0')]);
      const w = witness();
      const from = performance.now();
      const sandbox = await host.driver.start(plan, w.events);
      times.push(performance.now() - from);
      await w.ended();
      await sandbox.release();
    }
    const [quickest = Infinity, ...others] = times.toSorted((a, b) => a - b);
    console.log(
      `# start of a sandbox: quickest ${quickest.toFixed(1)} ms, median ${others[9]?.toFixed(1)} ms, worst ${others.at(-1)?.toFixed(1)} ms`,
    );
    // What else the machine does comes on top of the others.
    assert.ok(quickest < 100, `${quickest} ms`);
  });
});
