/** What a task is from inside: apart from everything else, within its limits, with a network and volumes of its own. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { after, before, describe, it } from 'node:test';
import type { Task } from '@aws-sdk/client-ecs';
import { addressOf, script, taskId } from './aws-sdk.ts';
import type { Ended } from './aws-sdk.ts';
import { platformFixture } from './fixture.ts';
import { createOutside } from './outside.ts';
import type { Outside } from './outside.ts';
import { until } from './platform.ts';

/** Docker's default capabilities, as the kernel writes them. */
const DOCKER_CAPABILITIES = '00000000a80425fb';

const { platform, sdk } = await platformFixture();

/** Fargate's 65,535, or less where this machine's root is itself held to less (no CAP_SYS_RESOURCE). */
function nofile(): number {
  const capabilities = BigInt(`0x${/^CapEff:\s+(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]}`);
  const hard = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
  return (capabilities >> 24n) & 1n ? 65_535 : Math.min(65_535, hard);
}

/** Lines `name value` into a record. */
const facts = (lines: string[] = []) => Object.fromEntries(lines.map((line) => [line.split(' ')[0], line.slice(line.indexOf(' ') + 1)]));

describe('isolation', () => {
  let ended: Ended;
  let seen: Record<string, string>;
  before(async () => {
    ended = await sdk.toEnd('facts', [
      script(`
        echo "pid $$"
        echo "processes $(ls /proc | grep -c '^[0-9]')"
        for ns in pid net mnt ipc uts cgroup; do echo "ns-$ns $(readlink /proc/self/ns/$ns)"; done
        echo "hostname $(hostname)"
        echo "hosts $(grep -c "$(hostname | cut -d. -f1)" /etc/hosts)"
        for field in CapEff CapBnd CapInh CapAmb Seccomp NoNewPrivs; do echo "$field $(sed -n "s/^$field:[[:space:]]*//p" /proc/self/status)"; done
        echo "nofile-soft $(ulimit -Sn)"
        echo "nofile-hard $(ulimit -Hn)"
        echo "kcore $(dd if=/proc/kcore bs=1 count=1 2>/dev/null | wc -c)"
        echo "keys $(cat /proc/keys 2>/dev/null | wc -c)"
        echo "firmware $(ls /sys/firmware | wc -l)"
        echo "proc-sys $( (echo 1 > /proc/sys/kernel/panic) 2>&1)"
        echo "sysrq $( (echo h > /proc/sysrq-trigger) 2>&1)"
        echo "sysfs $( (echo 1 > /sys/kernel/mm/ksm/run) 2>&1)"
        echo "mount $(mount -t tmpfs none /mnt 2>&1 | wc -l)"
        echo "mknod $(mknod /tmp/sda b 8 0 2>/dev/null && cat /tmp/sda 2>&1 | head -c 100)"
        echo "user $(id -u):$(id -g)"
        echo "root-write $(touch /written && echo yes)"
        echo "shm $(df -k /dev/shm | awk 'NR==2 {print $2}')"
        echo "mountinfo $(grep -c berth /proc/self/mountinfo)"
      `),
    ]);
    seen = facts(ended.printed['main']);
  });

  it('has namespaces of its own', () => {
    assert.equal(ended.exitCode('main'), 0, JSON.stringify(ended.task, null, 1));
    assert.equal(seen['pid'], '1');
    assert.ok(Number(seen['processes']) < 6, `${seen['processes']} processes are seen`);
    for (const ns of ['pid', 'net', 'mnt', 'ipc', 'uts']) {
      assert.match(seen[`ns-${ns}`] ?? '', /^\w+:\[\d+\]$/);
      assert.notEqual(seen[`ns-${ns}`], readlinkSync(`/proc/self/ns/${ns}`), `the ${ns} namespace is the machine's`);
    }
    assert.match(seen['hostname'] ?? '', new RegExp(`^ip-${addressOf(ended.task).replaceAll('.', '-')}`));
    assert.equal(seen['hosts'], '1');
  });

  it('has Docker’s default capabilities and seccomp filter, and gets no new privileges', () => {
    assert.equal(seen['CapEff'], DOCKER_CAPABILITIES);
    assert.equal(seen['CapBnd'], DOCKER_CAPABILITIES);
    assert.equal(seen['CapAmb'], '0000000000000000');
    assert.equal(seen['Seccomp'], '2');
    assert.equal(seen['NoNewPrivs'], '1');
  });

  it('has Fargate’s nofile', () => {
    assert.equal(seen['nofile-soft'], String(nofile()));
    assert.equal(seen['nofile-hard'], String(nofile()));
  });

  it('sees nothing of the kernel’s and the machine’s own', () => {
    assert.equal(seen['kcore'], '0');
    assert.equal(seen['keys'], '0');
    assert.equal(seen['firmware'], '0');
    // Not every kernel has a sysrq trigger.
    for (const path of ['proc-sys', 'sysrq', 'sysfs']) assert.match(seen[path] ?? '', /Read-only|denied|nonexistent/i, path);
    assert.notEqual(seen['mount'], '0', 'a mount succeeded');
    assert.match(seen['mknod'] ?? '', /not permitted|denied|^$/);
    assert.equal(seen['shm'], '65536');
  });

  it('is root inside, with a root file system to write to, unless told otherwise', async () => {
    assert.equal(seen['user'], '0:0');
    assert.equal(seen['root-write'], 'yes');
    const other = await sdk.toEnd(
      'other',
      [
        script(
          `echo "user $(id -u):$(id -g)"; echo "cap $(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)"; ` +
            `echo "root $(touch /written 2>&1)"; echo "tmpfs $(touch /scratch/x && echo yes)"; echo "cwd $(pwd)"; echo "env $GREETING"`,
          {
            user: '1000:1001',
            readonlyRootFilesystem: true,
            workingDirectory: '/var/www',
            mountPoints: [{ sourceVolume: 'scratch', containerPath: '/scratch' }],
            environment: [{ name: 'GREETING', value: 'good morning' }],
            linuxParameters: { initProcessEnabled: true },
          },
        ),
      ],
      { volumes: [{ name: 'scratch' }] },
    );
    const of = facts(other.printed['main']);
    assert.equal(of['user'], '1000:1001');
    assert.equal(of['cap'], '0000000000000000');
    assert.match(of['root'] ?? '', /Read-only/);
    assert.equal(of['cwd'], '/var/www');
    assert.equal(of['env'], 'good morning');
  });
});

describe('limits', () => {
  it('ends a container that takes more memory than it may, and says so', async () => {
    const eat = 'exec dd if=/dev/zero of=/dev/null bs=600M count=1';
    const [ofContainer, ofTask] = await Promise.all([
      sdk.toEnd('eats', [script(eat, { memory: 32 })]),
      sdk.toEnd('eats-all', [script(eat)]),
    ]);
    for (const ended of [ofContainer, ofTask]) {
      assert.equal(ended.exitCode('main'), 137);
      assert.match(ended.task.containers?.[0]?.reason ?? '', /^OutOfMemoryError/);
      assert.equal(ended.task.stopCode, 'EssentialContainerExited');
      assert.equal(ended.task.stoppedReason, 'Essential container in task exited');
    }
  });

  it('gives a quarter of a CPU to who asked for that', async () => {
    // The quota begins a period after the first container, and is looked at for a time, not for some amount of work: how fast the machine is makes no difference.
    const ended = await sdk.toEnd('burns', [script(`sleep 0.3; time -p timeout 2 sh -c 'while :; do :; done' 2>&1`)]);
    const time = facts(ended.printed['main']);
    const share = (Number(time['user']) + Number(time['sys'])) / Number(time['real']);
    assert.ok(Number(time['real']) >= 1.9, `too short to tell: ${time['real']} s`);
    assert.ok(share > 0.05, `it got ${share.toFixed(2)} of a core: nothing was counted`);
    assert.ok(share < 0.33, `it got ${share.toFixed(2)} of a core`);
  });

  it('limits the processes of a task', async () => {
    const [task] = await sdk.running(
      await sdk.run(await sdk.register('counts', [script('sleep 1000', { linuxParameters: { initProcessEnabled: true } })])),
    );
    assert.ok(task);
    assert.equal(readFileSync(pidsMax(taskId(task)), 'utf8').trim(), '4096');
    await sdk.stop([task]);
    await sdk.stopped([task]);
  });
});

/** The task's pids.max, in whichever hierarchy this machine has. */
function pidsMax(id: string): string {
  const inside = `berth-${platform.instance}/${id}/pids.max`;
  return readdirSync('/sys/fs/cgroup').includes('cgroup.controllers') ? `/sys/fs/cgroup/${inside}` : `/sys/fs/cgroup/pids/${inside}`;
}

describe('containers of one task', () => {
  it('start in order, share localhost and volumes, and end together', async () => {
    const volume = { mountPoints: [{ sourceVolume: 'shared', containerPath: '/shared' }] };
    const ended = await sdk.toEnd(
      'trio',
      [
        script('wget -qO- http://127.0.0.1:9000/answer.txt; cat /shared/from-first; exit 5', {
          name: 'main',
          dependsOn: [
            { containerName: 'first', condition: 'SUCCESS' },
            { containerName: 'server', condition: 'START' },
          ],
          command: ['sh', '-c', 'until wget -qO- http://127.0.0.1:9000/answer.txt; do sleep 0.05; done; cat /shared/from-first; exit 5'],
          ...volume,
        }),
        script('sleep 0.3; echo "made first" > /shared/from-first', { name: 'first', essential: false, ...volume }),
        script("trap 'echo got TERM; exit 0' TERM; mkdir /w; echo from-server > /w/answer.txt; httpd -f -p 127.0.0.1:9000 -h /w & wait", {
          name: 'server',
          essential: false,
          stopTimeout: 10,
        }),
      ],
      { volumes: [{ name: 'shared' }] },
    );
    assert.deepEqual(ended.printed['main'], ['from-server', 'made first']);
    assert.deepEqual(
      ['main', 'first', 'server'].map((name) => ended.exitCode(name)),
      [5, 0, 0],
    );
    assert.deepEqual(ended.printed['server'], ['got TERM']);
    assert.equal(ended.task.stopCode, 'EssentialContainerExited');
  });

  it('share a PID namespace when the definition says so', async () => {
    const look = 'readlink /proc/self/ns/pid; ls /proc | grep -qx "$$" && echo "as $$"';
    const containers = [
      script(look, { name: 'main', dependsOn: [{ containerName: 'other', condition: 'COMPLETE' }] }),
      script(look, { name: 'other', essential: false }),
    ];
    const ended = await sdk.toEnd('pids', containers, { pidMode: 'task' });
    const [namespace, pid] = ended.printed['main'] ?? [];
    const [otherNamespace, otherPid] = ended.printed['other'] ?? [];
    assert.match(namespace ?? '', /^pid:/);
    assert.equal(namespace, otherNamespace);
    assert.notEqual(pid, otherPid);
  });

  it('keep each other waiting only as long as a dependency can be met', async () => {
    const ended = await sdk.toEnd('unmet', [
      script('echo never', { name: 'main', dependsOn: [{ containerName: 'first', condition: 'SUCCESS' }] }),
      script('exit 9', { name: 'first', essential: false }),
    ]);
    assert.equal(ended.task.stopCode, 'TaskFailedToStart');
    assert.equal(ended.exitCode('first'), 9);
    assert.equal(ended.exitCode('main'), undefined);
  });
});

describe('health checks', () => {
  const idle = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
  const check = (command: string) => ({ command: ['CMD-SHELL', command], interval: 5, timeout: 5, retries: 1, startPeriod: 0 });

  it('make a task HEALTHY, and UNHEALTHY with the reason; what depends on HEALTHY waits', async () => {
    const containers = [
      script('echo after; ' + idle, {
        name: 'main',
        healthCheck: check('[ ! -e /tmp/sick ]'),
        dependsOn: [{ containerName: 'db', condition: 'HEALTHY' }],
      }),
      script(`sleep 1; echo ready; > /tmp/ready; ${idle}`, {
        name: 'db',
        healthCheck: check('[ -e /tmp/ready ] || { echo not yet; exit 1; }'),
      }),
    ];
    const [task] = await sdk.running(await sdk.run(await sdk.register('checked', containers)));
    assert.ok(task);
    const seen = async () => (await sdk.describe([task]))[0];
    const healthOf = (now: Task | undefined, name: string) => now?.containers?.find((one) => one.name === name)?.healthStatus;
    const healthy = await until('it is HEALTHY', async () => {
      const now = await seen();
      return now?.healthStatus === 'HEALTHY' && now;
    });
    assert.deepEqual([healthOf(healthy, 'main'), healthOf(healthy, 'db')], ['HEALTHY', 'HEALTHY']);
    const [ready] = await sdk.events(task, 'db');
    const [after] = await sdk.events(task, 'main');
    assert.deepEqual([ready?.message, after?.message], ['ready', 'after']);
    assert.ok((after?.timestamp ?? 0) >= (ready?.timestamp ?? Infinity));
    await sdk.stop([task]);
    await sdk.stopped([task]);
  });

  it('say why a container is UNHEALTHY, which ends no task of its own', async () => {
    const [task] = await sdk.running(
      await sdk.run(await sdk.register('sick', [script(idle, { healthCheck: check('echo no database; exit 3') })])),
    );
    assert.ok(task);
    assert.equal(task.healthStatus, 'UNKNOWN');
    const sick = await until('it is UNHEALTHY', async () => {
      const [now] = await sdk.describe([task]);
      return now?.healthStatus === 'UNHEALTHY' && now;
    });
    assert.equal(sick.lastStatus, 'RUNNING');
    assert.equal(sick.containers?.[0]?.reason, 'its health check ended with exit code 3: no database');
    assert.ok((sick.version ?? 0) > (task.version ?? Infinity));
    await sdk.stop([task]);
    await sdk.stopped([task]);
  });

  it('end a task whose container waits for one that is UNHEALTHY', async () => {
    const containers = [
      script('echo never', { name: 'main', dependsOn: [{ containerName: 'db', condition: 'HEALTHY' }] }),
      script(idle, { name: 'db', healthCheck: check('exit 1') }),
    ];
    const ended = await sdk.toEnd('waits-in-vain', containers);
    assert.equal(ended.task.stopCode, 'TaskFailedToStart');
    assert.match(
      ended.task.stoppedReason ?? '',
      /ordering dependency \[db\] for target \[\w+\] because dependency has to be HEALTHY, but is UNHEALTHY/,
    );
    assert.equal(ended.task.containers?.find((one) => one.name === 'db')?.healthStatus, 'UNHEALTHY');
  });
});

describe('the end of a task', () => {
  const endings = async (tasks: Task[]) => {
    const [task] = await sdk.running(tasks);
    // Before that its trap isn't set.
    await until('it is up', async () => (await sdk.lines(task?.taskArn ?? '', 'main')).includes('up'));
    const began = Date.now();
    await sdk.stop(tasks, 'the test is over');
    const ended = await sdk.stopped(tasks);
    return { ended, tookMs: Date.now() - began };
  };

  it('comes by SIGTERM, and by SIGKILL after stopTimeout', async () => {
    const polite = await sdk.register('polite', [
      script("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done", { stopTimeout: 20 }),
    ]);
    const deaf = await sdk.register('deaf', [script("trap '' TERM; echo up; while :; do sleep 0.05; done", { stopTimeout: 2 })]);
    const [first, second] = await Promise.all([sdk.run(polite).then(endings), sdk.run(deaf).then(endings)]);
    assert.equal(first.ended[0]?.containers?.[0]?.exitCode, 7);
    assert.ok(first.tookMs < 15_000, `took ${first.tookMs} ms`);
    assert.deepEqual(await sdk.lines(first.ended[0]?.taskArn ?? '', 'main'), ['up', 'bye']);
    assert.equal(second.ended[0]?.containers?.[0]?.exitCode, 137);
    // Thirty seconds unless it is told otherwise.
    assert.ok(second.tookMs >= 1900 && second.tookMs < 15_000, `took ${second.tookMs} ms`);
    for (const { ended } of [first, second]) {
      assert.equal(ended[0]?.stopCode, 'UserInitiated');
      assert.equal(ended[0]?.stoppedReason, 'the test is over');
      assert.equal(ended[0]?.desiredStatus, 'STOPPED');
    }
  });

  it('has every timestamp, in the order of the states', async () => {
    const { task } = await sdk.toEnd('ordered', [script('exit 3')]);
    const times = [
      task.createdAt,
      task.connectivityAt,
      task.pullStartedAt,
      task.pullStoppedAt,
      task.startedAt,
      task.stoppingAt,
      task.executionStoppedAt,
      task.stoppedAt,
    ].map((time) => time?.getTime() ?? Number.NaN);
    assert.ok(
      times.every((time) => time > 0),
      JSON.stringify(task, null, 1),
    );
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
      times.join(' '),
    );
    assert.equal(task.containers?.[0]?.exitCode, 3);
    assert.equal(task.attachments?.[0]?.status, 'DELETED');
  });

  it('keeps the output of each container as its log options say, and shows also what has none', async () => {
    const logged = (name: string, text: string, more: Record<string, string>) => {
      const made = script(`${text}; sleep 60`, { name, stopTimeout: 1 });
      return { ...made, logConfiguration: { ...made.logConfiguration!, options: { ...made.logConfiguration?.options, ...more } } };
    };
    const stack = "printf 'START one\\n  at a\\n  at b\\nSTART two\\n'";
    const dated = "printf '[2026-01-02 03:04:05] one\\n more\\n[2026-01-02 03:04:06] two\\n'";
    const { logConfiguration: _, ...silent } = script('for i in 1 2 3; do echo unlogged $i; done; sleep 60', {
      name: 'silent',
      stopTimeout: 1,
    });
    const arn = await sdk.register('log-options', [
      logged('joined', stack, { 'awslogs-multiline-pattern': '^START', mode: 'blocking' }),
      logged('dated', dated, { 'awslogs-datetime-format': String.raw`\[%Y-%m-%d %H:%M:%S\]` }),
      logged('flood', 'seq 1 1000000', { mode: 'non-blocking', 'max-buffer-size': '4k' }),
      silent,
    ]);
    const [task] = await sdk.running(await sdk.run(arn));
    const id = taskId(task!);
    const shown = async (...args: string[]) =>
      (await platform.ok(['logs', id, '--json', '--tail', '10000', ...args]))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { container: string; text: string })
        .filter(({ container }) => container !== 'flood');
    const lines = await until('its output', async () => {
      const all = await shown();
      return all.length >= 7 && all;
    });
    // Docker's driver ends each line of such events.
    const of = (name: string) => lines.filter(({ container }) => container === name).map(({ text }) => text.replaceAll('\n', '|'));
    assert.deepEqual(of('joined'), ['START one|  at a|  at b|', 'START two|']);
    assert.deepEqual(of('dated'), ['[2026-01-02 03:04:05] one| more|', '[2026-01-02 03:04:06] two|']);
    assert.deepEqual(of('silent'), ['unlogged 1', 'unlogged 2', 'unlogged 3']);
    const last = ['logs', id, '--container', 'silent', '--tail', '1', '--since', '1h'];
    assert.equal(await platform.ok(last), 'unlogged 3\n');
    // What it loses is told while it runs.
    await until('the loss is told', async () => {
      const [now] = await sdk.describe([task!]);
      const flood = now?.containers?.find(({ name }) => name === 'flood');
      return now?.lastStatus === 'RUNNING' && /^Log driver awslogs: \d+ bytes of output could not be kept$/.test(flood?.reason ?? '');
    });
    await sdk.stop([task!]);
    await sdk.stopped([task!]);
    assert.equal(await platform.ok(last), 'unlogged 3\n');
  });

  it('tells of an image, a command, a group and an architecture that are not there', async () => {
    const logTo = (group: string) => ({
      ...script('true').logConfiguration,
      options: { 'awslogs-group': group, 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': 'x' },
    });
    const start = async (family: string, container: ReturnType<typeof script>) =>
      (await sdk.stopped(await sdk.run(await sdk.register(family, [container]))))[0];
    const [image, command, group] = await Promise.all([
      start('no-image', script('true', { image: '127.0.0.1:9/nothing:here' })),
      start('no-command', script('true', { command: ['/no/such/program'] })),
      start('no-group', { ...script('true'), logConfiguration: { logDriver: 'awslogs', ...logTo('/not/there') } }),
    ]);
    assert.equal(image?.stopCode, 'TaskFailedToStart');
    assert.match(image?.stoppedReason ?? '', /^CannotPullContainerError: /);
    assert.equal(command?.stopCode, 'TaskFailedToStart');
    assert.match(`${command?.stoppedReason} ${command?.containers?.[0]?.reason}`, /CannotStartContainerError.*\/no\/such\/program/s);
    assert.equal(group?.stopCode, 'TaskFailedToStart');
    assert.match(
      group?.stoppedReason ?? '',
      /^ResourceInitializationError: .*ResourceNotFoundException: The specified log group does not exist/,
    );
  });
});

describe('the network', () => {
  let outside: Outside;
  let served: Task;
  before(async () => {
    outside = await createOutside(platform.instance);
    const server = script('mkdir /w; echo "I am $(hostname)" > /w/index.html; exec httpd -f -p 80 -h /w', {
      stopTimeout: 2,
      portMappings: [{ containerPort: 80 }],
    });
    const tags = [{ key: 'berth:endpoint', value: 'served' }];
    [served] = (await sdk.running(await sdk.run(await sdk.register('served', [server]), { tags, count: 2 }))) as [Task, ...Task[]];
  });
  after(async () => {
    await outside?.close();
  });
  const askFrom = async (text: string) => facts((await sdk.toEnd('asks', [script(text)])).printed['main']);

  it('gives the task the address that the API tells, and lets the machine in', async () => {
    const text = await (await fetch(`http://${addressOf(served)}/`, { signal: AbortSignal.timeout(20_000) })).text();
    assert.match(text, new RegExp(`I am ip-${addressOf(served).replaceAll('.', '-')}`));
    const { own } = await askFrom(`echo "own $(ip -4 -o addr show eth0 | awk '{print $4}')"`);
    assert.match(own ?? '', /^\d+\.\d+\.\d+\.\d+\/\d+$/);
  });

  it('lets tasks reach each other, by address and by name', async () => {
    const seen = await askFrom(`
      echo "address $(wget -qO- http://${addressOf(served)}/)"
      echo "name $(wget -qO- http://served.berth.internal/)"
      echo "answers $(nslookup served.berth.internal | grep -c '^Address.*: [0-9.]*$')"
      echo "unknown $(nslookup nobody.berth.internal 2>&1 | grep -c NXDOMAIN)"
      echo "resolv $(cat /etc/resolv.conf | head -n 1)"
    `);
    assert.match(seen['address'] ?? '', /^I am ip-/);
    assert.match(seen['name'] ?? '', /^I am ip-/);
    assert.notEqual(seen['unknown'], '0');
    assert.equal(seen['resolv'], 'nameserver 169.254.169.253');
  });

  it('lets tasks out through the machine’s address, and not to the machine’s own ports', async () => {
    const server = createServer((socket) => socket.end('not for tasks\n'));
    const port = await new Promise<number>((resolve) => server.listen(0, '0.0.0.0', () => resolve((server.address() as AddressInfo).port)));
    try {
      const own = Object.values(networkInterfaces())
        .flat()
        .flatMap((address) => (address?.family === 'IPv4' && !address.internal ? [address.address] : []));
      assert.ok(own.includes(outside.machineIp) && own.length > 1, own.join(' '));
      const tries = [...own, '169.254.170.3', '169.254.169.253'].map(
        (ip) => `echo "at-${ip} $(nc -w 1 ${ip} ${port} </dev/null 2>/dev/null)" &`,
      );
      const seen = await askFrom(`
        echo "out $(wget -qO- ${outside.url})"
        ${tries.join('\n')}
        wait
        echo "api $(nc -w 1 ${outside.machineIp} ${platform.apiPort} </dev/null >/dev/null 2>&1 && echo reached)"
      `);
      assert.equal(seen['out'], `you are ${outside.machineIp}`);
      for (const ip of own) assert.equal(seen[`at-${ip}`], '', `a task reached port ${port} of the machine at ${ip}`);
      assert.equal(seen['api'], '');
    } finally {
      server.close();
    }
  });
});
