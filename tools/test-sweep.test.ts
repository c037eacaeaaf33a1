import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { instanceId } from '#main/paths.ts';
import { sweep } from './test-sweep.ts';

/** What an instance has on the machine. Its process is told by the run's directory, the other by its cgroup alone. */
function planted(run: string): { run: string; id: string; group: string; processes: ChildProcess[] } {
  const state = join(run, 'berth-e2e-1/state');
  const id = instanceId(state);
  mkdirSync(state, { recursive: true });
  mkdirSync(join('/run/berth', id, 'secrets'), { recursive: true });
  for (const dir of [state, join('/run/berth', id, 'secrets')]) execFileSync('mount', ['-t', 'tmpfs', 'none', dir]);
  execFileSync('nft', ['add', 'table', 'ip', `berth_${id}_0`]);
  execFileSync('ip', ['link', 'add', `bt${id}`, 'type', 'veth', 'peer', 'name', `bu${id}`]);
  const pids = existsSync('/sys/fs/cgroup/pids') ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup';
  const group = join(pids, `berth-${id}`, 'task');
  mkdirSync(group, { recursive: true });
  const inGroup = `echo $$ > ${join(group, 'cgroup.procs')}; echo there; exec sleep 1000`;
  const processes = [
    spawn('sleep', ['1000'], { env: { TMPDIR: run }, stdio: 'ignore' }),
    spawn('sh', ['-c', inGroup], { env: {}, stdio: ['ignore', 'pipe', 'inherit'] }),
  ];
  return { run, id, group, processes };
}

function isThere({ run, id, group, processes }: ReturnType<typeof planted>): Record<string, boolean> {
  const text = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: 'utf8' });
  return {
    run: existsSync(run),
    room: existsSync(join('/run/berth', id)),
    mounts: text('cat', '/proc/self/mountinfo').includes(id) || text('cat', '/proc/self/mountinfo').includes(run),
    table: text('nft', 'list', 'tables').includes(id),
    link: readdirSync('/sys/class/net').includes(`bt${id}`),
    group: existsSync(group),
    processes: processes.some((one) => one.exitCode === null && one.signalCode === null),
  };
}

test('everything of a run that was broken off is taken away, and nothing of another', async () => {
  const runs = [1, 2].map(() => realpathSync(mkdtempSync(join(tmpdir(), 'berth-sweep-'))));
  const values = (state: boolean) => ({
    run: state,
    room: state,
    mounts: state,
    table: state,
    link: state,
    group: state,
    processes: state,
  });
  try {
    const [mine, other] = runs.map(planted);
    assert.ok(mine && other);
    for (const one of [mine, other]) await once(one.processes[1]?.stdout as NodeJS.ReadableStream, 'data');
    const [ended, othersEnded] = [mine, other].map(({ processes }) => Promise.all(processes.map((one) => once(one, 'exit'))));
    const found = await sweep(mine.run);
    await ended;
    assert.deepEqual(isThere(mine), values(false));
    assert.deepEqual(isThere(other), values(true));
    assert.equal(found.length, 8, found.join('\n'));
    assert.deepEqual(await sweep(mine.run), []);
    await sweep(other.run);
    await othersEnded;
    assert.deepEqual(isThere(other), values(false));
  } finally {
    for (const run of runs) await sweep(run);
  }
});
