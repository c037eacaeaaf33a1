/** The tasks of this host: taken on, kept in step with what the control plane wants, and forgotten when it says so. */
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { hexId, uuid } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { newTaskObserved } from '#domain/task.ts';
import type { Stop } from '#domain/task.ts';
import type { Assignment, TaskReport } from '#link/protocol.ts';
import type { Journal, TaskEntry } from './journal.ts';
import type { Runner, RunnerMode } from './runner.ts';

/**
 * A task that a sync leaves out is stopped only if syncs of so much later leave it out as well: a sync may be older than the assignment
 * that came before it.
 */
const UNLISTED_MS = 10_000;

export type TaskTable = {
  get(taskId: string): Runner | undefined;
  all(): Iterable<Runner>;
  /** Ids of all tasks that the journal holds. */
  known(): string[];
  /** The last report of a task, also of one that is forgotten already. */
  report(taskId: string): TaskReport | undefined;
  /** From the journal, once at start. `broken`: ids whose entry could not be read. */
  restore(entries: TaskEntry[], broken: string[]): void;
  assign(assignments: Assignment[]): void;
  sync(fence: number, assignments: Assignment[], others: string[]): void;
  welcome(fence: number): void;
  forget(taskIds: string[]): void;
};

export type TaskTableDeps = {
  clock: Clock;
  random: Random;
  log: Log;
  journal: Journal;
  createRunner(entry: TaskEntry, mode: RunnerMode): Runner;
  /** A report is to be sent (again). */
  changed(taskId: string): void;
  forgotten(taskId: string): void;
};

export function createTaskTable(deps: TaskTableDeps): TaskTable {
  const { clock, log, journal } = deps;
  const runners = new Map<string, Runner>();
  /** Last reports of tasks that are gone from here, oldest first. */
  const tombstones = new Map<string, TaskReport>();
  const broken = new Set<string>();
  /** When a task was first left out of the syncs in a row. */
  const unlistedAt = new Map<string, number>();
  let fence = 0;

  const add = (entry: TaskEntry, mode: RunnerMode) => {
    runners.set(entry.report.taskId, deps.createRunner(entry, mode));
  };

  const bury = (taskId: string) => {
    const runner = runners.get(taskId);
    if (runner === undefined || runner.entry.report.status !== 'STOPPED') return;
    runner.forget();
    runners.delete(taskId);
    unlistedAt.delete(taskId);
    tombstones.set(taskId, runner.entry.report);
    for (const oldest of tombstones.keys()) {
      if (tombstones.size <= limits.tombstones) break;
      tombstones.delete(oldest);
    }
    deps.forgotten(taskId);
    void journal.remove(taskId).catch((error: unknown) => log.warn('journal.remove', { taskId, reason: asFault(error).message }));
  };

  /** A task that is over before it began here: only its report is made. */
  const refuse = (assignment: Assignment, stop: Stop) => {
    const now = clock.now();
    const entry = newEntry(assignment, deps.random, now);
    const containers = entry.report.containers.map((one) => ({ ...one, status: 'STOPPED' as const }));
    Object.assign(entry.report, { status: 'STOPPED', stop, stoppingAt: now, executionStoppedAt: now, stoppedAt: now, containers });
    void journal.save(entry).catch((error: unknown) => log.warn('journal.save', { reason: asFault(error).message }));
    add(entry, 'start');
    deps.changed(entry.report.taskId);
  };

  const take = (assignment: Assignment) => {
    const taskId = assignment.key.id;
    if (assignment.fence < fence) return;
    fence = assignment.fence;
    unlistedAt.delete(taskId);
    const runner = runners.get(taskId);
    if (runner !== undefined) return runner.assign(assignment);
    if (tombstones.has(taskId)) return deps.changed(taskId);
    if (broken.delete(taskId)) {
      return refuse(assignment, { code: 'InfrastructureHealth', reason: "The host's record of this task was damaged, so it was stopped." });
    }
    if (assignment.desired === 'STOPPED') {
      return refuse(assignment, assignment.stop ?? { code: 'UserInitiated', reason: 'Task stopped by user' });
    }
    log.info('task.assigned', { taskId, cpuMillis: assignment.spec.cpuMillis, memoryBytes: assignment.spec.memoryBytes });
    add(newEntry(assignment, deps.random, clock.now()), 'start');
    deps.changed(taskId);
  };

  const leaveOut = (runner: Runner) => {
    const now = clock.now();
    const since = unlistedAt.get(runner.taskId) ?? now;
    unlistedAt.set(runner.taskId, since);
    if (now - since < UNLISTED_MS) return;
    if (runner.entry.report.status === 'STOPPED') return bury(runner.taskId);
    log.warn('task.abandoned', { taskId: runner.taskId });
    runner.abandon();
  };

  return {
    get: (taskId) => runners.get(taskId),
    all: () => runners.values(),
    known: () => [...runners.keys(), ...broken],
    report: (taskId) => runners.get(taskId)?.entry.report ?? tombstones.get(taskId),
    restore(entries, damaged) {
      for (const taskId of damaged) broken.add(taskId);
      for (const entry of entries) add(entry, 'recover');
    },
    assign: (assignments) => assignments.forEach(take),
    sync(token, assignments, others) {
      if (token < fence) return;
      fence = token;
      const listed = new Set([...assignments.map((assignment) => assignment.key.id), ...others]);
      for (const taskId of others) unlistedAt.delete(taskId);
      assignments.forEach(take);
      for (const runner of runners.values()) if (!listed.has(runner.taskId)) leaveOut(runner);
    },
    welcome: (token) => void (fence = Math.max(fence, token)),
    forget: (taskIds) => taskIds.forEach(bury),
  };
}

export function newEntry(assignment: Assignment, random: Random, now: number): TaskEntry {
  const { version: _version, connectivity: _connectivity, ...observed } = newTaskObserved(assignment.spec);
  const runtimeIds = Object.fromEntries(assignment.spec.containers.map((container) => [container.name, runtimeId(random)]));
  const containers = observed.containers.map((one) => ({ ...one, runtimeId: runtimeIds[one.name] ?? null }));
  return {
    version: 1,
    assignment,
    report: { taskId: assignment.key.id, seq: now, ...observed, containers },
    runtimeIds,
    ...(assignment.spec.taskRole === undefined ? {} : { credentialsId: uuid(random) }),
    ackedOffset: 0,
  };
}

/** As Fargate's: 32 hex digits, a dash, 10 digits. */
function runtimeId(random: Random): string {
  return `${hexId(random)}-${String(Math.floor(random.fraction() * 1e10)).padStart(10, '0')}`;
}
