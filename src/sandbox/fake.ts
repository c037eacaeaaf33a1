/**
 * The `fake` sandbox for simulation: a world of tasks that live by a clock. The world is an object outside the host agent, as the
 * supervisors are processes outside it: an agent may crash and a new one take the tasks back.
 */
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import type { Sandbox, SandboxDriver, SandboxPlan } from './driver.ts';
import { behaviourOf } from './fake-script.ts';
import type { FakeBehaviour } from './fake-script.ts';
import { createFakeTask } from './fake-task.ts';
import type { FakeTask } from './fake-task.ts';

export type FakeWorld = {
  /** Ids of the tasks whose supervisor is alive. */
  alive(): string[];
  /** How often each task was really started: more than once is a broken promise. */
  starts(): ReadonlyMap<string, number>;
  /** The next start of a sandbox fails with this text before anything ran. */
  failNextStart(message: string): void;
  /** The supervisor of one task dies. */
  kill(taskId: string): void;
  /** The machine restarts: every supervisor is gone, and nobody is told. */
  reboot(): void;
  /** The agent's process dies: nobody listens any more. */
  detachAll(): void;
  /** Grows with every `detachAll`: what a dead agent still has under way no longer listens. */
  generation(): number;
  /** For the driver. */
  start(plan: SandboxPlan): FakeTask;
  find(taskId: string): FakeTask | undefined;
  /** Whether a supervisor of this task was ever started on a disk that still has its directory. */
  began(taskId: string): boolean;
  remove(taskId: string): void;
};

export type FakeWorldOptions = {
  clock: Clock;
  /** Default: read from the container's command (fake-script.ts). */
  behaviour?: (container: ContainerSpec) => FakeBehaviour;
};

export function createFakeWorld(options: FakeWorldOptions): FakeWorld {
  const tasks = new Map<string, FakeTask>();
  const started = new Map<string, number>();
  const began = new Set<string>();
  let failNext: string | undefined;
  let generation = 0;
  return {
    alive: () => [...tasks.keys()],
    starts: () => started,
    failNextStart: (message) => void (failNext = message),
    kill(taskId) {
      const task = tasks.get(taskId);
      tasks.delete(taskId);
      task?.die('the supervisor process ended');
    },
    reboot() {
      const all = [...tasks.values()];
      tasks.clear();
      for (const task of all) {
        task.detach();
        task.die('the machine restarted');
      }
    },
    detachAll() {
      generation++;
      tasks.forEach((task) => task.detach());
    },
    generation: () => generation,
    start(plan) {
      if (failNext !== undefined) {
        const message = failNext;
        failNext = undefined;
        throw new Fault('CannotCreateContainer', `CannotCreateContainerError: ${message}`);
      }
      const task = tasks.get(plan.taskId) ?? createFakeTask(options.clock, plan, options.behaviour ?? behaviourOf);
      if (!tasks.has(plan.taskId)) started.set(plan.taskId, (started.get(plan.taskId) ?? 0) + 1);
      tasks.set(plan.taskId, task);
      began.add(plan.taskId);
      return task;
    },
    find: (taskId) => tasks.get(taskId),
    began: (taskId) => began.has(taskId),
    remove(taskId) {
      const task = tasks.get(taskId);
      tasks.delete(taskId);
      began.delete(taskId);
      task?.die('it was removed');
    },
  };
}

/** `startMs`: how long the kernel work of a start takes. */
export function createFakeDriver(world: FakeWorld, options: { clock: Clock; startMs?: number }): SandboxDriver {
  const { clock } = options;
  const generation = world.generation();
  return {
    kind: 'fake',
    probe: async () => ({ works: true, reason: 'it only pretends' }),
    async start(plan, events) {
      await clock.sleep(options.startMs ?? 2);
      const task = world.start(plan);
      if (world.generation() === generation) task.attach([], events);
      return sandboxOf(world, plan.taskId, task);
    },
    async recover(taskId, _dir, _containers, from, events, lanes) {
      const task = world.find(taskId);
      if (task === undefined) return null;
      task.attach([from, ...(lanes?.from ?? [])], events);
      return sandboxOf(world, taskId, task);
    },
    mayHaveRun: async (taskId) => world.began(taskId),
    clean: async (taskId) => world.remove(taskId),
  };
}

function sandboxOf(world: FakeWorld, taskId: string, task: FakeTask): Sandbox {
  const alive = <T>(fn: () => T): T => {
    if (world.find(taskId) !== task) throw new Fault('Unavailable', `the supervisor of task ${taskId} is gone`);
    return fn();
  };
  return {
    taskId,
    kind: 'fake',
    ack: (to, lane = 0) => task.ack(to, lane),
    stop: () => alive(() => task.stop()),
    kill: () => alive(() => task.kill()),
    signal: (container) => alive(() => task.signal(container)),
    stats: async () => alive(() => task.stats()),
    setLatency: async () => {},
    exec: async (request, events) => alive(() => task.exec(request, events)),
    async release() {
      if (task.running()) throw new Fault('Conflict', `containers of task ${taskId} still run`);
      task.detach();
      world.remove(taskId);
    },
    detach: () => task.detach(),
  };
}
