/**
 * Many sessions of ExecuteCommand at the same time in each kind of sandbox, by AWS's own session-manager-plugin: typed into, printing much, resized, standing still, their callers killed; and
 * kill -9 of control plane, host agent and both while all are open, and while they open. BERTH_EXEC_SESSIONS (default: 40, half of that in gVisor and in a microVM),
 * BERTH_SOAK_ROUNDS (default: 3), BERTH_SOAK_LINES (default: 100,000 that each one prints that prints).
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { before, it } from 'node:test';
import type { Task } from '@aws-sdk/client-ecs';
import { limits } from '#base/limits.ts';
import { script, taskId } from '../e2e/aws-sdk.ts';
import { platformFixture } from '../e2e/fixture.ts';
import { installPackages } from '../e2e/packages.ts';
import { until } from '../e2e/platform.ts';
import { everyPidOf, processesOf, supervisorsOf } from '../e2e/processes.ts';
import { pluginDirectory } from '../e2e/session-plugin.ts';
import type { Terminal } from '../e2e/session-plugin.ts';
import { createEntrance, manyAtOnce } from '../exec-sessions.ts';

const MANY = Number(process.env['BERTH_EXEC_SESSIONS'] ?? 40);
const ROUNDS = Number(process.env['BERTH_SOAK_ROUNDS'] ?? 3);
const LINES = Number(process.env['BERTH_SOAK_LINES'] ?? 100_000);
const PATIENCE_S = 200;
/** What the platform's own timers may have opened at the moment. */
const SPARE_FDS = 8;
const REST_MS = 10_000;
const kinds = ['container', 'gvisor', 'microvm'] as const;

const { platform, sdk, ending } = await platformFixture({ upArgs: ['--accel', 'tcg'], maxAttempts: 10 });
const entrance = createEntrance(() => ({ platform, sdk }));
const tasks: Task[] = [];
/** The first has twice as many as the others. */
const all = () => tasks.map((task, at) => ({ task, count: at === 0 ? MANY : Math.ceil(MANY / 2) }));

before(async () => {
  installPackages({ '/usr/bin/script': 'bsdutils' });
  pluginDirectory();
  // A whole processor each: a quarter of one, emulated, would be all that is waited for.
  const size = { cpu: '1024', memory: '2048' };
  const definition = await sdk.register('entered', [script('trap "exit 0" TERM; while :; do sleep 1; done', { stopTimeout: 2 })], size);
  const wish = (kind: string) => ({ enableExecuteCommand: true, tags: [{ key: 'berth:isolation', value: kind }] });
  const begun = await Promise.all(kinds.map(async (kind) => (await sdk.run(definition, wish(kind)))[0]!));
  tasks.push(...(await sdk.running(begun, PATIENCE_S)));
  ending.defer(async () => {
    entrance.close();
    await sdk.stop(tasks);
    await sdk.stopped(tasks, PATIENCE_S);
  });
});

/** gVisor's stubs, one for each address space of a sandbox: it keeps those of processes that ended for the next ones (systrap's pool of subprocesses). */
function isStub(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'exe\n';
  } catch {
    return false; // it has ended
  }
}

/** Descriptors of each process that a session goes through, and how many processes there are. */
function held(): Record<string, number> {
  const { control, host, worker } = processesOf(platform) ?? assert.fail('the platform is not whole');
  const fds = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;
  const pids = everyPidOf(platform);
  const stubs = pids.filter(isStub).length;
  const supervisors = supervisorsOf(platform).map((pid, at) => [`supervisor ${at}`, fds(pid)] as const);
  return {
    control: fds(control),
    host: fds(host),
    worker: fds(worker),
    ...Object.fromEntries(supervisors),
    processes: pids.length - stubs,
    stubs,
  };
}

/** Once the pools of sandboxes are full again and what was closed is gone: the same for so long. */
async function heldAtRest(): Promise<Record<string, number>> {
  let [last, since] = [held(), Date.now()];
  return until(
    'the platform is at rest',
    async () => {
      const now = held();
      if (JSON.stringify(now) !== JSON.stringify(last)) [last, since] = [now, Date.now()];
      return Date.now() - since > REST_MS && now;
    },
    120_000,
  );
}

it(`${MANY} at once, ${ROUNDS} times: each has its own, and nothing of it is left`, async () => {
  await manyAtOnce(entrance, all(), 1000);
  const before = await heldAtRest();
  for (let round = 1; round <= ROUNDS; round++) {
    const began = Date.now();
    await manyAtOnce(entrance, all(), LINES);
    console.log(
      `  round ${round}: ${all().reduce((sum, { count }) => sum + count, 0)} sessions, ${((Date.now() - began) / 1000).toFixed(1)} s`,
    );
  }
  const spare = (name: string) => (name === 'processes' ? 0 : name === 'stubs' ? Math.ceil(MANY / 2) : SPARE_FDS);
  const more = () => Object.entries(held()).filter(([name, count]) => count > (before[name] ?? 0) + spare(name));
  await until('nothing is left of them', async () => more().length === 0, 60_000).catch(() => assert.deepEqual(held(), before));
});

/** script(1) of a session that is open: while it stands still nobody reads from the terminal, as after Ctrl-S. (Stopping the plugin would stop it too, and for good.) */
function readerOf(terminal: Terminal): number {
  const id = /ecs-execute-command-\w+/.exec(terminal.seen())?.[0] ?? assert.fail('a terminal without a session');
  const commandOf = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      return ''; // it has ended
    }
  };
  const pid = readdirSync('/proc').find(
    (name) => /^\d+$/.test(name) && commandOf(name).startsWith(`session-manager-plugin\0{"sessionId":"${id}"`),
  );
  const stat = readFileSync(`/proc/${pid ?? assert.fail(`no plugin of ${id}`)}/stat`, 'utf8');
  return Number(/\) \S (\d+)/.exec(stat)?.[1]);
}

it('a terminal that stands still for longer than two pings misses nothing', async () => {
  const [shells, lines] = [await Promise.all(tasks.map((task) => entrance.session(task, 'sh'))), 200_000];
  for (const shell of shells) await shell.shows(/# $/, PATIENCE_S * 1000);
  const readers = shells.map(readerOf);
  for (const shell of shells) shell.type(`seq 1 ${lines}; exit\r`);
  for (const shell of shells) await shell.shows(/\n100\n/, PATIENCE_S * 1000);
  for (const pid of readers) process.kill(pid, 'SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 2 * limits.execPingMs + 10_000));
  for (const pid of readers) process.kill(pid, 'SIGCONT');
  for (const shell of shells) {
    await shell.end();
    assert.equal((shell.seen().match(/^\d+$/gm) ?? []).length, lines, shell.seen().slice(-300));
  }
});

/**
 * The plugin asks five times within some three seconds for its session to be resumed; where nobody answers so long it gives up without a word, and waits until it is killed
 * (session-manager-plugin, sessionhandler.go): that long the control plane may be away.
 */
const PLUGIN_TRIES_MS = 3000;

/** Every one of them ends; a session is had again in each task; and nothing of what ran is there any more. `awayMs`: how long the API was. */
async function allEnd(terminals: readonly Terminal[], mark: number, awayMs: number): Promise<void> {
  const waiting = new Set(terminals);
  for (const one of terminals) void one.end().then(() => waiting.delete(one));
  const patienceMs = awayMs > PLUGIN_TRIES_MS ? 20_000 : PATIENCE_S * 1000;
  await until('every caller is told', async () => waiting.size === 0, patienceMs).catch((error: unknown) => {
    if (awayMs <= PLUGIN_TRIES_MS) throw new Error([...waiting].map((one) => one.seen().slice(-200)).join('\n--\n'), { cause: error });
    console.log(`  the API was away for ${awayMs} ms: ${waiting.size} of ${terminals.length} plugins had given up`);
    for (const one of waiting) one.kill();
  });
  for (const task of tasks) {
    const again = async () => {
      const one = await entrance.session(task, 'echo here').catch(() => undefined);
      await one?.end();
      return one !== undefined && /\nhere\n/.test(one.seen());
    };
    await until(`a session in ${taskId(task)}`, again, PATIENCE_S * 1000);
    const gone = async () => !(await entrance.inside(task).catch(() => `sleep ${mark}`)).includes(`sleep ${mark}`);
    await until(`the commands are gone from ${taskId(task)}`, gone, PATIENCE_S * 1000);
  }
}

/** Whether somebody listens at the API's port. */
const isThere = () =>
  new Promise<boolean>((resolve) => {
    const socket = connect(platform.apiPort, '127.0.0.1', () => resolve((socket.destroy(), true)));
    socket.on('error', () => resolve(false));
  });

let marks = 8_000_000;
for (const victims of [['control'], ['host'], ['worker'], ['control', 'host', 'worker']] as const) {
  /** How long the API was away. */
  const kill = async (): Promise<number> => {
    const before = await until('every process of the platform', async () => processesOf(platform), 60_000);
    const began = Date.now();
    for (const name of victims) process.kill(before[name], 'SIGKILL');
    await until(
      'others in their places',
      async () => {
        const now = processesOf(platform);
        return now !== undefined && victims.every((name) => now[name] !== before[name]);
      },
      60_000,
    );
    await until('the API', isThere, 60_000);
    return victims.some((name) => name === 'control') ? Date.now() - began : 0;
  };
  it(`kill -9 of ${victims.join(' and ')} ends all that are open, and leaves nothing of them`, async () => {
    const mark = ++marks;
    const open = await Promise.all(
      all().flatMap(({ task, count }) =>
        Array.from({ length: Math.ceil(count / 2) }, () => entrance.session(task, `sh -c 'echo up; exec sleep ${mark}'`)),
      ),
    );
    for (const one of open) await one.shows(/\nup\n/, PATIENCE_S * 1000);
    const awayMs = await kill();
    // A kernel worker carries nothing of a session: its death may not be seen.
    if (victims.length === 1 && victims[0] === 'worker') open.forEach((one) => one.type('\x03'));
    await allEnd(open, mark, awayMs);
  });

  it(`kill -9 of ${victims.join(' and ')} while they open does so too`, async () => {
    const mark = ++marks;
    const opening = all().flatMap(({ task, count }) =>
      Array.from({ length: Math.ceil(count / 2) }, async (_, n) => {
        await new Promise((resolve) => setTimeout(resolve, n * 50));
        return await entrance.session(task, `sleep ${mark}`).catch(() => undefined);
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    const awayMs = await kill();
    const open = (await Promise.all(opening)).filter((one) => one !== undefined);
    // Those that came through sleep on.
    const interrupt = setInterval(() => open.forEach((one) => one.type('\x03')), 1000);
    await allEnd(open, mark, awayMs).finally(() => clearInterval(interrupt));
  });
}
