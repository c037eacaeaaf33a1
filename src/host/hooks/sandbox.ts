/** The sandbox with the task's containers. */
import type { Log } from '#base/log.ts';
import { asFault, Fault, invariant } from '#base/fault.ts';
import type { IsolationKind, IsolationWish } from '#domain/task-spec.ts';
import type { SandboxDriver, SandboxPlan } from '#sandbox/driver.ts';
import type { Hook, TaskRun } from '../run.ts';
import type { Slots } from '../slots.ts';

export type SandboxHookDeps = { drivers: Drivers; slots: Slots; log: Log };

export type Drivers = {
  /** The driver for a task: the kind it asks for, or the strongest that works here. Throws ResourceInitialization when there is none. */
  choose(run: TaskRun): SandboxDriver;
  /** One that can clean up after a task that never came to have a kind. */
  any(): SandboxDriver | undefined;
};

export function sandboxHook(deps: SandboxHookDeps): Hook {
  return {
    name: 'sandbox',
    async prepare(run) {
      const driver = (run.driver = deps.drivers.choose(run));
      run.update({ isolation: isolationOf(driver) });
      const plan = planOf(run);
      run.sandbox = await deps.slots.with(run.signal, () => driver.start(plan, run.events));
    },
    async recover(run) {
      const driver = (run.driver = deps.drivers.choose(run));
      const names = run.spec.containers.map((container) => container.name);
      run.sandbox = await driver.recover(run.taskId, run.dir, names, run.entry.ackedOffset, run.events);
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
      await (run.driver ?? deps.drivers.any())?.clean(run.taskId, run.dir, run.network);
    },
  };
}

/** `fake` pretends to be a container. */
export function isolationOf(driver: SandboxDriver): IsolationKind {
  return driver.kind === 'fake' ? 'container' : driver.kind;
}

function planOf(run: TaskRun): SandboxPlan {
  invariant(run.network !== null, 'the network comes before the sandbox');
  return {
    taskId: run.taskId,
    spec: run.spec,
    dir: run.dir,
    network: run.network,
    images: run.images,
    environment: run.environment,
    runtimeIds: run.entry.runtimeIds,
    files: run.files,
    volumes: run.volumes,
  };
}

const strongestFirst: IsolationKind[] = ['microvm', 'gvisor', 'container'];

/** `works`: what each driver's probe said. */
export function createDrivers(
  drivers: SandboxDriver[],
  works: ReadonlyMap<SandboxDriver, { works: boolean; reason: string }>,
  /** What this host takes `auto` for. */
  auto: IsolationWish = 'auto',
): Drivers {
  return {
    any: () => drivers[0],
    choose(run) {
      const before = run.entry.report.isolation;
      const wish = before ?? (run.spec.isolation === 'auto' ? auto : run.spec.isolation);
      const kinds = wish === 'auto' ? strongestFirst : [wish];
      for (const kind of kinds) {
        const driver = drivers.find((one) => one.kind === kind || one.kind === 'fake');
        // What was started with a driver must be ended with it, whether or not it would start today.
        if (driver !== undefined && (before !== null || works.get(driver)?.works === true)) return driver;
      }
      const reasons = drivers.map((driver) => `${driver.kind}: ${works.get(driver)?.reason ?? 'not tried'}`).join('; ');
      throw new Fault(
        'ResourceInitialization',
        `ResourceInitializationError: this host can't isolate a task by "${wish}" (${reasons || 'it has no sandbox'})`,
      );
    },
  };
}
