/** From the moment a sandbox stands until nothing of it runs: what its supervisor says moves the task, and a wish to stop ends it. */
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import type { Stop } from '#domain/task.ts';
import type { TaskSpec } from '#domain/task-spec.ts';
import type { Sandbox, SandboxState } from '#sandbox/driver.ts';
import { bounded, observeContainers, outcomeOf } from './outcome.ts';
import type { TaskRecord } from './task-record.ts';
import { createKillSwitch } from './wind-down.ts';

export type Supervision = {
  onState(state: SandboxState): void;
  /** `why`: in words for the task's owner. */
  onLost(reason: string, why?: string): void;
  /** The task has to end; the first reason stays. */
  wantStop(stop: Stop): void;
  /** Stops what runs. Called again once the sandbox stands, if the wish came before. */
  beginStop(): void;
  /** How it ended. */
  over: Promise<'exited' | 'lost'>;
  close(): void;
};

export type SupervisionDeps = {
  clock: Clock;
  log: Log;
  spec: TaskSpec;
  record: TaskRecord;
  /** null before it stands and after it is gone. */
  sandbox(): Sandbox | null;
  /** What is being prepared may stop. */
  abort(): void;
};

const GONE = "the task's supervisor is gone: the machine was restarted, or the process was killed.";

export function createSupervision(deps: SupervisionDeps): Supervision {
  const { clock, log, spec, record } = deps;
  const { report } = record.entry;
  const over = Promise.withResolvers<'exited' | 'lost'>();
  let cancelKill = () => {};

  const beginStop = () => {
    const sandbox = deps.sandbox();
    if (sandbox === null) return;
    record.update({ status: 'STOPPING', stoppingAt: report.stoppingAt ?? clock.now() });
    cancelKill();
    cancelKill = createKillSwitch(clock, spec, { kill: () => sandbox.kill(), giveUp: () => over.resolve('lost') });
    try {
      sandbox.stop();
    } catch (error) {
      log.debug('sandbox.stop', { reason: asFault(error).message }); // it is gone, and `lost` says so
    }
  };

  const wantStop = (stop: Stop) => {
    if (report.stop !== null) return;
    record.update({ stop });
    deps.abort();
    beginStop();
  };

  return {
    onState(state) {
      if (record.closed()) return;
      const containers = observeContainers(report.containers, state.containers, clock.now());
      const outcome = outcomeOf(spec, state);
      const starts = outcome.startedAt !== null && report.startedAt === null;
      if (starts) record.update({ status: 'RUNNING', startedAt: outcome.startedAt, containers });
      else if (JSON.stringify(containers) !== JSON.stringify(report.containers)) record.update({ containers });
      if (outcome.stop !== null) wantStop(outcome.stop);
      if (outcome.ended) over.resolve('exited');
    },
    onLost(reason, why) {
      if (record.closed()) return;
      log.warn('sandbox.lost', { reason, ...(why === undefined ? {} : { why }) });
      const text = why === undefined ? GONE : `${why.replace(/\.$/, '')}.`;
      wantStop(
        report.startedAt === null
          ? { code: 'TaskFailedToStart', reason: bounded(`Task failed to start: ${text}`) }
          : { code: 'InfrastructureHealth', reason: bounded(`${text.charAt(0).toUpperCase()}${text.slice(1)}`) },
      );
      over.resolve('lost');
    },
    wantStop,
    beginStop,
    over: over.promise,
    close: () => cancelKill(),
  };
}
