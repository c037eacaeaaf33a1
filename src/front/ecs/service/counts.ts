/** Counts of a service's tasks. Pure. */
import type { ServiceCount } from '#store/types.ts';

export type Tally = {
  runningCount: number;
  pendingCount: number;
  /** How many of its tasks are to run. */
  wanted: number;
  /** How many haven't begun to stop: those that a load balancer still drains are among them. */
  present: number;
};

const PENDING: readonly string[] = ['PROVISIONING', 'PENDING', 'ACTIVATING'];
const STOPPING: readonly string[] = ['STOPPING', 'DEPROVISIONING', 'STOPPED'];

/** Of all, or of one revision. A task that is to stop is neither running nor pending: it is DEACTIVATING, whatever its host last said. */
export function tally(counts: readonly ServiceCount[], revisionId?: string): Tally {
  const sum = (test: (count: ServiceCount) => boolean) =>
    counts.reduce(
      (total, count) => ((revisionId === undefined || count.revisionId === revisionId) && test(count) ? total + count.count : total),
      0,
    );
  return {
    runningCount: sum((count) => count.status === 'RUNNING' && count.desired === 'RUNNING'),
    pendingCount: sum((count) => PENDING.includes(count.status) && count.desired === 'RUNNING'),
    wanted: sum((count) => count.desired === 'RUNNING'),
    present: sum((count) => !STOPPING.includes(count.status)),
  };
}

/** Revisions with tasks that haven't begun to stop. */
export function revisionsPresent(counts: readonly ServiceCount[]): string[] {
  const ids = counts.flatMap((count) => (count.revisionId === null ? [] : [count.revisionId]));
  return [...new Set(ids)].filter((id) => tally(counts, id).present > 0);
}
