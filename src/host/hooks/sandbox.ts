/** The sandbox with the task's containers. */
import type { Log } from '#base/log.ts';
import { asFault, Fault, invariant } from '#base/fault.ts';
import { beyondKind } from '#domain/extensions.ts';
import { kindFor } from '#domain/isolation.ts';
import type { HostInfo } from '#domain/records.ts';
import type { Accelerator, IsolationKind } from '#domain/task-spec.ts';
import { newLanes } from '#sandbox/driver.ts';
import type { SandboxDriver, SandboxNetwork, SandboxPlan } from '#sandbox/driver.ts';
import { isolationOf } from '../probes.ts';
import type { Hook, TaskRun } from '../run.ts';
import type { Slots } from '../slots.ts';

export type SandboxHookDeps = { drivers: Drivers; slots: Slots; log: Log };

export type Choice = { driver: SandboxDriver; accelerator: Accelerator | null };

export type Drivers = {
  /** The driver for a task: the kind it asks for, or the strongest that works here. Throws ResourceInitialization when there is none. */
  choose(run: TaskRun): Choice;
  /** Cleans up after a task that never came to have a kind, or of which nothing is known: as every kind would. */
  clean(taskId: string, dir: string, network: SandboxNetwork | null): Promise<void>;
};

export function sandboxHook(deps: SandboxHookDeps): Hook {
  return {
    name: 'sandbox',
    async prepare(run) {
      const { driver, accelerator } = deps.drivers.choose(run);
      run.driver = driver;
      run.update({ isolation: isolationOf(driver), accelerator });
      const plan = planOf(run, isolationOf(driver));
      run.sandbox = await deps.slots.with(run.signal, () => driver.start(plan, run.events));
    },
    async recover(run) {
      const { driver } = deps.drivers.choose(run);
      run.driver = driver;
      const names = run.spec.containers.map((container) => container.name);
      const { of, from } = newLanes(run.spec);
      const lanes = { of, from: from.map((_, index) => run.entry.ackedLanes?.[index] ?? 0) };
      run.sandbox = await driver.recover(run.taskId, run.dir, names, run.entry.ackedOffset, run.events, lanes);
    },
    async release(run) {
      const { sandbox } = run;
      run.sandbox = null;
      if (sandbox !== null) {
        try {
          return await sandbox.release();
        } catch (error) {
          deps.log.warn('sandbox.release', { taskId: run.taskId, reason: asFault(error).message });
        }
      }
      await (run.driver === null
        ? deps.drivers.clean(run.taskId, run.dir, run.network)
        : run.driver.clean(run.taskId, run.dir, run.network));
    },
  };
}

/** Throws ResourceInitialization for what this kind may never give: the control plane has seen to it, and the host doesn't take its word. */
function planOf(run: TaskRun, kind: IsolationKind): SandboxPlan {
  invariant(run.network !== null, 'the network comes before the sandbox');
  const beyond = beyondKind(run.spec.containers, kind);
  if (beyond !== undefined) {
    throw new Fault(
      'ResourceInitialization',
      `ResourceInitializationError: ${beyond} is not for a sandbox of the kind ${kind}, which this task's is`,
    );
  }
  return {
    taskId: run.taskId,
    kind,
    spec: run.spec,
    dir: run.dir,
    network: run.network,
    images: run.images,
    environment: run.environment,
    secrets: run.secrets,
    runtimeIds: run.entry.runtimeIds,
    files: run.files,
    containerFiles: run.containerFiles,
    mayEnter: run.entry.assignment.facts?.mayEnter === true,
    volumes: run.volumes,
  };
}

/** `isolation`: what the drivers' probes said, and what this host takes `auto` for. */
export function createDrivers(drivers: SandboxDriver[], isolation: HostInfo['isolation']): Drivers {
  return {
    async clean(taskId, dir, network) {
      // What is no kind's own is a directory and an interface, which the weakest removes last.
      for (const driver of drivers.toReversed()) await driver.clean(taskId, dir, network);
    },
    choose(run) {
      const before = run.entry.report.isolation;
      const wish = run.spec.isolation;
      // What was started with a driver must be ended with it, whether or not it would start today.
      const kind = before ?? kindFor(isolation, wish);
      const driver = drivers.find((one) => one.kind === kind || one.kind === 'fake');
      const accelerator = isolation.find((entry) => entry.kind === kind)?.accelerator ?? null;
      if (driver !== undefined && kind !== undefined) return { driver, accelerator };
      const reasons = isolation.map((entry) => `${entry.kind}: ${entry.reason}`).join('; ');
      throw new Fault(
        'ResourceInitialization',
        `ResourceInitializationError: this host can't isolate a task by "${wish}" (${reasons || 'it has no sandbox'})`,
      );
    },
  };
}
