/** The container sandbox for real: the conformance suite, and what only something that really runs can show. Needs root. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { ContainerSpec, TaskSpec } from '#domain/task-spec.ts';
import { nofileOf } from '#sandbox/container/nofile.ts';
import type { Sandbox } from '#sandbox/driver.ts';
import { createRealHost, scripted } from './real-host.ts';
import type { RealHost } from './real-host.ts';
import { runs, sandboxConformance, stateOf, witness } from './sandbox.ts';
import type { Life } from './sandbox.ts';

const MIB = 1024 * 1024;

function container(life: Life, change: Partial<ContainerSpec> = {}): ContainerSpec {
  if (life.broken) return scripted('', { entryPoint: ['/no/such/command'], command: null, ...change });
  const prints = (life.prints ?? []).map((line) => `echo '${line}'`);
  const trap = life.deaf ? `trap '' TERM` : `trap 'exit 143' TERM`;
  const end = life.exits === undefined ? 'while :; do sleep 0.05; done' : `exit ${life.exits}`;
  return scripted([trap, ...prints, end].join('\n'), change);
}

sandboxConformance('container', async () => {
  const host = await createRealHost();
  return { driver: host.driver, container, script: scripted, plan: host.plan, close: host.close };
});

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

  test('runs the command of the image when the definition has none, in its environment', async () => {
    const image = await run([scripted('', { entryPoint: null, command: null })]);
    assert.equal(image.text, 'from the image\n');
    const env = await lines('env', { environment: { FROM: 'definition', EMPTY: '' } });
    assert.ok(env.includes('FROM=definition') && env.includes('EMPTY=') && env.includes('PATH=/bin'));
    assert.ok(env.includes('HOME=/root'));
    assert.ok(env.some((line) => /^HOSTNAME=ip-100-\d+-0-\d+$/.test(line)));
  });

  test('runs as the user and in the directory that are wanted', async () => {
    assert.deepEqual(await lines('id; pwd; echo $HOME', { user: 'web', workingDirectory: '/home/web' }), [
      'uid=1001(web) gid=1002(web) groups=1003(staff)',
      '/home/web',
      '/home/web',
    ]);
    assert.deepEqual(await lines('id -u; id -g', { user: '4000:5000' }), ['4000', '5000']);
    const nobody = await run([scripted('id', { user: 'nobody-knows' })]);
    assert.match(stateOf(nobody.w, 'app').failure?.message ?? '', /nobody-knows/);
  });

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

  test('sees only its own processes, names and mounts', async () => {
    const seen = await lines('echo $$; ls -d /proc/[0-9]* | wc -l; hostname; cat /etc/hostname; grep -c berth-host /proc/self/mounts');
    assert.equal(seen[0], '1');
    assert.ok(Number(seen[1]) <= 4);
    assert.match(seen[2] ?? '', /^ip-100-\d+-0-\d+$/);
    assert.equal(seen[3], seen[2]);
  });

  test('keeps its root to itself, read-only where that is wanted', async () => {
    assert.deepEqual(await lines('echo x > /new && cat /new'), ['x']);
    assert.deepEqual(await lines('ls /new 2>/dev/null || echo gone'), ['gone']);
    const script = 'touch /x 2>&1 | head -1; touch /tmp/x && echo tmp; df /dev/shm | tail -1 | tr -s " " | grep -o 65536 | head -1';
    const found = await lines(script.replace('df', 'busybox df'), {
      readOnlyRoot: true,
      tmpfs: [{ path: '/tmp', sizeBytes: MIB, options: ['mode=1777'] }],
    });
    assert.match(found[0] ?? '', /Read-only file system/);
    assert.deepEqual(found.slice(1), ['tmp', '65536']);
  });

  test('shares volumes, network and nothing else with the other containers of its task', async () => {
    const volumes = [{ name: 'data', kind: 'scratch' } as const];
    const mount = (readOnly: boolean) => [{ volume: 'data', path: '/data', readOnly }];
    const writer = scripted('echo shared > /data/file; echo hi | nc -l -p 8080', {
      name: 'writer',
      essential: false,
      mounts: mount(false),
    });
    const reader = scripted(
      'while ! cat /data/file 2>/dev/null; do sleep 0.02; done; until nc 127.0.0.1 8080 </dev/null 2>/dev/null; do sleep 0.02; done; touch /data/x 2>&1',
      { mounts: mount(true), dependsOn: [{ container: 'writer', condition: 'START' }] },
    );
    const { text } = await run([writer, reader], { volumes });
    assert.match(text, /^shared\nhi\ntouch: \/data\/x: Read-only file system\n$/);
  });

  test('has an address of its own, a way to its gateway, and two tasks may listen on one port', async () => {
    const server = await host.plan([scripted('while :; do echo hello | nc -l -p 80; done')]);
    const w = witness();
    try {
      const sandbox = await host.driver.start(server, w.events);
      await w.until('it runs', () => runs(w, 'app'));
      const client = await run([
        scripted(
          `ip -4 addr show eth0 | grep -o "inet [0-9.]*"; until nc ${server.network.ip} 80 </dev/null 2>/dev/null; do sleep 0.02; done`,
        ),
      ]);
      assert.deepEqual(client.text.trim().split('\n'), [`inet ${client.plan.network.ip}`, 'hello']);
      sandbox.kill();
      await w.ended();
      await sandbox.release();
    } finally {
      await host.driver.clean(server.taskId, server.dir, server.network);
    }
  });

  test('is killed when it takes more memory than it may, its own limit or the task’s', async () => {
    const own = await run([scripted('exec tail /dev/zero', { memoryBytes: 32 * MIB })]);
    assert.equal(stateOf(own.w, 'app').exitCode, 137);
    assert.equal(stateOf(own.w, 'app').oomKilled, true);
    const task = await run([scripted('exec tail /dev/zero')], { memoryBytes: 48 * MIB });
    assert.equal(stateOf(task.w, 'app').exitCode, 137);
    assert.equal(stateOf(task.w, 'app').oomKilled, true);
    const within = await run([scripted('echo fine', { memoryBytes: 32 * MIB })]);
    assert.equal(stateOf(within.w, 'app').oomKilled, false);
  });

  test('gets no more processor than its task asked for', async () => {
    // Its share of the time that passed, so that a busy machine makes no difference: fields 14 and 15 of proc(5)'s stat, in 1/100 s.
    const busy = 'i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done; set -- $(cat /proc/$$/stat); echo $((${14} + ${15}))';
    const { w } = await run([scripted(busy)], { cpuMillis: 200 });
    const { startedAtMs, finishedAtMs } = stateOf(w, 'app');
    const usedMs = Number(w.text('app')) * 10;
    const passedMs = (finishedAtMs ?? 0) - (startedAtMs ?? 0);
    assert.ok(usedMs > 200, `only ${usedMs} ms used: too little to tell`);
    // A period's quota may be used up at the start and once more at the end.
    assert.ok(usedMs < passedMs * 0.2 + 100, `${usedMs} ms of processor in ${passedMs} ms at 0.2 cores`);
  });

  test('can have an init that reaps, and one PID namespace for the whole task', async () => {
    const reaped = await lines('(sleep 0.05 &) ; sleep 0.3; ps | grep -c "\\[sleep\\]" ; echo $$', { initProcess: true });
    assert.equal(reaped[0], '0');
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

  test('writes as fast as it likes and no line is lost', async () => {
    const { w } = await run([scripted('seq 1 200000')]);
    const text = w.text('app');
    assert.equal(text.length, Array.from({ length: 200000 }, (_, n) => n + 1).join('\n').length + 1);
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
    const median = times.toSorted((a, b) => a - b)[10] ?? Infinity;
    console.log(`# start of a sandbox: median ${median.toFixed(1)} ms, worst ${Math.max(...times).toFixed(1)} ms`);
    assert.ok(median < 100);
  });
});
