/** Two hundred tasks started and ended: the machine is as before, and the platform's processes have not grown. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { createSdk, script } from '../e2e/aws-sdk.ts';
import type { Sdk } from '../e2e/aws-sdk.ts';
import { importBusybox } from '../e2e/images.ts';
import { startPlatform, until } from '../e2e/platform.ts';
import type { Platform } from '../e2e/platform.ts';
import { processesOf } from '../e2e/processes.ts';

const TASKS = Number(process.env['BERTH_SOAK_TASKS'] ?? 200);
const WAVE = 50;
const WARM_UP = 100;
/** What a garbage-collected heap and a database's page cache may take more without it being a leak. */
const GROWTH_BYTES = 48 * 1024 * 1024;
const GROWTH_FDS = 8;

let platform: Platform;
let sdk: Sdk;
let definition: string;

before(async () => {
  platform = await startPlatform();
  sdk = createSdk(platform, { maxAttempts: 10 });
  await importBusybox(platform);
  const volume = { mountPoints: [{ sourceVolume: 'shared', containerPath: '/shared' }] };
  definition = await sdk.register(
    'soak',
    [
      script('until [ -e /shared/ready ]; do sleep 0.05; done; for i in 1 2 3; do echo line $i; done; sleep 0.2; exit 3', {
        name: 'main',
        ...volume,
      }),
      script("trap 'exit 0' TERM; touch /shared/ready; while :; do sleep 0.1; done", { name: 'side', essential: false, ...volume }),
    ],
    { volumes: [{ name: 'shared' }] },
  );
});

after(async () => {
  sdk?.close();
  await platform?.end();
});

async function wave(count: number): Promise<void> {
  const calls = Array.from({ length: Math.ceil(count / 10) }, (_, n) => sdk.run(definition, { count: Math.min(10, count - n * 10) }));
  const ended = await sdk.stopped((await Promise.all(calls)).flat(), 180);
  for (const task of ended) {
    assert.equal(task.containers?.find((one) => one.name === 'main')?.exitCode, 3, JSON.stringify(task));
    assert.deepEqual(await sdk.lines(task, 'main'), ['line 1', 'line 2', 'line 3']);
  }
}

/** Everything of this instance on the machine, as text, one kind a key. */
function census(): Record<string, string> {
  const run = (...words: string[]) => execFileSync(words[0] ?? '', words.slice(1), { encoding: 'utf8', timeout: 20_000 });
  const runDir = `/run/berth/${platform.instance}`;
  const inRouters = (...words: string[]) =>
    readdirSync(join(runDir, 'ns'))
      .filter((name) => name.startsWith('vpc-'))
      .map((name) => run('nsenter', `--net=${join(runDir, 'ns', name)}`, ...words))
      .join('\n');
  const ours = (text: string) =>
    text
      .split('\n')
      .filter((line) => line.includes(platform.instance) || line.includes(platform.state))
      .join('\n');
  return {
    links: ours(run('ip', '-o', 'link')),
    routes: ours(run('ip', 'route')),
    routerLinks: inRouters('ip', '-o', 'link').replaceAll(/link-netnsid \d+/g, ''),
    routerRoutes: inRouters('ip', 'route', 'show', 'table', 'all'),
    routerNeighbours: inRouters('ip', 'neigh', 'show', 'nud', 'permanent'),
    rules: inRouters('nft', '-s', 'list', 'ruleset'),
    machineRules: ours(run('nft', '-s', 'list', 'tables')),
    mounts: ours(readFileSync('/proc/self/mountinfo', 'utf8')),
    cgroups: run('find', '/sys/fs/cgroup', '-maxdepth', '4', '-type', 'd', '-path', `*berth-${platform.instance}/*`),
    tasks: readdirSync(join(platform.state, 'host/tasks')).join(' '),
    sockets: existsSync(join(runDir, 'sup')) ? readdirSync(join(runDir, 'sup')).join(' ') : '',
    supervisors: processesOf(platform)?.supervisors.join(' ') ?? 'the platform is not whole',
  };
}

type Size = { rssBytes: number; fds: number; threads: number };

function sizes(): Record<'control' | 'host' | 'worker' | 'keeper', Size> {
  const processes = processesOf(platform);
  assert.ok(processes);
  const of = (pid: number): Size => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
    return { rssBytes: field('VmRSS') * 1024, fds: readdirSync(`/proc/${pid}/fd`).length, threads: field('Threads') };
  };
  return { control: of(processes.control), host: of(processes.host), worker: of(processes.worker), keeper: of(processes.keeper) };
}

it(`${TASKS} tasks leave the machine and the platform as they were`, async () => {
  for (let done = 0; done < WARM_UP; done += WAVE) await wave(WAVE);
  const quiet = () =>
    until('nothing of the tasks is left', async () => readdirSync(join(platform.state, 'host/tasks')).length === 0, 60_000);
  await quiet();
  const [machineBefore, sizesBefore] = [census(), sizes()];
  const began = Date.now();
  for (let done = 0; done < TASKS; done += WAVE) await wave(Math.min(WAVE, TASKS - done));
  await quiet();
  console.log(`  ${TASKS} tasks of two containers from start to end: ${((Date.now() - began) / 1000).toFixed(1)} s`);
  assert.deepEqual(census(), machineBefore);
  const sizesAfter = sizes();
  for (const [name, now] of Object.entries(sizesAfter)) {
    const then = sizesBefore[name as keyof typeof sizesBefore];
    console.log(
      `  ${name}: ${(then.rssBytes / 2 ** 20).toFixed(0)} -> ${(now.rssBytes / 2 ** 20).toFixed(0)} MiB, ${then.fds} -> ${now.fds} descriptors`,
    );
    assert.ok(now.fds <= then.fds + GROWTH_FDS, `${name} holds ${now.fds} descriptors, ${then.fds} before`);
    assert.ok(now.rssBytes <= then.rssBytes + GROWTH_BYTES, `${name} grew from ${then.rssBytes} to ${now.rssBytes} bytes`);
    assert.ok(now.threads <= then.threads + 4, `${name} has ${now.threads} threads, ${then.threads} before`);
  }
});
