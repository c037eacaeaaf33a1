/**
 * One task on this host, from its assignment to STOPPED. Hooks in order make it, the supervisor's word moves it, hooks in reverse give
 * everything back. The runner may die at any instruction: a new one takes the task up from its journal entry and what is still alive.
 */
import type { Clock } from '#base/clock.ts';
import { asFault, Fault, isFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import type { Assignment, OutputBatch } from '#link/protocol.ts';
import type { ExecEvents, ExecProcess, ExecRequest } from '#supervisor/exec-calls.ts';
import type { Latency, TaskStats } from '#supervisor/protocol.ts';
import type { Journal, TaskEntry } from './journal.ts';
import { lostTeller, tellLost } from './lost-output.ts';
import { bounded } from './outcome.ts';
import type { Hook, TaskRun } from './run.ts';
import { createSupervision } from './supervision.ts';
import type { Supervision } from './supervision.ts';
import type { Tails } from './tails.ts';
import { createTaskLanes } from './task-lanes.ts';
import type { TaskLanes } from './task-lanes.ts';
import { createTaskRecord, hasReached } from './task-record.ts';
import type { TaskRecord } from './task-record.ts';
import { releaseAll } from './wind-down.ts';

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
  /** Ends it at once, without its grace; `reason`: for its owner. */
  evict(reason: string): void;
  outputAcknowledged(to: number, lane?: number): void;
  linkUp(): void;
  /** Throws Fault Unavailable unless it runs. */
  stats(): Promise<TaskStats>;
  /** As Sandbox.setLatency. Throws Fault Unavailable unless it runs. */
  setLatency(latency: Latency | null): Promise<void>;
  /** Runs a command in one of its containers, as Sandbox.exec. Throws Fault Unavailable unless it runs. */
  exec(request: ExecRequest, events: ExecEvents): Promise<ExecProcess>;
  /** As Sandbox.suspend and resume. Throws Fault Unsupported for a kind that can't, Unavailable unless it runs, Conflict when it is ending. */
  suspend(): Promise<void>;
  resume(): Promise<void>;
  /** As Sandbox.whileStill. Throws Fault Unavailable unless it runs, Unsupported for a kind that can't. */
  whileStill(work: () => Promise<void>): Promise<void>;
  /** The agent ends; the task goes on. Resolves once the journal has all. */
  detach(): Promise<void>;
  /** The task is STOPPED and its entry goes away: nothing is written any more. */
  forget(): void;
  /** Resolves when the task is STOPPED and everything is given back, or the runner detached. */
  done: Promise<void>;
};

/** `start`: a new assignment. `recover`: from the journal of a former agent. */
export type RunnerMode = 'start' | 'recover';

/** The parts of one runner. */
type Parts = {
  deps: RunnerDeps;
  log: Log;
  record: TaskRecord;
  output: TaskLanes;
  run: TaskRun;
  supervision: Supervision;
  /** It was started, or taken back from a former agent, or neither could be done. */
  begun: PromiseWithResolvers<void>;
};

export function createRunner(deps: RunnerDeps, entry: TaskEntry, mode: RunnerMode): Runner {
  const { taskId } = entry.report;
  const abort = new AbortController();
  const parts = assemble(deps, entry, abort);
  const { record, output, run, supervision, begun } = parts;
  const running = async () => {
    // What a former agent started is running all the while that it takes to find it.
    if (mode === 'recover') await begun.promise;
    if (run.sandbox === null) throw new Fault('Unavailable', `task ${taskId} does not run (it is ${entry.report.status})`);
    return run.sandbox;
  };
  /** What can stand still. */
  const standing = async () => {
    const { kind, suspend, resume } = await running();
    if (suspend === undefined || resume === undefined)
      throw new Fault('Unsupported', `a task in a ${kind} sandbox can't be suspended: only one in a microVM can`);
    if (entry.report.stop !== null) throw new Fault('Conflict', `task ${taskId} is ending: ${entry.report.stop.reason}`);
    return { suspend, resume };
  };
  return {
    taskId,
    entry,
    assign(assignment) {
      if (assignment.fence < entry.assignment.fence) return;
      entry.assignment = { ...assignment, desired: entry.assignment.desired === 'STOPPED' ? 'STOPPED' : assignment.desired };
      if (assignment.desired !== 'STOPPED') return;
      supervision.wantStop(assignment.stop ?? { code: 'UserInitiated', reason: 'Task stopped by user' });
    },
    abandon: () => supervision.wantStop({ code: 'InfrastructureHealth', reason: 'The control plane no longer knows this task.' }),
    evict(reason) {
      supervision.wantStop({ code: 'InfrastructureHealth', reason });
      run.sandbox?.kill();
    },
    outputAcknowledged: output.acknowledged,
    linkUp: output.linkUp,
    stats: async () => (await running()).stats(),
    setLatency: async (latency) => (await running()).setLatency(latency),
    exec: async (request, events) => (await running()).exec(request, events),
    suspend: async () => (await standing()).suspend(),
    resume: async () => (await standing()).resume(),
    async whileStill(work) {
      const { kind, whileStill } = await running();
      if (whileStill === undefined) throw new Fault('Unsupported', `a task in a ${kind} sandbox can't be held still`);
      await whileStill(work);
    },
    async detach() {
      const closed = record.close();
      supervision.close();
      output.close();
      abort.abort();
      run.sandbox?.detach();
      await closed;
    },
    forget: record.discard,
    done: entry.report.status === 'STOPPED' ? Promise.resolve(begun.resolve()) : live(parts, mode),
  };
}

function assemble(deps: RunnerDeps, entry: TaskEntry, abort: AbortController): Parts {
  const { clock, dir } = deps;
  const { taskId } = entry.report;
  const { spec } = entry.assignment;
  const log = deps.log.with({ taskId });
  const record = createTaskRecord({ clock, log, journal: deps.journal, changed: deps.changed }, entry);
  const output = createTaskLanes({
    clock,
    log,
    tails: deps.tails,
    entry,
    sendOutput: (batch) => !record.closed() && deps.sendOutput(batch),
    ack: (to, lane) => run.sandbox?.ack(to, lane),
    lost: lostTeller(clock, (lost) => tellLost(log, record, lost)),
    secretOptions: (container) => run.logSecrets[container] ?? {},
  });
  const supervision = createSupervision({ clock, log, spec, record, sandbox: () => run.sandbox, abort: () => abort.abort() });
  const run: TaskRun = {
    taskId,
    dir,
    entry,
    spec,
    signal: abort.signal,
    events: {
      state(state) {
        output.state(state);
        supervision.onState(state);
      },
      lost: supervision.onLost,
      output: (records, from, to, lane) => void (record.closed() || output.output(records, from, to, lane)),
      run: (run, names, lane) => void (record.closed() || output.run(run, names, lane)),
    },
    network: null,
    images: {},
    volumes: {},
    files: {},
    containerFiles: {},
    environment: {},
    secrets: {},
    logSecrets: {},
    registryAuth: {},
    driver: null,
    sandbox: null,
    update: record.update,
    save: record.save,
    updateContainer: record.updateContainer,
  };
  return { deps, log, record, output, run, supervision, begun: Promise.withResolvers<void>() };
}

async function live(parts: Parts, mode: RunnerMode): Promise<void> {
  const { record, run, supervision } = parts;
  try {
    await (mode === 'recover' ? recover(parts) : prepare(parts));
  } catch (error) {
    failed(parts, error);
  }
  parts.begun.resolve();
  if (record.closed()) return run.sandbox?.detach();
  if (run.sandbox === null) return windDown(parts, 'exited');
  parts.output.repeatAcks();
  if (record.entry.report.stop !== null) supervision.beginStop();
  await windDown(parts, await supervision.over);
}

async function prepare({ deps, run }: Parts): Promise<void> {
  for (const stage of deps.stages) {
    if (run.signal.aborted) return;
    // All of a stage are waited for, so that nothing is under way when they are released.
    const results = await Promise.allSettled(stage.map((hook) => hook.prepare(run)));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }
}

async function recover(parts: Parts): Promise<void> {
  const { deps, log, record, run, supervision } = parts;
  for (const hook of deps.stages.flat()) {
    try {
      await hook.recover?.(run);
    } catch (error) {
      log.warn('task.recover', { hook: hook.name, reason: asFault(error).message });
    }
  }
  const { report } = record.entry;
  if (run.sandbox !== null || report.stop !== null || hasReached(report, 'STOPPING')) return;
  const { driver } = run;
  const ran = report.startedAt !== null || (driver !== null && (await driver.mayHaveRun(run.taskId, run.dir)));
  if (ran) return supervision.onLost('nothing of it was alive when the host agent came back', driver?.howEnded?.(run.taskId, run.dir));
  await driver?.clean(run.taskId, run.dir, run.network);
  await prepare(parts);
}

function failed({ log, run, supervision }: Parts, error: unknown): void {
  if (run.signal.aborted && isFault(error, 'Cancelled')) return;
  const fault = asFault(error);
  log.info('task.failed-to-start', { code: fault.code, reason: fault.message });
  supervision.wantStop({ code: 'TaskFailedToStart', reason: startFailure(fault) });
}

async function windDown(parts: Parts, how: 'exited' | 'lost'): Promise<void> {
  const { deps, log, record, output, run, supervision } = parts;
  supervision.close();
  const { clock } = deps;
  const { report } = record.entry;
  const now = clock.now();
  record.update({
    status: 'DEPROVISIONING',
    stoppingAt: report.stoppingAt ?? now,
    executionStoppedAt: report.executionStoppedAt ?? now,
    containers: report.containers.map((one) => ({ ...one, status: 'STOPPED' })),
  });
  // Once anything is released, a new agent must not take the task for one that never ran.
  await record.trySave();
  if (how === 'lost') {
    run.sandbox?.detach();
    run.sandbox = null;
  } else if (run.sandbox !== null) {
    const lost = await output.drained();
    for (const one of lost) tellLost(parts.log, record, one);
  }
  await releaseAll({ clock, log, isOver: record.closed }, deps.stages.flat().toReversed(), run);
  if (record.closed()) return;
  output.close();
  deps.tails.ended(run.taskId);
  record.update({ status: 'STOPPED', stoppedAt: clock.now() });
}

/** AWS's error name comes first: that of the step that failed, or ResourceInitializationError. */
function startFailure(fault: Fault): string {
  return bounded(/^\w+Error: /.test(fault.message) ? fault.message : `ResourceInitializationError: ${fault.message}`);
}
