/** The one interface of all sandbox kinds: `container`, `gvisor`, `microvm`, and `fake` for simulation. One conformance suite runs on all. */
import type { OutputRun } from '#base/output-run.ts';
import type { SandboxPoolStatus } from '#domain/records.ts';
import { outputLanes } from '#domain/output-lanes.ts';
import type { Accelerator, IsolationKind, TaskSpec } from '#domain/task-spec.ts';
import type { VolumeSource } from '#domain/volume-source.ts';
import type { PreparedImage } from '#image/types.ts';
import type { ExecEvents, ExecProcess, ExecRequest } from '#supervisor/exec-calls.ts';
import type { ContainerState, Latency, TaskStats } from '#supervisor/protocol.ts';

export type { SandboxPoolStatus } from '#domain/records.ts';

export type SandboxPlan = {
  taskId: string;
  /** What the task gets: of the driver that starts it. What only a microvm may have is never rendered for another kind. */
  kind: IsolationKind;
  spec: TaskSpec;
  /** The task's directory on the host: the sandbox may use all of it but `journal.json`. */
  dir: string;
  network: SandboxNetwork;
  /** By container name. */
  images: Record<string, PreparedImage>;
  /** By container name: complete environment beyond the image's (definition and platform), later entries win. */
  environment: Record<string, Record<string, string>>;
  /** The same, of values that may stand in no file that outlives the task's memory. */
  secrets?: Record<string, Record<string, string>> | undefined;
  runtimeIds: Record<string, string>;
  /** Bind-mounted read-only into every container: resolv.conf, hosts, hostname. Path in the container -> contents. */
  files: Record<string, string>;
  /** The same for one container alone, by its name. */
  containerFiles?: Record<string, Record<string, string>> | undefined;
  /** Commands may be run in its containers (exec), and files copied. */
  mayEnter?: boolean;
  /** The task's volumes, by name. */
  volumes: Record<string, VolumeSource>;
};

export type SandboxNetwork = {
  ip: string;
  mac: string;
  gatewayIp: string;
  gatewayMac: string;
  hostname: string;
  mtu: number;
  routerNetns: string;
  routerIf: string;
};

export type OutputRecord = {
  container: string;
  source: 'stdout' | 'stderr';
  timeMs: number;
  data: Buffer;
  /** The line goes on in the next record of the same container and source. */
  partial: boolean;
  /** Bytes were dropped before this record. */
  gap: boolean;
};

/** State of a sandbox as its supervisor sees it. */
export type SandboxState = {
  containers: ContainerState[];
  failure: { stage: string; message: string } | null;
  droppedBytes: number;
  /** Below it everything was acknowledged, also what a former agent acknowledged and didn't write down. */
  spoolBase: number;
  spoolEnd: number;
  /** The same of the lanes after lane 0 (domain/output-lanes.ts). */
  lanes?: { base: number; end: number; droppedBytes: number }[] | undefined;
};

/** Which lane each container's output is in, and from where on that of the lanes after lane 0 is wanted. */
export type LaneOffsets = { of: number[]; from: number[] };

/** Of a task that begins. */
export function newLanes(spec: TaskSpec): LaneOffsets {
  const { of, count } = outputLanes(spec);
  return { of, from: Array.from({ length: count - 1 }, () => 0) };
}

export type SandboxEvents = {
  state(state: SandboxState): void;
  /** Records of a lane's (default: 0) spool [from, to) in order; ack `to` once they are safe elsewhere. May repeat after a reattach. */
  output(records: OutputRecord[], from: number, to: number, lane?: number): void;
  /** The same of a run of records; `names`: the containers' names by their indexes in it. Its bytes are the listener's. */
  run(run: OutputRun, names: string[], lane?: number): void;
  /**
   * The supervisor is gone without having been released: whatever ran in it must be taken as lost. `why`: how that came, in words for the
   * task's owner, where the kind knows more than `reason`.
   */
  lost(reason: string, why?: string): void;
};

/** A running sandbox. Methods throw Fault('Unavailable') once it is lost. */
export type Sandbox = {
  taskId: string;
  kind: IsolationKind | 'fake';
  ack(to: number, lane?: number): void;
  /** Orderly: stop signals in reverse order of dependency, their time-outs, SIGKILL. */
  stop(): void;
  kill(): void;
  signal(container: string, signal: string): void;
  stats(): Promise<TaskStats>;
  /** What the task sends is delayed from now on, or no more. Throws Unsupported with the reason where the kernel can't. */
  setLatency(latency: Latency | null): Promise<void>;
  /**
   * Runs a command in a container that runs, as `docker exec` does. Throws Fault InvalidParameter with the reason when it can't be started.
   * It ends with its container, and when this sandbox is detached or lost.
   */
  exec(request: ExecRequest, events: ExecEvents): Promise<ExecProcess>;
  /**
   * Puts the sandbox's memory on disk and ends its processes: it takes no CPU and no RAM until `resume`. Only kinds that can do it have
   * these two. Idempotent; after a failed `suspend` it runs on.
   */
  suspend?(): Promise<void>;
  resume?(): Promise<void>;
  /** Runs `work` while the task stands still and all that it wrote to its disks is in their files; the kinds whose volumes the host mounts need none. */
  whileStill?(work: () => Promise<void>): Promise<void>;
  /** Gives everything back; only when no container runs. */
  release(): Promise<void>;
  /** Stops listening; the sandbox goes on (the host agent ends). */
  detach(): void;
};

/** `accelerator`: of a microvm that works, what it runs on. The reason is shown to users, whether it works or not. */
export type SandboxProbe = { works: boolean; reason: string; accelerator?: Accelerator };

export type SandboxDriver = {
  kind: IsolationKind | 'fake';
  /** Whether this kind works here, by trying it. */
  probe(): Promise<SandboxProbe>;
  /** What stands ready for tasks to come; kinds that start from nothing have none. Costs nothing: asked for every heartbeat. */
  status?(): SandboxPoolStatus;
  /** Makes the sandbox and starts its containers; resolves once its supervisor answers. Idempotent by task id. */
  start(plan: SandboxPlan, events: SandboxEvents): Promise<Sandbox>;
  /** Takes back a sandbox that a former host agent started; null when nothing of it is alive. `from`: first unacknowledged spool offset. */
  recover(
    taskId: string,
    dir: string,
    containers: string[],
    from: number,
    events: SandboxEvents,
    lanes?: LaneOffsets,
  ): Promise<Sandbox | null>;
  /**
   * Whether anything of the task may ever have run: false means that it is safe to `clean` and `start` it again. Asked after a restart of
   * the host agent, when `recover` found nothing alive.
   */
  mayHaveRun(taskId: string, dir: string): Promise<boolean>;
  /** How a sandbox ended that nobody watched, in words for the task's owner; undefined when nothing tells. */
  howEnded?(taskId: string, dir: string): string | undefined;
  /** Kills and removes whatever is left of a task; safe without start, and after half of one. */
  clean(taskId: string, dir: string, network: SandboxNetwork | null): Promise<void>;
};
