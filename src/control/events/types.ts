/** What the loops of events are built from, beside the store. */
import type { Json } from '#base/fault.ts';
import type { Delivery } from '#domain/event.ts';
import type { TaskRecord } from '#domain/task.ts';
import type { Outcome } from '#plan/event-rules.ts';
import type { ReadTx } from '#store/types.ts';

export type EventSources = {
  /** A task as DescribeTasks shows it, as JSON. */
  describeTask(tx: ReadTx, task: TaskRecord): Promise<{ [key: string]: Json }>;
  /** Hands deliveries to their one target, in order; an outcome for each. May repeat what was delivered by one that was killed. Never throws for a target's sake. */
  deliver(deliveries: readonly Delivery[]): Promise<Outcome[]>;
  /** How long events are kept. */
  keepMs: number;
};
