/** What the control loops are built from, and what others may ask of them. */
import type { Balancer } from '#balancer/types.ts';
import type { Clock } from '#base/clock.ts';
import type { Json } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import type { AcmeIssuer, Certificates } from '#certificates/index.ts';
import type { BucketMount, BucketVolume } from '#domain/bucket-files.ts';
import type { TaskKey, TaskRecord } from '#domain/task.ts';
import type { ContainerSpec, LogTarget, TaskSpec } from '#domain/task-spec.ts';
import type {
  BucketCall,
  BucketHead,
  BucketListed,
  LogOpen,
  RegistryAnswer,
  RegistryCall,
  TaskCredentials,
  TaskSecrets,
  TaskProtectionAnswer,
  TaskProtectionCall,
} from '#link/operations.ts';
import type { OutputBatch } from '#link/protocol.ts';
import type { ByteStream, LinkServer } from '#link/types.ts';
import type { Metrics } from '#metrics/types.ts';
import type { Store } from '#store/types.ts';
import type { Vault } from '#vault/index.ts';
import type { EventSources } from './events/types.ts';
import type { LoopWatch } from './loop.ts';

export type ControlDeps = {
  store: Store;
  linkServer: LinkServer;
  clock: Clock;
  random: Random;
  log: Log;
  balancer: Balancer;
  /** Absent in a simulation without a disk: no certificate is issued then. */
  certificates?: CertificateSources;
  /** Absent in a simulation: nothing is measured then. */
  metrics?: Metrics;
  /** Absent in a simulation: nothing is encrypted then. */
  vault?: Vault;
  /** Absent where nobody hears of events: what is noted stays noted. */
  events?: EventSources;
  watchLoop?: LoopWatch;
  /** Where the bundle `ID.pem` of each certificate stands. */
  certificatesDir: string;
  /**
   * Takes one batch of a task's output; once it resolves the batch is acknowledged and the host frees it, after a throw the host sends
   * it again. Batches of one task come one after the other. `targets`: where each container's output goes, null for nowhere.
   */
  onOutput(batch: OutputBatch, targets: Record<string, LogTarget | null>): Promise<void>;
  /** Makes a container's log stream before it starts. Throws the Fault that its task ends with. */
  openLogStream(open: LogOpen): Promise<void>;
  /** Reads or sets the protection of a task at its own wish. Throws Fault. */
  protectTask(task: TaskKey, call: TaskProtectionCall): Promise<TaskProtectionAnswer>;
  /** Temporary credentials of this role for this task. Throws AccessDenied when the role can't be assumed. */
  taskCredentials(task: TaskKey, role: string): Promise<TaskCredentials>;
  /** The values of what a container's spec names. Throws ResourceInitialization in ECS's words. */
  taskSecrets(task: TaskKey, spec: TaskSpec, container: ContainerSpec): Promise<TaskSecrets>;
  /** berth's own registry; absent in a simulation. */
  registry?: RegistryPulls;
  /** Buckets that file systems show; absent in a simulation. */
  buckets?: BucketCalls;
};

/** What hosts do with the buckets of S3 Files (link/operations.ts). A call that writes to its stream goes on doing so after its answer. */
export type BucketCalls = {
  mount(task: TaskRecord, volume: BucketVolume): Promise<BucketMount>;
  list(call: BucketCall, stream: ByteStream | null): Promise<BucketListed | null>;
  get(call: BucketCall, stream: ByteStream | null): Promise<BucketHead | null>;
  put(call: BucketCall, stream: ByteStream | null): Promise<BucketHead>;
  remove(call: BucketCall): Promise<void>;
};

/** What hosts ask of the registry, for a task of theirs or (null) for the platform itself. Throws Fault (link/operations.ts). */
export type RegistryPulls = {
  resolve(task: TaskRecord | null, call: RegistryCall): Promise<RegistryAnswer>;
  blob(task: TaskRecord | null, call: RegistryCall): Promise<void>;
};

/** Where certificates come from and go to. */
export type CertificateSources = Certificates & {
  /** The instance's real domain and who issues for it; null: berth's own authority issues all. */
  acme: { domain: string; issuer: AcmeIssuer } | null;
};

export type ControlOptions = {
  /** Unique for each life of a control plane. */
  holder: string;
  /** The caller knows that no other control plane lives on this store (it owns the instance's socket): leases are taken at once. */
  soleOwner: boolean;
};

/** Calls to hosts, for the front doors. */
export type HostCalls = {
  /** Ids of the hosts that are connected now. */
  connected(): string[];
  /** Throws Fault Unavailable when the host is not connected; else as Connection.request. */
  request(hostId: string, op: string, body: Json, options: { timeoutMs: number; stream?: ByteStream }): Promise<Json>;
  /** Resolves once the host is connected. Waits up to limits.hostReturnMs for one whose agent starts anew; then Unavailable. */
  returned(hostId: string): Promise<void>;
  /** A stream to hand to `request` to the same host, once it has returned. */
  openStream(hostId: string): Promise<ByteStream>;
};

export type Control = {
  hosts: HostCalls;
  /** There is a new master key: what the former ones wrapped is wrapped anew. */
  rewrap(): void;
  /** From now on, until the end of this control plane, tasks wait for their place and services are left as they are. */
  pausePlacement(): void;
  /** Ends the loops and the sessions; the tasks go on. */
  stop(): Promise<void>;
};
