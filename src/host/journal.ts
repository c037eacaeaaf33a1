/**
 * What a host must know of its tasks after a crash of the agent: one entry a task. It isn't synced to disk: the control plane keeps what
 * was promised, and after a reboot nothing of a task runs anyway, which its directory tells.
 */
import type { NetworkFault } from './metadata/fault-rules.ts';
import type { Assignment, TaskReport } from '#link/protocol.ts';

export type TaskEntry = {
  version: 1;
  assignment: Assignment;
  /** The last report; its `seq` never goes back. */
  report: TaskReport;
  /** By container name. */
  runtimeIds: Record<string, string>;
  /** Of the task's role: the last part of where its credentials are. Absent without a role, and in the entries of a former version. */
  credentialsId?: string;
  /** Output below this offset of lane 0's spool is safe with the control plane. */
  ackedOffset: number;
  /** What is done to the task's network at its own wish; absent in the entries of a former version. */
  faults?: NetworkFault[];
  /** The same of the lanes after it; a former version had none. */
  ackedLanes?: number[] | undefined;
};

export type JournalContents = {
  entries: TaskEntry[];
  /** Task ids whose entry can't be read. */
  broken: string[];
  /** Task ids that have a directory but no entry: the agent died before it wrote one, or after it removed it. */
  strays: string[];
};

export type Journal = {
  load(): Promise<JournalContents>;
  /** Resolves once this entry, or a later one of the same task, is written. Throws Fault LimitExceeded when the disk is full. */
  save(entry: TaskEntry): Promise<void>;
  remove(taskId: string): Promise<void>;
};

/** For simulations: outlives the agent that wrote it. Entries are encoded, so that nothing is shared with the agent. */
export function createMemoryJournal(): Journal & { ids(): string[] } {
  const rows = new Map<string, string>();
  return {
    load: async () => ({ entries: [...rows.values()].map((row) => JSON.parse(row) as TaskEntry), broken: [], strays: [] }),
    save: async (entry) => void rows.set(entry.report.taskId, JSON.stringify(entry)),
    remove: async (taskId) => void rows.delete(taskId),
    ids: () => [...rows.keys()],
  };
}
