/**
 * What control plane and hosts say to each other. Version 2: hosts send output in binary frames (output-frame.ts), no longer as JSON. Version 3: also
 * in runs of records, and more than one batch at a time. Everything but requests and streams is level-triggered: a message may be
 * lost, repeated or come late, and only costs time. Each transport encodes every message (base/frames.ts), the in-memory one too.
 */
import type { ContainerObserved, Stop, Tag, TaskKey, TaskStatus } from '#domain/task.ts';
import type { HostInfo, HostUsage } from '#domain/records.ts';
import type { Accelerator, IsolationKind, TaskSpec } from '#domain/task-spec.ts';
import type { Json } from '#base/fault.ts';

/** Versions this code speaks; peers use the highest that both have. A host's output is understood from version 3 on only. */
export const linkVersions = { min: 1, max: 3 } as const;
export const hostLinkVersions = { min: 3, max: 3 } as const;

/** All that a host needs to run a task. */
export type Assignment = {
  key: TaskKey;
  /** Fencing token of the control plane that says it, as in welcome and sync: a host ignores what comes with a lower one than it has seen. */
  fence: number;
  spec: TaskSpec;
  desired: 'RUNNING' | 'STOPPED';
  /** The wish to stop, once there is one. */
  stop: Stop | null;
  network: TaskNetwork;
  /** Environment that the platform adds unless a container sets it. */
  platformEnv: Record<string, string>;
  labels: { taskArn: string; clusterArn: string; family: string; revision: string };
  /** What only the control plane knows: most of it for the task's own endpoints. A control plane of a former version doesn't say it. */
  facts?: TaskFacts;
};

export type TaskFacts = {
  /** Availability zone of its subnet, by name. */
  zone: string;
  launchType: string | null;
  /** Name of the service that it belongs to. */
  service: string | null;
  tags: Tag[];
  /** ARN of each container, by its name. */
  containerArns: Record<string, string>;
  /** It was started with enableExecuteCommand. */
  mayEnter?: boolean;
};

export type TaskNetwork = {
  vpcId: string;
  vpcCidr: string;
  subnetId: string;
  subnetCidr: string;
  /** First address of the subnet, as in AWS. */
  gatewayIp: string;
  eniId: string;
  ip: string;
  mac: string;
  hostname: string;
};

/** The whole of what a host knows about one task; `seq` grows with every change, and an older report never replaces a newer one. */
export type TaskReport = {
  taskId: string;
  seq: number;
  status: TaskStatus;
  isolation: IsolationKind | null;
  accelerator: Accelerator | null;
  connectivityAt: number | null;
  pullStartedAt: number | null;
  pullStoppedAt: number | null;
  startedAt: number | null;
  stoppingAt: number | null;
  executionStoppedAt: number | null;
  stoppedAt: number | null;
  stop: Stop | null;
  containers: ContainerObserved[];
};

/** One piece of output. `offset` counts bytes of the task's spool, so a repeat is recognised; ack of `endOffset` frees the spool. */
export type OutputEvent = {
  container: string;
  source: 'stdout' | 'stderr';
  /** Milliseconds since the epoch. */
  time: number;
  text: string;
  /** Spool offset after the event's last byte; grows within a batch. A batch that was taken in part before is cut by it. */
  end: number;
};
export type OutputBatch = {
  key: TaskKey;
  /** Of the task's output lanes (domain/output-lanes.ts); default: 0. */
  lane?: number | undefined;
  /** Offsets of the lane's spool: [from, to). */
  from: number;
  to: number;
  /** What was acknowledged when it was sent; a host of former versions has one batch under way, and doesn't say it: `from`. */
  acked?: number;
  events: OutputEvent[];
  /** In place of events: runs of records (base/output-run.ts) of containers that have a log, each record an event. `names`: by index. */
  runs?: { names: string[]; bytes: Buffer[] };
};

export type ToHost =
  | { t: 'welcome'; version: number; fence: number; heartbeatMs: number }
  /** The two have no version in common, or the host may not join: said before the connection is closed. */
  | { t: 'refused'; fault: WireFault }
  /**
   * Every task this host should have: those of `assignments`, and those of `others` (ids), whose assignments don't fit into this frame
   * and follow in `assign`. What the host runs beyond them is stopped and removed. Sent after welcome and then now and again.
   */
  | { t: 'sync'; fence: number; assignments: Assignment[]; others: string[] }
  | { t: 'assign'; assignments: Assignment[] }
  /** The control plane has a STOPPED report on disk: the host may drop its journal of it. */
  | { t: 'forget'; taskIds: string[] }
  /** Names that the resolver answers in every task: `NAME.berth.internal` -> addresses. */
  | { t: 'names'; revision: number; names: Record<string, string[]> }
  | { t: 'output-ack'; taskId: string; to: number; lane?: number | undefined }
  | LinkRequest
  | LinkResponse
  | StreamMessage;

export type ToControl =
  /** `known`: ids of all tasks in the host's journal. A task that ran on this host and that it no longer knows was lost. */
  | { t: 'hello'; versions: { min: number; max: number }; hostId: string; info: HostInfo; usage: HostUsage; known: string[] }
  | { t: 'status'; reports: TaskReport[] }
  | { t: 'heartbeat'; usage: HostUsage }
  | { t: 'output'; batch: OutputBatch }
  | LinkRequest
  | LinkResponse
  | StreamMessage;

/** A call to the other side. `stream`: a stream that the caller opened for this call, null when it needs none. */
export type LinkRequest = { t: 'request'; id: number; op: string; body: Json; stream: number | null };
export type LinkResponse = { t: 'response'; id: number; ok: true; body: Json } | { t: 'response'; id: number; ok: false; fault: WireFault };
export type WireFault = { code: string; message: string; details: Record<string, Json> };

/**
 * Streams carry bytes both ways with back-pressure: the reader grants credit in bytes, the writer never sends more. Each direction
 * starts with a credit of limits.streamWindowBytes, and ends by a `stream-end` of its writer; one with an error ends both directions.
 * A stream is opened by the side that makes the request that names it (ids of the control plane are even, of a host odd). Data travels
 * in binary frames (kind STREAM_FRAME: 32-bit stream id, bytes).
 */
export type StreamMessage =
  { t: 'stream-credit'; stream: number; bytes: number } | { t: 'stream-end'; stream: number; error: string | null };
export const STREAM_FRAME = 1;
