/** The `container` sandbox: our own runtime in the task's supervisor, started through the kernel worker. */
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { asFault, isFault } from '#base/fault.ts';
import { newLanes } from '../driver.ts';
import type { LaneOffsets, SandboxDriver } from '../driver.ts';
import { attach, createError, exists, mayHaveRun, reattach, writeBundle } from '../supervised.ts';
import type { Attachment, SupervisedDeps } from '../supervised.ts';
import { hostStorage } from '../storage.ts';
import { bundleFiles } from './bundle.ts';
import type { BundleContext } from './bundle.ts';
import { nofileOf } from './nofile.ts';

export type ContainerDriverOptions = {
  /** Six hex digits. */
  instance: string;
  /** The instance's directory in /run: `sup/TASKID.sock` are the supervisors' sockets. */
  runDir: string;
  /** As `hostStorage` takes it. */
  models: string | null;
};

export function createContainerDriver(deps: SupervisedDeps, options: ContainerDriverOptions): SandboxDriver {
  const { worker } = deps;
  const socketDir = join(options.runDir, 'sup');
  const nofile = nofileOf(readFileSync('/proc/self/limits', 'utf8'), readFileSync('/proc/self/status', 'utf8'));
  const pathsOf = (taskId: string): Omit<BundleContext, 'storage'> => ({
    cgroup: `berth-${options.instance}/${taskId}`,
    socket: join(socketDir, `${taskId}.sock`),
    secrets: join(options.runDir, 'secrets', taskId),
    nofile,
  });

  const attachment = (taskId: string, dir: string, containers: string[], from: number, lanes?: LaneOffsets): Attachment => ({
    kind: 'container',
    taskId,
    dir,
    socket: pathsOf(taskId).socket,
    containers,
    from,
    lanes,
  });

  return {
    kind: 'container',
    async probe() {
      try {
        await worker.ping();
        return { works: true, reason: 'namespaces, cgroups and seccomp through the kernel worker' };
      } catch (error) {
        return { works: false, reason: asFault(error).message };
      }
    },
    async start(plan, events) {
      const paths = pathsOf(plan.taskId);
      writeBundle(plan.dir, socketDir, paths.secrets, bundleFiles(plan, { ...paths, storage: hostStorage(plan, options.models) }));
      try {
        await worker.taskStart(join(plan.dir, 'task.json'));
      } catch (error) {
        // Asked for twice: the one that runs is this task's.
        if (!isFault(error, 'AlreadyExists')) throw createError(error);
      }
      const names = plan.spec.containers.map((container) => container.name);
      return attach(deps, attachment(plan.taskId, plan.dir, names, 0, newLanes(plan.spec)), events);
    },
    recover: (taskId, dir, containers, from, events, lanes) => reattach(deps, attachment(taskId, dir, containers, from, lanes), events),
    mayHaveRun: (_taskId, dir) => mayHaveRun(dir),
    async clean(taskId, dir, network) {
      const paths = pathsOf(taskId);
      await worker.taskClean({
        dir,
        cgroupPath: paths.cgroup,
        routerNetns: network?.routerNetns ?? null,
        routerIf: network?.routerIf ?? null,
      });
      await rm(paths.socket, { force: true });
      if (await exists(dir)) await worker.removeTree(dir, dirname(dir));
    },
  };
}
