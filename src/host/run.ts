/** What the hooks of one task share. A hook is one step of a task's start, safe to release without having been prepared. */
import type { TaskSpec } from '#domain/task-spec.ts';
import type { VolumeSource } from '#domain/volume-source.ts';
import type { PreparedImage } from '#image/types.ts';
import type { TaskReport } from '#link/protocol.ts';
import type { Sandbox, SandboxDriver, SandboxEvents, SandboxNetwork } from '#sandbox/driver.ts';
import type { TaskEntry } from './journal.ts';

export type TaskRun = {
  readonly taskId: string;
  /** The task's directory: the sandbox's and the volumes'. */
  readonly dir: string;
  readonly entry: TaskEntry;
  readonly spec: TaskSpec;
  /** Aborted when the task should end before it runs. */
  readonly signal: AbortSignal;
  /** What the sandbox tells goes to the runner. */
  readonly events: SandboxEvents;
  /** Made by the hooks, in their order. */
  network: SandboxNetwork | null;
  images: Record<string, PreparedImage>;
  volumes: Record<string, VolumeSource>;
  files: Record<string, string>;
  /** Of one container alone, by its name. */
  containerFiles: Record<string, Record<string, string>>;
  environment: Record<string, Record<string, string>>;
  /** Further variables, whose values stand in no file of the bundle. */
  secrets: Record<string, Record<string, string>>;
  /** Options of log drivers, and who to be at the registry, by container. */
  logSecrets: Record<string, Record<string, string>>;
  registryAuth: Record<string, { username: string; password: string }>;
  driver: SandboxDriver | null;
  sandbox: Sandbox | null;
  /** Changes the report, which then goes out; a status that would go back is left as it is. */
  update(change: Partial<TaskReport>): void;
  /** Resolves once the entry is in the journal. */
  save(): Promise<void>;
  /** Changes what is said of one container. */
  updateContainer(name: string, change: Partial<TaskReport['containers'][number]>): void;
};

export type Hook = {
  name: string;
  prepare(run: TaskRun): Promise<void>;
  /** Takes back what a former agent prepared, without making anything twice. */
  recover?(run: TaskRun): Promise<void>;
  /** Idempotent, and safe without `prepare` and after half of one. */
  release?(run: TaskRun): Promise<void>;
};
