/**
 * Lanes of a task's output: each container whose log says what happens when nobody takes it has one of its own, so that one destination
 * that takes nothing holds up no other; the others share lane 0. Pure, and the same in the control plane, the host and the supervisor.
 */
import type { TaskSpec } from './task-spec.ts';

export type OutputLanes = {
  /** Lane of each container, in the order of the spec. */
  of: number[];
  /** How many there are, lane 0 among them. */
  count: number;
};

export function outputLanes(spec: Pick<TaskSpec, 'containers'>): OutputLanes {
  let count = 1;
  const of = spec.containers.map(({ log }) => (log?.delivery === undefined ? 0 : count++));
  return { of, count };
}
