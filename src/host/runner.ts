/**
 * One task on this host, from its assignment to STOPPED. Hooks in order make it, the supervisor's word moves it, hooks in reverse give
 * everything back. The runner may die at any instruction: a new one takes the task up from its journal entry and what is still alive.
 */
import type { Clock } from '#base/clock.ts';
import { asFault, Fault, isFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import type { Stop } from '#domain/task.ts';
import { taskStatuses } from '#domain/task.ts';
import type { Assignment, OutputBatch, TaskReport } from '#link/protocol.ts';
import type { SandboxState } from '#sandbox/driver.ts';
import type { TaskStats } from '#supervisor/protocol.ts';
import type { Journal, TaskEntry } from './journal.ts';
import { bounded, observeContainers, outcomeOf } from './outcome.ts';
import { createTaskOutput } from './output.ts';
import type { Hook, TaskRun } from './run.ts';
import type { Tails } from './tails.ts';
import { createKillSwitch, releaseAll } from './wind-down.ts';

export type RunnerDeps = {
  clock: Clock;
  log: Log;
  journal: Journal;
  tails: Tails;
  /** Stages in order; the hooks of one stage run at the same time. */
  stages: Hook[][];
  /** The task's directory. */
  dir: string;
  sendOutput(batch: OutputBatch): boolean;
  /** The report changed. */
  changed(): void;
};

export type Runner = {
  taskId: string;
  entry: TaskEntry;
  /** What the control plane wants now. */
  assign(assignment: Assignment): void;
  /** The control plane no longer knows the task. */
  abandon(): void;
  outputAcknowledged(to: number): void;
  linkUp(): void;
  /** Throws Fault Unavailable unless it runs. */
  stats(): Promise<TaskStats>;
  /** The agent ends; the task goes on. */
  detach(): void;
  /** Resolves when the task is STOPPED and everything is given back. */
  done: Promise<void>;
};

export type RunnerMode =
  /** A new assignment. */
  | 'start'
  /** From the journal of a former agent. */
  | 'recover';

const LOST: Stop = {
  code: 'InfrastructureHealth',
  reason: "The task's supervisor is gone: the machine was restarted, or the process was killed.",
};
const NEVER_RAN = "Task failed to start: the task's supervisor is gone: the machine was restarted, or the process was killed.";

export function createRunner(deps: RunnerDeps, entry: TaskEntry, mode: RunnerMode): Runner {
  const { clock, journal, dir } = deps;
  const taskId = entry.report.taskId;
  const log = deps.log.with({ taskId });
  const { spec } = entry.assignment;
  const abort = new AbortController();
  const over = Promise.withResolvers<'exited' | 'lost'>();
  let lastState: SandboxState | null = null;
  let detached = false;
  let cancelKill = () => {};

  const output = createTaskOutput(
    { clock, tails: deps.tails, port: { send: (batch) => !detached && deps.sendOutput(batch), ack: (to) => acked(to) } },
    {
      key: entry.assignment.key,
      logged: new Set(spec.containers.filter((container) => container.log !== null).map((container) => container.name)),
      from: entry.ackedOffset,
    },
  );
  const acked = (to: number) => {
    entry.ackedOffset = to;
    run.sandbox?.ack(to);
  };

  const save = async () => {
    if (detached) return;
    await journal.save(entry);
  };
  const saveSoon = () => void save().catch((error: unknown) => log.warn('journal.save', { reason: asFault(error).message }));

  const update = (change: Partial<TaskReport>) => {
    if (detached) return;
    const { report } = entry;
    const forward = change.status === undefined || taskStatuses.indexOf(change.status) > taskStatuses.indexOf(report.status);
    // Grows over a restart too, even if the last entry was never written.
    Object.assign(report, change, {
      status: forward ? (change.status ?? report.status) : report.status,
      seq: Math.max(report.seq + 1, clock.now()),
    });
    saveSoon();
    deps.changed();
  };

  /** The first reason stays. */
  const wantStop = (stop: Stop) => {
    if (entry.report.stop !== null) return;
    update({ stop });
    abort.abort();
    if (run.sandbox !== null) beginStop();
  };

  const beginStop = () => {
    update({ status: 'STOPPING', stoppingAt: entry.report.stoppingAt ?? clock.now() });
    const sandbox = run.sandbox;
    if (sandbox === null) return;
    cancelKill();
    cancelKill = createKillSwitch(clock, spec, {
      kill: () => sandbox.kill(),
      giveUp: () => over.resolve('lost'),
    });
    try {
      sandbox.stop();
    } catch (error) {
      log.debug('sandbox.stop', { reason: asFault(error).message }); // it is gone, and `lost` says so
    }
  };

  const onState = (state: SandboxState) => {
    if (detached) return;
    lastState = state;
    const containers = observeContainers(entry.report.containers, state.containers);
    const outcome = outcomeOf(spec, state);
    const starts = outcome.startedAt !== null && entry.report.startedAt === null;
    if (starts) update({ status: 'RUNNING', startedAt: outcome.startedAt, containers });
    else if (JSON.stringify(containers) !== JSON.stringify(entry.report.containers)) update({ containers });
    if (outcome.stop !== null) wantStop(outcome.stop);
    if (outcome.ended) over.resolve('exited');
  };

  const onLost = (reason: string) => {
    if (detached) return;
    log.warn('sandbox.lost', { reason });
    wantStop(entry.report.startedAt === null ? { code: 'TaskFailedToStart', reason: NEVER_RAN } : LOST);
    over.resolve('lost');
  };

  const run: TaskRun = {
    taskId,
    dir,
    entry,
    spec,
    signal: abort.signal,
    events: { state: onState, lost: onLost, output: (records, from, to) => void (detached || output.records(records, from, to)) },
    network: null,
    images: {},
    volumes: {},
    files: {},
    environment: {},
    driver: null,
    sandbox: null,
    update,
    updateContainer: (name, change) =>
      update({ containers: entry.report.containers.map((one) => (one.name === name ? { ...one, ...change } : one)) }),
  };

  const prepare = async () => {
    await save();
    for (const stage of deps.stages) {
      if (abort.signal.aborted) return;
      // All of a stage are waited for, so that nothing is under way when they are released.
      const results = await Promise.allSettled(stage.map((hook) => hook.prepare(run)));
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    }
  };

  const recover = async () => {
    for (const hook of deps.stages.flat()) {
      try {
        await hook.recover?.(run);
      } catch (error) {
        log.warn('recover', { hook: hook.name, reason: asFault(error).message });
      }
    }
    if (run.sandbox !== null) return run.sandbox.ack(entry.ackedOffset);
    const ends = entry.report.stop !== null || taskStatuses.indexOf(entry.report.status) >= taskStatuses.indexOf('STOPPING');
    if (ends) return;
    const ran = entry.report.startedAt !== null || (await run.driver?.mayHaveRun(taskId, dir)) !== false;
    if (run.driver !== null && ran) return onLost('nothing of it was alive when the host agent came back');
    await run.driver?.clean(taskId, dir, run.network);
    await prepare();
  };

  const failed = (error: unknown) => {
    if (abort.signal.aborted && isFault(error, 'Cancelled')) return;
    const fault = asFault(error);
    log.info('task.failed-to-start', { code: fault.code, reason: fault.message });
    wantStop({ code: 'TaskFailedToStart', reason: startFailure(fault) });
  };

  const live = async () => {
    try {
      await (mode === 'recover' ? recover() : prepare());
    } catch (error) {
      failed(error);
    }
    if (detached) return run.sandbox?.detach();
    if (run.sandbox !== null) {
      if (output.ackedOffset() > 0) run.sandbox.ack(output.ackedOffset());
      if (entry.report.stop !== null) beginStop();
      await over.promise;
    }
    await windDown(run.sandbox === null ? 'exited' : await over.promise);
  };

  const windDown = async (how: 'exited' | 'lost') => {
    cancelKill();
    const now = clock.now();
    const { report } = entry;
    update({
      status: 'DEPROVISIONING',
      stoppingAt: report.stoppingAt ?? now,
      executionStoppedAt: report.executionStoppedAt ?? now,
      containers: report.containers.map((one) => ({ ...one, status: 'STOPPED' })),
    });
    // Once anything is released, a new agent must not take the task for one that never ran.
    await save().catch((error: unknown) => log.warn('journal.save', { reason: asFault(error).message }));
    if (how === 'exited' && run.sandbox !== null && lastState !== null) {
      const safe = await output.drained(lastState.spoolEnd);
      if (!safe && !detached) log.warn('output.dropped', { from: output.ackedOffset(), to: lastState.spoolEnd });
    }
    if (how === 'lost') run.sandbox?.detach();
    if (how === 'lost') run.sandbox = null;
    if (detached) return;
    await releaseAll({ clock, log, isOver: () => detached }, deps.stages.flat().toReversed(), run);
    output.close();
    deps.tails.ended(taskId);
    update({ status: 'STOPPED', stoppedAt: clock.now() });
  };

  const done = entry.report.status === 'STOPPED' ? Promise.resolve() : live();
  return {
    taskId,
    entry,
    assign(assignment) {
      if (assignment.fence < entry.assignment.fence) return;
      entry.assignment = { ...assignment, desired: entry.assignment.desired === 'STOPPED' ? 'STOPPED' : assignment.desired };
      if (assignment.desired !== 'STOPPED') return;
      wantStop(assignment.stop ?? { code: 'UserInitiated', reason: 'Task stopped by user' });
    },
    abandon: () => wantStop({ code: 'InfrastructureHealth', reason: 'The control plane no longer knows this task.' }),
    outputAcknowledged: output.acknowledged,
    linkUp: output.linkUp,
    stats() {
      if (run.sandbox === null) throw new Fault('Unavailable', `task ${taskId} does not run (it is ${entry.report.status})`);
      return run.sandbox.stats();
    },
    detach() {
      detached = true;
      cancelKill();
      output.close();
      abort.abort();
      run.sandbox?.detach();
    },
    done,
  };
}

/** AWS's error name comes first: that of the step that failed, or ResourceInitializationError. */
function startFailure(fault: Fault): string {
  return bounded(/^\w+Error: /.test(fault.message) ? fault.message : `ResourceInitializationError: ${fault.message}`);
}
