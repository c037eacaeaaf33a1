/** The `gvisor` sandbox: a task's containers in one gVisor kernel in user space, made by `runsc` under the task's own supervisor. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { asFault, isFault } from '#base/fault.ts';
import { newLanes } from '../driver.ts';
import type { LaneOffsets, SandboxDriver, SandboxPlan } from '../driver.ts';
import { attach, createError, exists, mayHaveRun, reattach, writeBundle } from '../supervised.ts';
import type { Attachment } from '../supervised.ts';
import { nofileOf } from '../container/nofile.ts';
import { hostStorage } from '../storage.ts';
import { gvisorBundle } from './bundle.ts';
import type { GvisorPaths } from './bundle.ts';
import { pauseProgram } from './pause.ts';
import { createPool } from './pool.ts';
import type { Place, PoolDeps } from './pool.ts';
import { proven } from './proof.ts';
import { renderPause } from './render.ts';
import { readRunscVersion } from './version.ts';
import { RUNSC_VERSION } from './settings.ts';

export type GvisorDriverOptions = {
  /** Six hex digits. */
  instance: string;
  /** The instance's directory in /run: `sup/TASKID.sock` are the supervisors' sockets, `gv/` the sandboxes' rooms. */
  runDir: string;
  /** Where the sandbox's own first container is kept. */
  dir: string;
  runsc: string;
  supervisor: string;
  /** A file that keeps that a sandbox was seen to start, for the next host and other instances (proof.ts); null: each driver starts one. */
  proof: string | null;
  /** As `hostStorage` takes it. */
  models: string | null;
};

export type GvisorDriver = SandboxDriver & {
  /** Has sandboxes stand ready from now on, not only from the first task on. */
  warm(): void;
  /** Ends what stands ready for tasks to come. */
  close(): Promise<void>;
};

export function createGvisorDriver(deps: PoolDeps, options: GvisorDriverOptions): GvisorDriver {
  const { worker } = deps;
  const socketDir = join(options.runDir, 'sup');
  const rooms = join(options.runDir, 'gv');
  const nofile = nofileOf(readFileSync('/proc/self/limits', 'utf8'), readFileSync('/proc/self/status', 'utf8'));
  const paths: GvisorPaths = { runsc: options.runsc, supervisor: options.supervisor, pause: join(options.dir, 'pause') };
  const pool = createPool(deps, { instance: options.instance, rooms, paths });
  let probed: ReturnType<SandboxDriver['probe']> | undefined;

  const socketOf = (taskId: string) => join(socketDir, `${taskId}.sock`);
  const placeOf = (taskId: string): Place => ({ cgroup: `berth-${options.instance}/${taskId}`, room: join(rooms, taskId) });
  const attachment = (taskId: string, dir: string, containers: string[], from: number, lanes?: LaneOffsets): Attachment => ({
    kind: 'gvisor',
    taskId,
    dir,
    socket: socketOf(taskId),
    containers,
    from,
    lanes,
  });
  const secretsOf = (taskId: string) => join(options.runDir, 'secrets', taskId);
  const write = (plan: SandboxPlan, place: Place) =>
    writeBundle(
      plan.dir,
      socketDir,
      secretsOf(plan.taskId),
      gvisorBundle(plan, {
        ...place,
        secrets: secretsOf(plan.taskId),
        socket: socketOf(plan.taskId),
        nofile,
        paths,
        storage: hostStorage(plan, options.models),
      }),
    );

  const startCold = async (plan: SandboxPlan) => {
    if (!existsSync(paths.pause)) writePause(paths);
    write(plan, placeOf(plan.taskId));
    try {
      await worker.taskStart(join(plan.dir, 'task.json'));
    } catch (error) {
      if (!isFault(error, 'AlreadyExists')) throw createError(error);
    }
  };

  const probe = async () => {
    try {
      const version = await readRunscVersion(deps.clock, options.runsc);
      if (version !== RUNSC_VERSION) {
        return { works: false, reason: `runsc is of version ${version}, and berth knows ${RUNSC_VERSION}: run 'berth setup'` };
      }
      writePause(paths);
      await pool.sweep();
      if (options.proof === null) await pool.prove();
      else await proven(options.proof, [options.runsc, options.supervisor], pool.prove);
      return { works: true, reason: `gVisor ${version}, platform systrap` };
    } catch (error) {
      return { works: false, reason: asFault(error).message };
    }
  };

  return {
    kind: 'gvisor',
    probe: () => (probed ??= probe()),
    status: pool.status,
    async start(plan, events) {
      const names = plan.spec.containers.map((container) => container.name);
      const to = attachment(plan.taskId, plan.dir, names, 0, newLanes(plan.spec));
      // Asked for twice: the one that runs is this task's.
      const running = (await mayHaveRun(plan.dir)) ? await reattach(deps, to, events) : null;
      if (running !== null) return running;
      const taken = await pool.take((place) => {
        write(plan, place);
        return join(plan.dir, 'task.json');
      });
      if (!taken) await startCold(plan);
      return attach(deps, to, events);
    },
    recover: (taskId, dir, containers, from, events, lanes) => reattach(deps, attachment(taskId, dir, containers, from, lanes), events),
    mayHaveRun: (_taskId, dir) => mayHaveRun(dir),
    async clean(taskId, dir, network) {
      const place = readPlace(dir) ?? placeOf(taskId);
      await worker.taskClean({
        dir,
        cgroupPath: place.cgroup,
        routerNetns: network?.routerNetns ?? null,
        routerIf: network?.routerIf ?? null,
      });
      await Promise.all([rm(socketOf(taskId), { force: true }), rm(place.room, { recursive: true, force: true })]);
      if (await exists(dir)) await worker.removeTree(dir, dirname(dir));
    },
    warm: pool.fill,
    close: pool.close,
  };
}

/** From the bundle that was written last; null when there is none that can be read. */
function readPlace(dir: string): Place | null {
  try {
    const bundle = JSON.parse(readFileSync(join(dir, 'task.json'), 'utf8'));
    const { path } = bundle.cgroup;
    const { room } = bundle.runtime;
    return typeof path === 'string' && typeof room === 'string' ? { cgroup: path, room } : null;
  } catch {
    return null;
  }
}

function writePause({ pause: dir, supervisor }: GvisorPaths): void {
  const root = join(dir, 'rootfs');
  mkdirSync(root, { recursive: true, mode: 0o755 });
  // Sets kernel parameters there (runsc/sysctl.rs). By a rename: one of a former version may be running.
  copyFileSync(supervisor, join(root, 'berth.new'));
  renameSync(join(root, 'berth.new'), join(root, 'berth'));
  writeFileSync(join(root, 'pause'), pauseProgram(process.arch === 'arm64' ? 'arm64' : 'x64'), { mode: 0o755 });
  writeFileSync(join(dir, 'config.json'), JSON.stringify(renderPause(root)), { mode: 0o644 });
}
