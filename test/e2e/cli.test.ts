/** The command line, as a user meets it: from `up` to `down`, what it prints, what it exits with, and what it leaves. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, copyFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { freePort } from '#base/testing.ts';
import { startRegistry } from '../image/registries.ts';
import { getPage, jsonOf, refused } from './cli-tools.ts';
import type { Row } from './cli-tools.ts';
import { platformFixture } from './fixture.ts';
import { busyboxArchive, importBusybox, nginxArchive, tarOf } from './images.ts';
import { leftBehind, machineState } from './machine-state.ts';
import { installPackages } from './packages.ts';
import { root, until } from './platform.ts';

const { platform, dir } = await platformFixture();

const get = (name: string) => getPage(platform, name);
const json = (...args: string[]) => jsonOf(platform, ...args);
const rows = (...args: string[]): Promise<Row[]> => json('ps', ...args);

const noKeys = { AWS_ENDPOINT_URL: '', AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };

/** The command as a user without any rights, and without the keys unless they are given. */
const nobody = (args: string[], env: Record<string, string> = noKeys) => {
  const command = [join(root, 'berth'), '--state', platform.state, ...args];
  return platform.command('setpriv', ['--reuid', '65534', '--regid', '65534', '--clear-groups', ...command], { env });
};

describe('the platform', () => {
  it('comes up once, however often it is asked', async () => {
    const again = await platform.berth(['up']);
    refused(again, 0, /berth runs already/);
    assert.deepEqual((JSON.parse(await platform.ok(['up', '--json'])) as { already: boolean }).already, true);
    refused(await platform.berth(['up', '--port', '1']), 1, /berth runs already; to change apiPort/);
  });

  it('tells how it is', async () => {
    const status = (await json('status')) as { running: boolean; processes: { name: string; alive: boolean }[] };
    assert.equal(status.running, true);
    assert.deepEqual(
      status.processes.map((process) => process.alive),
      [true, true, true, true],
    );
    const checks = (await json('doctor')) as { name: string; status: string }[];
    assert.deepEqual(
      checks.filter((check) => check.status === 'missing'),
      [],
    );
    assert.ok(checks.some((check) => check.name === 'instance' && check.status === 'ok'));
  });

  it('keeps its keys to itself', async () => {
    for (const path of ['control/keys.json', 'control', 'host']) {
      const ran = await platform.command('setpriv', [
        '--reuid',
        '65534',
        '--regid',
        '65534',
        '--clear-groups',
        'ls',
        '-l',
        join(platform.state, path, '/'),
      ]);
      assert.notEqual(ran.code, 0, `${path} can be read by everyone`);
    }
  });

  it('refuses a port that is taken, and leaves nothing half done', async () => {
    const server = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const state = join(dir, 'taken');
    try {
      const ran = await platform.berth(['up', '--state', state, '--port', String(port), '--endpoint-port', String(await freePort())]);
      refused(ran, 1, new RegExp(`${port}.*--port N`, 's'));
      assert.ok(!existsSync(join(state, 'control')));
      assert.ok(!existsSync(`/run/berth/${createHash('sha256').update(state).digest('hex').slice(0, 6)}`));
    } finally {
      server.close();
    }
  });

  it('asks for root where it needs it', async () => {
    refused(await nobody(['up']), 5, /needs root/);
    refused(await nobody(['down']), 5, /needs root/);
    refused(await nobody(['env']), 5, /only root may read the keys/);
    refused(await nobody(['--help']), 0, /run an image/);
  });

  it('knows an instance that never was', async () => {
    const absent = ['--state', join(dir, 'absent')];
    const env = noKeys;
    refused(await platform.berth(['ps', ...absent], { env }), 3, /never started|berth up/);
    refused(await platform.berth(['status', ...absent], { env }), 3, /isn't running/);
    assert.ok(!existsSync(join(dir, 'absent')));
  });
});

describe('an image in, an endpoint out', () => {
  it('runs a web image until its URL answers', async () => {
    await platform.ok(['image', 'import', await nginxArchive(), '--name', 'nginx']);
    const said = await platform.ok(['run', 'web', '--image', 'nginx']);
    assert.match(said, new RegExp(`http://web\\.localhost:${platform.endpointPort} +answers`));
    assert.match(said, /port 80 .*the image exposes 80\/tcp/);
    const page = await get('web');
    assert.equal(page.status, 200);
    assert.equal(page.activator, undefined);
    const [row] = await rows('web');
    assert.equal(row?.status, 'RUNNING');
    assert.equal(row?.url, `http://web.localhost:${platform.endpointPort}`);
    assert.match(await platform.ok(['ps']), /web .*RUNNING/);
    await until('the request in its log', async () => /GET \/ HTTP/.test(await platform.ok(['logs', 'web'])));
    const [whole] = JSON.parse(await platform.ok(['inspect', 'web'])) as [
      { service: { status: string }; tasks: { task: { lastStatus: string } }[]; taskDefinition: { family: string } },
    ];
    assert.equal(whole.service.status, 'ACTIVE');
    assert.equal(whole.tasks[0]?.task.lastStatus, 'RUNNING');
    assert.match(await platform.ok(['top', 'web', '--once']), /^1 task[^]*web .* MB/);
    assert.equal(whole.taskDefinition.family, 'web');
  });

  it('replaces what the name ran before', async () => {
    const [before] = await rows('web');
    await platform.ok(['run', 'web', '--image', 'nginx']);
    await until('one task of web', async () => (await rows('web')).length === 1);
    const [now] = await rows('web');
    assert.notEqual(now?.id, before?.id);
    assert.equal((await get('web')).status, 200);
  });

  it('answers with a page while no task does', async () => {
    const unknown = await get('nobody');
    assert.equal(unknown.status, 404);
    assert.match(unknown.body, /No endpoint is called “nobody”/);
    await platform.ok(['stop', 'web']);
    const stopped = await until('the page', async () => {
      const page = await get('web');
      return page.activator !== undefined && page;
    });
    assert.ok([404, 503].includes(stopped.status), String(stopped.status));
  });

  it('follows the log of a task until it ends', async () => {
    await platform.ok(['run', 'ticks', '--image', 'busybox', '--', 'sh', '-c', 'for i in 1 2 3 4 5 6; do echo tick $i; sleep 0.4; done']);
    const followed = await platform.ok(['logs', 'ticks', '-f'], { timeoutMs: 20_000 });
    assert.deepEqual(
      followed.trim().split('\n'),
      [1, 2, 3, 4, 5, 6].map((n) => `tick ${n}`),
    );
    assert.equal((await platform.ok(['logs', 'ticks', '--tail', '2'])).trim(), 'tick 5\ntick 6');
    const lines = (await platform.ok(['logs', 'ticks', '--json']))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { text: string });
    assert.equal(lines[0]?.text, 'tick 1');
  });

  it('shows the last lines of a log also where they are more than one page of the API', async () => {
    const print = 'seq 1 12000 | awk \'{printf "%0199d\\n", $1}\'; sleep 2';
    await platform.ok(['run', 'chatty', '--image', 'busybox', '--', 'sh', '-c', print]);
    const last = () => platform.ok(['logs', 'chatty', '--tail', '10000']);
    const lines = await until('all of it', async () => (await last()).endsWith('0012000\n') && (await last()).trim().split('\n'));
    assert.deepEqual(
      lines.map(Number),
      Array.from({ length: 10_000 }, (_, n) => n + 2001),
    );
  });

  it('takes environment, sizes and a command line', async () => {
    const ran = JSON.parse(
      await platform.ok([
        'run',
        'sized',
        '--image',
        'busybox',
        '--cpu',
        '0.5',
        '--memory',
        '2GB',
        '--env',
        'A=one two',
        '--env',
        'B=3',
        '--command',
        'sh -c "echo $A-$B; exit 0"',
        '--json',
      ]),
    ) as { tasks: { cpu: number; memory: number }[] };
    assert.deepEqual([ran.tasks[0]?.cpu, ran.tasks[0]?.memory], [512, 2048]);
    assert.equal((await platform.ok(['logs', 'sized'])).trim(), 'one two-3');
  });

  it('lets who has the keys but isn’t root use it, not take it down', async () => {
    await platform.ok(['scale', 'web', '1'], { timeoutMs: 60_000 });
    refused(await nobody(['ps', 'web'], platform.env), 0, /web .*RUNNING/);
    refused(await nobody(['down'], platform.env), 5, /needs root/);
    assert.equal((await rows('web')).length, 1, 'who may not stop the platform stopped its tasks');
    await platform.ok(['stop', 'web']);
  });
});

describe('a run that fails', () => {
  const run = (...args: string[]) => platform.berth(['run', ...args]);

  it('prints why, and the last lines', async () => {
    const ran = await run('fails', '--image', 'busybox', '--port', '80', '--', 'sh', '-c', 'echo about to fail >&2; exit 3');
    refused(ran, 1, /Essential container in task exited \(EssentialContainerExited\)/);
    assert.match(ran.stdout, /exit code 3/);
    assert.match(ran.stdout, /│.*about to fail/);
    assert.match((await rows('-a', 'fails'))[0]?.stoppedReason ?? '', /Essential container/);
  });

  it('names the command that is not there', async () => {
    const ran = await run('nocommand', '--image', 'busybox', '--', '/no/such/program');
    refused(ran, 1, /\/no\/such\/program/);
    assert.match(ran.stdout, /TaskFailedToStart/);
  });

  it('names the image that can’t be had, soon', async () => {
    const began = Date.now();
    refused(await run('noimage', '--image', `127.0.0.1:${await freePort()}/none:1`), 1, /CannotPullContainerError/);
    assert.ok(Date.now() - began < 30_000);
  });

  it('tells JSON readers as well', async () => {
    const ran = await run('fails', '--image', 'busybox', '--json', '--', 'sh', '-c', 'exit 4');
    assert.equal(ran.code, 1);
    const told = JSON.parse(ran.stdout) as { error: string; tasks: { containers: { exitCode: number }[] }[] };
    assert.equal(told.tasks[0]?.containers[0]?.exitCode, 4);
  });

  it('is undone by Ctrl-C', async () => {
    const child = spawn(
      join(root, 'berth'),
      [
        '--state',
        platform.state,
        'run',
        'never',
        '--image',
        'busybox',
        '--port',
        '80',
        '--',
        'sh',
        '-c',
        "trap 'exit 0' TERM; while :; do sleep 0.1; done",
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, NO_COLOR: '1' },
      },
    );
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
    await until('it runs', async () => (await rows('never')).some((row) => row.status === 'RUNNING'));
    child.kill('SIGINT');
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 130, said);
    assert.match(said, /[Ii]nterrupted/);
    await until('nothing of it runs', async () => (await rows('never')).length === 0, 45_000);
  });
});

describe('images', () => {
  it('come from a registry, and a later start asks it no more', async () => {
    installPackages({ '/usr/bin/skopeo': 'skopeo', '/usr/bin/docker-registry': 'docker-registry' });
    const registry = await startRegistry(dir);
    const ref = `${registry.host}/team/pulled:1`;
    try {
      const source = `oci-archive:${await busyboxArchive()}`;
      const words = ['copy', '-q', '--insecure-policy', '--tmpdir', dir, '--dest-tls-verify=false', source, `docker://${ref}`];
      assert.equal((await platform.command('skopeo', words)).code, 0);
      await platform.ok(['run', 'pulled', '--image', ref, '--', 'echo', 'from afar']);
    } finally {
      await registry.close();
    }
    await platform.ok(['run', 'pulled', '--image', ref, '--', 'echo', 'from here']);
    assert.equal((await platform.ok(['logs', 'pulled'])).trim(), 'from here');
    refused(await platform.berth(['image', 'pull', ref]), 1, /CannotPullContainerError/);
    await platform.ok(['image', 'rm', ref]);
  });

  type Image = { refs: string[]; digest: string; usedBy: string[] };
  const list = (): Promise<Image[]> => json('image', 'ls');

  it('come from docker archives and plain root file systems too', async () => {
    installPackages({ '/usr/bin/skopeo': 'skopeo' });
    const archive = join(dir, 'docker.tar');
    const layout = await busyboxArchive();
    const copied = await platform.command('skopeo', [
      'copy',
      '--insecure-policy',
      '--tmpdir',
      dir,
      `oci-archive:${layout}`,
      `docker-archive:${archive}:any:thing`,
    ]);
    assert.equal(copied.code, 0, copied.stderr);
    await platform.ok(['image', 'import', archive, '--name', 'from-docker:1']);
    const tree = join(dir, 'tree');
    mkdirSync(join(tree, 'bin'), { recursive: true });
    copyFileSync('/bin/busybox', join(tree, 'bin/busybox'));
    symlinkSync('busybox', join(tree, 'bin/sh'));
    await platform.ok(['image', 'import', tarOf(tree, join(dir, 'tree.tar')), '--name', 'from-tree:1']);
    for (const [name, image] of [
      ['docker', 'from-docker:1'],
      ['tree', 'from-tree:1'],
    ] as const) {
      await platform.ok(['run', name, '--image', image, '--', '/bin/sh', '-c', `echo I am ${name}`]);
      assert.equal((await platform.ok(['logs', name])).trim(), `I am ${name}`);
    }
    assert.match(await platform.ok(['image', 'ls']), /from-tree:1/);
  });

  it('stay as long as a task uses them', async () => {
    await platform.ok([
      'run',
      'user',
      '--image',
      'from-tree:1',
      '--',
      '/bin/sh',
      '-c',
      'trap "exit 0" TERM; while :; do /bin/busybox sleep 0.1; done',
    ]);
    refused(await platform.berth(['image', 'rm', 'from-tree:1']), 1, /use/);
    await platform.ok(['image', 'prune', '--all']);

    assert.deepEqual(
      (await list()).flatMap((image) => image.refs.filter((ref) => ref.includes('from-'))),
      ['docker.io/library/from-tree:1'],
    );
    await platform.ok(['stop', 'user']);
    await until('the task lets go of its image', async () => (await list()).every((image) => image.usedBy.length === 0));
    await platform.ok(['image', 'rm', 'from-tree:1']);
    assert.deepEqual(await list(), []);
    refused(await platform.berth(['image', 'rm', 'from-tree:1']), 4, /from-tree/);
    await importBusybox(platform);
  });

  it('are refused when they are none', async () => {
    const path = join(dir, 'none.tar');
    refused(await platform.berth(['image', 'import', path, '--name', 'x']), 1, /no such file/);
    copyFileSync('/bin/busybox', path);
    refused(await platform.berth(['image', 'import', path, '--name', 'x']), 1, /tar|archive|image/);
    refused(await platform.berth(['image', 'import', path, '--name', 'No Name']), 1, /No Name/);
  });
});

describe('down', () => {
  it('with --keep-tasks leaves the tasks to themselves, and up takes them back', async () => {
    const ticks = "trap 'exit 0' TERM; i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done";
    await platform.ok(['run', 'kept', '--image', 'busybox', '--', 'sh', '-c', ticks]);
    const [task] = await rows('kept');
    assert.ok(task);
    const before = pidsOf(task.id);
    assert.ok(before.length > 0);
    await platform.ok(['down', '--keep-tasks']);
    refused(await platform.berth(['ps']), 3, /berth up/);
    assert.deepEqual(
      before.filter((pid) => !existsSync(`/proc/${pid}`)),
      [],
      'the task ended with the platform',
    );
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await platform.ok(['up']);
    const [back] = await rows('kept');
    assert.equal(back?.id, task.id);
    assert.equal(back?.status, 'RUNNING');
    const count = lastTick(await platform.ok(['logs', 'kept']));
    await until('later ticks', async () => lastTick(await platform.ok(['logs', 'kept'])) > count + 5);
    const lines = (await platform.ok(['logs', 'kept', '--tail', '10000'])).trim().split('\n');
    assert.deepEqual(
      lines,
      lines.map((_, index) => `tick ${index + 1}`),
    );
    await platform.ok(['stop', 'kept']);
  });

  it('stops what runs, leaves nothing behind, and keeps history and images', async () => {
    await platform.ok([
      'run',
      'last',
      '--image',
      'busybox',
      '--port',
      '80',
      '--',
      'sh',
      '-c',
      "trap 'exit 0' TERM; httpd -f -p 80 -h / & wait",
    ]);
    assert.match(await platform.ok(['down']), /Stopped 1 task[\s\S]*berth is down/);
    assert.deepEqual(leftBehind({}, machineState(platform.instance)), []);
    assert.match(await platform.ok(['down']), /was not running/);
    await platform.ok(['up']);
    const former = (await rows('-a', 'last')).find((row) => row.stoppedReason !== null);
    assert.equal(former?.status, 'STOPPED');
    assert.match(former?.stoppedReason ?? '', /taken down/);
    assert.ok(((await json('image', 'ls')) as unknown[]).length > 0);
    // A service runs again without a hand.
    await until('its URL answers again', async () => (await get('last')).activator === undefined);
    await platform.ok(['rm', 'last', '--force']);
    await until('the host forgets', async () => readdirSync(join(platform.state, 'host/tasks')).length === 0);
  });
});

const lastTick = (text: string) => Number(/tick (\d+)\s*$/.exec(text.trim())?.[1] ?? 0);

/** The first processes of the task's containers, by its cgroups. */
function pidsOf(id: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const first = /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
      return first && readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(id);
    } catch {
      return false;
    }
  });
}
