/** A way in, in each kind of sandbox: `berth cp`; and `aws ecs execute-command` as its users have it: the stock AWS CLI, AWS's own session-manager-plugin, a terminal. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CreateLogGroupCommand, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { UpdateClusterCommand } from '@aws-sdk/client-ecs';
import type { ExecuteCommandLogging, Task } from '@aws-sdk/client-ecs';
import { SSMClient, TerminateSessionCommand } from '@aws-sdk/client-ssm';
import { createSdk, LOG_GROUP, script, taskId } from './aws-sdk.ts';
import type { Sdk } from './aws-sdk.ts';
import { importBusybox } from './images.ts';
import { installPackages } from './packages.ts';
import { startPlatform, until } from './platform.ts';
import type { Platform } from './platform.ts';
import { processesOf } from './processes.ts';
import { executeCommand, pluginDirectory, pluginSession, whyNoPlugin } from './session-plugin.ts';
import { createEntrance, manyAtOnce } from '../exec-sessions.ts';

const PATIENCE_S = 120;
const kinds = ['container', 'gvisor', 'microvm'] as const;
/** How many sessions are open at the same time in one container. */
const MANY = Number(process.env['BERTH_EXEC_SESSIONS'] ?? 12);
const why = whyNoPlugin();

let platform: Platform;
let sdk: Sdk;
const tasks = {} as Record<(typeof kinds)[number], Task>;

before(async () => {
  platform = await startPlatform({ upArgs: ['--accel', 'tcg'] });
  sdk = createSdk(platform, { maxAttempts: 10 });
  await importBusybox(platform);
  const definition = await sdk.register('entered', [script('trap "exit 0" TERM; while :; do sleep 1; done', { stopTimeout: 2 })]);
  await Promise.all(
    kinds.map(async (kind) => {
      const wish = { enableExecuteCommand: true, tags: [{ key: 'berth:isolation', value: kind }] };
      const [task] = await sdk.running(await sdk.run(definition, wish), PATIENCE_S);
      assert.ok(task);
      tasks[kind] = task;
    }),
  );
});
after(async () => {
  sdk?.close();
  await platform?.end();
});

describe('berth cp', { concurrency: kinds.length }, () => {
  let here: string;
  before(() => {
    here = mkdtempSync(join(tmpdir(), 'berth-e2e-cp-'));
    mkdirSync(join(here, 'tree/sub'), { recursive: true });
    writeFileSync(join(here, 'tree/plain'), 'plain', { mode: 0o640 });
    writeFileSync(join(here, 'tree/sub', 'n'.repeat(150)), randomBytes(700_001), { mode: 0o755 });
    symlinkSync('../plain', join(here, 'tree/sub/link'));
    linkSync(join(here, 'tree/plain'), join(here, 'tree/sub/same'));
    chownSync(join(here, 'tree/sub'), 1234, 4321);
  });
  after(() => rmSync(here, { recursive: true, force: true }));

  /** Names, kinds, modes and contents. */
  const tree = (dir: string) =>
    execFileSync('sh', ['-c', `cd ${dir} && find . -printf '%p %y %m %l\n' | sort && find . -type f | sort | xargs sha256sum`], {
      encoding: 'utf8',
    });
  const sh = (id: string, text: string) => platform.ok(['exec', id, '--', 'sh', '-c', text]);

  for (const kind of kinds) {
    it(`carries files into a ${kind} sandbox and out of it`, async () => {
      const id = taskId(tasks[kind]);
      const cp = (...args: string[]) => platform.ok(['cp', ...args], { cwd: here });
      const refused = async (args: string[], pattern: RegExp) => {
        const ran = await platform.berth(['cp', ...args], { cwd: here });
        assert.notEqual(ran.code, 0);
        assert.match(ran.stderr, pattern);
      };
      await cp('tree', `${id}:/srv`); // which isn't there: it becomes the tree
      await cp('-a', 'tree', `${id}:srv`); // which is there now: it goes into it
      assert.equal(await sh(id, 'stat -c "%u:%g %a" /srv/sub /srv/tree/sub /srv/plain'), '0:0 755\n1234:4321 755\n0:0 640\n');
      await cp(`${id}:/srv/tree`, `back-${kind}`);
      assert.equal(tree(join(here, `back-${kind}`)), tree(join(here, 'tree')));
      await cp('-a', `${id}:/srv/tree/.`, `back-${kind}/sub`);
      assert.equal(statSync(join(here, `back-${kind}/sub/sub`)).uid, 1234);
      const piped = `tar -c -C tree plain sub | "$BERTH" cp - ${id}:/opt && "$BERTH" cp ${id}:/opt - | tar -t | sort`;
      await sh(id, 'mkdir /opt');
      const listed = await platform.command('sh', ['-c', piped], {
        cwd: here,
        env: { BERTH: join(platform.home, 'berth'), BERTH_STATE: platform.state },
      });
      assert.equal(
        listed.stdout,
        ['opt/', 'opt/plain', 'opt/sub/', 'opt/sub/link', `opt/sub/${'n'.repeat(150)}`, 'opt/sub/same', '']
          .sort()
          .slice(1)
          .concat('')
          .join('\n'),
      );
      // A link leads where it leads the container's own programs, and never to the machine.
      await sh(id, 'ln -s / /up; ln -s /etc/hostname /up/leak; mkdir /inner; ln -s ../../../etc /inner/sub');
      await cp('tree/plain', `${id}:/up/etc/berth-e2e-cp`);
      assert.equal(existsSync('/etc/berth-e2e-cp'), false);
      assert.equal(await sh(id, 'cat /etc/berth-e2e-cp'), 'plain');
      await cp('-L', `${id}:/leak`, `leak-${kind}`);
      assert.equal(readFileSync(join(here, `leak-${kind}`), 'utf8'), await sh(id, 'cat /etc/hostname'));
      await refused(['tree/.', `${id}:/inner`], /sub.*something else of that name/);
      await refused(['tree/plain', `${id}:/nowhere/`], /'\/nowhere\/' does not exist/);
      await refused([`${id}:/no/such`, '.'], /'\/no\/such' does not exist in the container/);
      await refused(['tree', `${id}:/etc/passwd/x`], /not a directory/);
    });
  }
});

describe('aws ecs execute-command', { skip: why ?? false }, () => {
  const entrance = createEntrance(() => ({ platform, sdk }));
  const { call, inside, kept, session } = entrance;
  before(() => {
    installPackages({ '/usr/bin/aws': 'awscli', '/usr/bin/script': 'bsdutils' });
    pluginDirectory();
  });
  after(() => entrance.close());

  describe('a shell', { concurrency: kinds.length }, () => {
    for (const kind of kinds) {
      it(`is had in a ${kind} sandbox: its size, a change of it, Ctrl-C, its end`, async () => {
        const shell = kept(executeCommand(platform, ['--task', taskId(tasks[kind]), '--command', 'sh'], { rows: 33, cols: 111 }));
        await shell.shows(/Starting session with SessionId: ecs-execute-command-[0-9a-f]{17}[\s\S]*# $/);
        shell.type('stty size; id -u\r');
        await shell.shows(/33 111\n0\n/);
        shell.resize(50, 100);
        shell.type('until stty size | grep "^50"; do sleep 0.1; done\r');
        await shell.shows(/\n50 100\n/);
        // Said by what the terminal's foreground belongs to: a signal before that would be lost.
        shell.type(`sh -c 'echo sl""eeps; exec sleep 1000'\r`);
        await shell.shows(/\nsleeps\n/);
        // What is typed ahead of it would be lost with it, as in any terminal.
        shell.type('\x03');
        await shell.shows(/\^C\n.*# $/);
        shell.type('echo code $?\r');
        await shell.shows(/\ncode 130\n/);
        shell.type('exit 3\r');
        assert.equal(await shell.end(), 0, shell.seen());
        assert.match(shell.seen(), /Exiting session with sessionId: ecs-execute-command-/);
      });
    }
  });

  it('runs one command, by its words, and says what can’t be run', async () => {
    const one = kept(executeCommand(platform, ['--task', taskId(tasks.container), '--command', `sh -c 'echo "one  two"; exit 3'`]));
    assert.equal(await one.end(), 0);
    assert.match(one.seen(), /\none {2}two\n/);
    const none = await session(tasks.container, '/no/such/command');
    await none.end();
    assert.match(none.seen(), /\/no\/such\/command/);
  });

  it(`${MANY} at once in a container, each with its own: typed into, printing, resized, its caller killed`, async () => {
    const number = { container: MANY, gvisor: 5, microvm: 5 };
    const counts = kinds.map((kind) => ({ task: tasks[kind], count: number[kind] }));
    await manyAtOnce(entrance, counts, 2000);
  });

  it('is ended by TerminateSession', async () => {
    const { session: made } = await call(tasks.container, 'sh');
    const one = kept(pluginSession(platform, made ?? {}, 'ecs:default'));
    await one.shows(/# $/);
    const ssm = new SSMClient(sdk.config);
    await ssm.send(new TerminateSessionCommand({ SessionId: made?.sessionId }));
    ssm.destroy();
    await one.end();
    assert.match(one.seen(), /The session was terminated/);
  });

  it('is recorded as the cluster says', async () => {
    await sdk.logs.send(new CreateLogGroupCommand({ logGroupName: '/sessions' }));
    const recorded = async (logging: ExecuteCommandLogging, text: string, group: string) => {
      const logConfiguration = { cloudWatchLogGroupName: '/sessions', cloudWatchEncryptionEnabled: false };
      const executeCommandConfiguration = { logging, ...(logging === 'OVERRIDE' ? { logConfiguration } : {}) };
      await sdk.ecs.send(new UpdateClusterCommand({ cluster: 'default', configuration: { executeCommandConfiguration } }));
      const one = await session(tasks.container, `echo ${text}`);
      await one.end();
      const sessionId = /SessionId: (\S+)/.exec(one.seen())?.[1] ?? '';
      const found = async () => {
        const { events = [] } = await sdk.logs.send(new FilterLogEventsCommand({ logGroupName: group, filterPattern: text }));
        return events.find((event) => event.logStreamName === sessionId && event.message?.includes(text));
      };
      return { found };
    };
    const overridden = await recorded('OVERRIDE', 'overridden', '/sessions');
    await until('it is in the group that the cluster names', overridden.found);
    const byDefault = await recorded('DEFAULT', 'bydefault', LOG_GROUP);
    await until('it is in the group of the container', byDefault.found);
    const nowhere = [await recorded('NONE', 'nowhere', LOG_GROUP), await recorded('NONE', 'nowhere', '/sessions')];
    await new Promise((resolve) => setTimeout(resolve, 1500)); // longer than a record waits
    for (const { found } of nowhere) assert.equal(await found(), undefined);
  });

  it('comes back after the host agent was killed; what ran in a sandbox, of each kind, is not left behind', async () => {
    const mark = String(200_000 + process.pid);
    const running = await Promise.all(kinds.map((kind) => session(tasks[kind], `sh -c 'echo up; exec sleep ${mark}'`)));
    for (const one of running) await one.shows(/\nup\n/);
    const agent = processesOf(platform)?.host ?? assert.fail('no host agent');
    process.kill(agent, 'SIGKILL');
    for (const one of running) {
      await one.end();
      assert.match(one.seen(), /cut off/);
    }
    const comesBack = async (kind: (typeof kinds)[number]) => {
      // The first one already: it waits for the agent that takes its place.
      const two = await session(tasks[kind], 'echo here');
      await two.end();
      assert.match(two.seen(), /\nhere\n/);
      await until(`the command is gone from a ${kind} sandbox`, async () => !(await inside(tasks[kind])).includes(`sleep ${mark}`));
    };
    await Promise.all(kinds.map(comesBack));
  });

  it('ends with the control plane, comes back with it, and ends after the silence that is set', async () => {
    const mark = String(300_000 + process.pid);
    const one = await session(tasks.container, `sh -c 'echo up; exec sleep ${mark}'`);
    await one.shows(/\nup\n/);
    const config = join(platform.state, 'config.json');
    writeFileSync(config, JSON.stringify({ ...(JSON.parse(readFileSync(config, 'utf8')) as object), execIdleSeconds: 2 }));
    const control = processesOf(platform)?.control ?? assert.fail('no control plane');
    process.kill(control, 'SIGKILL');
    // The plugin asks for the session to be resumed; where the answer is an error it never ends.
    await one.end();
    assert.match(one.seen(), /Session: ecs-execute-command-\w+ timed out\./);
    await until('the host is connected again', async () => /"CONNECTED"/.test((await platform.berth(['status', '--json'])).stdout));
    await until('the command is gone', async () => !(await inside(tasks.container)).includes(`sleep ${mark}`));
    const two = await session(tasks.container, 'sh');
    await two.end();
    assert.match(two.seen(), /timed out due to inactivity/);
  });
});
