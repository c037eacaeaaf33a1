/** Ends an instance: its processes by the keeper, then whatever its tasks and networks left on this machine. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import { silentLog } from '#base/log.ts';
import type { Steps } from '#cli/steps.ts';
import { unmountMemory } from '#host/secret-files.ts';
import { updateHosts } from '#network/hosts-file.ts';
import { createNetwork } from '#network/network.ts';
import { createOneUser } from '#volume/one-user.ts';
import { createWorkerClient } from '#supervisor/worker-client.ts';
import type { WorkerClient } from '#supervisor/worker-client.ts';
import { readConfig } from '../config.ts';
import { supervisorBinary } from '../paths.ts';
import type { InstancePaths } from '../paths.ts';
import { keeperPid } from './keeper.ts';
import type { PlatformDeps } from './platform.ts';

const POLL_MS = 20;
/** Longer than the keeper gives its processes, one after the other. */
const KEEPER_WITHIN_MS = 30_000;

export async function bringDown(deps: PlatformDeps, steps: Steps, options: { keepTasks: boolean }): Promise<{ wasRunning: boolean }> {
  const wasRunning = keeperPid(deps.paths) !== null;
  if (wasRunning) await steps.run('Platform stopped', () => stopKeeper(deps));
  if (!options.keepTasks && existsSync(deps.paths.run)) await steps.run('Machine cleaned', () => clean(deps));
  await removeNames(deps, steps);
  return { wasRunning };
}

/** Nobody keeps the names up to date any more. */
async function removeNames({ paths }: PlatformDeps, steps: Steps): Promise<void> {
  const config = readConfig(paths.config);
  if (config?.dns !== true) return;
  await steps.run('Names removed', async () => updateHosts(config.hostsFile, paths.instance, {}));
}

/** SIGTERM to the keeper, which stops its processes in order; SIGKILL when it doesn't end in time. Nothing to do without one. */
export async function stopKeeper({ paths, clock }: Pick<PlatformDeps, 'paths' | 'clock'>): Promise<void> {
  const pid = keeperPid(paths);
  if (pid === null) return;
  process.kill(pid, 'SIGTERM');
  const began = clock.now();
  while (keeperPid(paths) === pid) {
    if (clock.now() - began > KEEPER_WITHIN_MS) {
      process.kill(pid, 'SIGKILL');
      throw new Fault(
        'TimedOut',
        `berth's keeper (pid ${pid}) did not end within ${KEEPER_WITHIN_MS / 1000} s and was killed; run 'berth down' again`,
      );
    }
    await clock.sleep(POLL_MS);
  }
}

/**
 * Removes tasks that nobody stopped (the control plane was gone), routers, rules and cgroups, through a kernel worker of its own: the host
 * agent that would do it is no more.
 */
async function clean({ paths, clock }: PlatformDeps): Promise<void> {
  if (existsSync(supervisorBinary)) await withWorker(paths, clock, (worker) => cleanWith(worker, paths));
  await unmountMemory(clock, paths.secrets);
  rmSync(paths.run, { recursive: true, force: true });
}

async function cleanWith(worker: WorkerClient, paths: InstancePaths): Promise<void> {
  const ids = existsSync(paths.tasks) ? readdirSync(paths.tasks) : [];
  const network = createNetwork(
    { worker, log: silentLog, occupied: () => [] },
    { instance: paths.instance, runDir: paths.run, ports: { dns: null, metadata: null, api: null }, mtu: 1500 },
  );
  const vpcs = network.vpcs();
  for (const id of ids) {
    await worker.taskClean({
      dir: join(paths.tasks, id),
      cgroupPath: `${paths.cgroup}/${id}`,
      routerNetns: vpcs[0]?.routerNetns ?? null,
      routerIf: null,
    });
  }
  const oneUser = createOneUser(worker, paths.instance);
  const mounts = join(paths.host, 'mounts');
  for (const id of existsSync(mounts) ? readdirSync(mounts) : []) await oneUser.end(id, join(mounts, id));
  await network.down();
  await worker.cgroupClean(paths.cgroup);
}

async function withWorker(paths: InstancePaths, clock: Clock, work: (worker: WorkerClient) => Promise<void>): Promise<void> {
  const socket = join(paths.run, 'down.sock');
  const child = spawn(supervisorBinary, ['serve', '--socket', socket], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const client = createWorkerClient({ path: socket, clock });
  try {
    await work(client);
  } catch (error) {
    throw new Fault('Unavailable', `cleaning up failed: ${asFault(error).message}${said === '' ? '' : `\n  ${said.trim()}`}`, {
      cause: error,
    });
  } finally {
    client.close();
    child.kill('SIGTERM');
    await ended;
  }
}
