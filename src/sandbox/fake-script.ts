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
};

/**
 * A script out of the container's command, so that a test says it through the public API:
 * `["run-ms=500", "exit=3", "oom", "stop-ms=60000", "fail-create=TEXT", "fail-start=TEXT", "print=LINE", "print-ms=10", "start-ms=20"]`.
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
  }
  return behaviour;
}
