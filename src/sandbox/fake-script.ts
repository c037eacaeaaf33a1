/** What a container of the fake sandbox does in its life. */
import type { ContainerSpec } from '#domain/task-spec.ts';

export type FakeBehaviour = {
  /** From the moment its dependencies are met until it runs. */
  startMs: number;
  /** Fails in that moment instead. */
  fails: { stage: 'create' | 'start'; message: string } | null;
  /** Ends by itself after so long; null: runs until it is stopped. */
  runsMs: number | null;
  exitCode: number;
  oom: boolean;
  /** How long it takes to heed a stop signal; past its stop timeout it is killed (exit code 137). */
  stopsMs: number;
  /** Lines it writes to stdout, one every `outputEveryMs` from its start. */
  output: string[];
  outputEveryMs: number;
  /** Of one with a health check: when that first passes, from its start; null: never. */
  healthyMs: number | null;
  /** When it becomes UNHEALTHY, from its start; null: never. */
  unhealthyMs: number | null;
};

export const runsForever: FakeBehaviour = {
  startMs: 5,
  fails: null,
  runsMs: null,
  exitCode: 0,
  oom: false,
  stopsMs: 10,
  output: [],
  outputEveryMs: 1,
  healthyMs: 5,
  unhealthyMs: null,
};

/**
 * A script out of the container's command, so that a test says it through the public API:
 * `["run-ms=500", "exit=3", "oom", "stop-ms=60000", "fail-create=TEXT", "fail-start=TEXT", "print=LINE", "print-ms=10", "start-ms=20",
 * "healthy-after-ms=100", "unhealthy-after-ms=200"]`. With a health check and neither of the last two it is HEALTHY soon; with the last alone
 * it never is.
 */
export function behaviourOf(container: ContainerSpec): FakeBehaviour {
  const behaviour: FakeBehaviour = { ...runsForever, output: [] };
  for (const word of container.command ?? []) {
    const at = word.indexOf('=');
    const [name, value] = at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)];
    if (name === 'run-ms') behaviour.runsMs = Number(value);
    else if (name === 'exit') behaviour.exitCode = Number(value);
    else if (name === 'oom') Object.assign(behaviour, { oom: true, exitCode: 137 });
    else if (name === 'stop-ms') behaviour.stopsMs = Number(value);
    else if (name === 'start-ms') behaviour.startMs = Number(value);
    else if (name === 'fail-create') behaviour.fails = { stage: 'create', message: value };
    else if (name === 'fail-start') behaviour.fails = { stage: 'start', message: value };
    else if (name === 'print') behaviour.output.push(value);
    else if (name === 'print-ms') behaviour.outputEveryMs = Number(value);
    else if (name === 'healthy-after-ms') behaviour.healthyMs = Number(value);
    else if (name === 'unhealthy-after-ms') behaviour.unhealthyMs = Number(value);
  }
  if (behaviour.unhealthyMs !== null && !container.command?.some((word) => word.startsWith('healthy-after-ms=')))
    behaviour.healthyMs = null;
  return behaviour;
}
