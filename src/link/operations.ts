/** The calls (`request`) that control plane and hosts make to each other: names, bodies and answers, as JSON. */
import type { AwslogsTarget } from '#domain/task-spec.ts';
import type { TaskKey } from '#domain/task.ts';

/** Answered by the control plane. */
export const controlOps = {
  /**
   * LogOpen -> null. Makes a container's log stream (and its group where the target says so) before the container starts; idempotent.
   * Throws ResourceNotFound with CloudWatch Logs' text when the group does not exist.
   */
  logOpen: 'log-open',
  /**
   * TaskProtectionCall -> TaskProtectionAnswer: GetTaskProtection, or UpdateTaskProtection where `enabled` is there, for a task of the host that asks.
   * Throws TaskNotFound, and what those calls throw.
   */
  taskProtection: 'task-protection',
  /**
   * { taskId } -> TaskCredentials of the task's role, for a task of the host that asks. Throws TaskNotFound, and AccessDenied with ECS's text when the role
   * isn't there or doesn't trust ecs-tasks.amazonaws.com.
   */
  taskCredentials: 'task-credentials',
  /**
   * { taskId, container } -> TaskSecrets: the values that a container of a task of the host that asks is to have, as they are now. Throws TaskNotFound, and
   * ResourceInitialization in ECS's words when one of them can't be had.
   */
  taskSecrets: 'task-secrets',
  /**
   * RegistryCall -> RegistryAnswer: what a name in berth's own registry is now, for a task whose execution role may pull it, or for the platform itself. Throws
   * AccessDenied, ResourceNotFound and Unavailable with details.kind as a registry client's, ResourceInitialization with ECS's text.
   */
  registryResolve: 'registry-resolve',
  /** RegistryCall, whose target is a digest -> null, once the blob lies in the registry's directory. Throws ResourceNotFound, Unavailable. */
  registryBlob: 'registry-blob',
  /** { taskId, volume: BucketVolume } -> BucketMount (domain/bucket-files.ts). Throws TaskNotFound, ResourceInitialization with AWS's text. */
  bucketMount: 'bucket-mount',
  /**
   * Of all that follow: BucketCall; errors ResourceNotFound (the file system is gone), AccessDenied (its role may not, or there is no such bucket). This one: and a
   * stream -> BucketListed, and on the stream a line [key, etag, modifiedAt, size] for each object; or null and nothing where nothing changed since `token`.
   */
  bucketList: 'bucket-list',
  /** -> BucketHead, or null where the key isn't there. With a stream, the object's bytes come on it. */
  bucketGet: 'bucket-get',
  /** And a stream with `size` bytes -> BucketHead. Throws Conflict where what is there isn't what it `replaces`. */
  bucketPut: 'bucket-put',
  /** -> null. Throws Conflict where what is there has another ETag than `replaces`. */
  bucketRemove: 'bucket-remove',
  /** -> null, once it is kept what this host says of the file system. */
  bucketReport: 'bucket-report',
} as const;

/** `replaces`: an ETag; null: nothing is there. What a call has no use for is absent. */
export type BucketCall = {
  system: { account: string; region: string; id: string };
  token?: string | null;
  key?: string;
  metadata?: Record<string, string>;
  size?: number;
  replaces?: string | null;
  state?: { pending: number; hidden: number; failure: string | null };
};
export type BucketListed = { token: string; prefix: string; exportAfterMs: number };
export type BucketHead = { etag: string; modifiedAt: number; size: number; metadata: Record<string, string> };

/** `registry`: as the image's name has it. `target`: a tag or a digest. */
export type RegistryCall = { taskId: string | null; registry: string; repository: string; target: string };
export type RegistryAnswer = { digest: string; mediaType: string };

/** `details.kind` of a ResourceInitialization of `taskSecrets` that is about environment files: it has words of its own. */
export const ENVIRONMENT_FILES = 'environment-files';

export type LogOpen = { key: TaskKey; container: string; target: AwslogsTarget };

export type TaskProtectionCall = { taskId: string; enabled?: boolean; minutes?: number };
/** `until`: milliseconds since the epoch; null when it isn't protected. `failure`: AWS's word for why the task can't be. */
export type TaskProtectionAnswer = { until: number | null } | { failure: string };

/** As the credentials endpoint tells them; `expiresAt`: milliseconds since the epoch. */
export type TaskCredentials = { roleArn: string; accessKeyId: string; secretAccessKey: string; token: string; expiresAt: number };

/** By their names: variables of the environment, options of the log driver; the registry's user where there is one. */
export type TaskSecrets = {
  environment: Record<string, string>;
  logOptions: Record<string, string>;
  registry: { username: string; password: string } | null;
};

/** Answered by hosts. */
export const hostOps = {
  /** {} -> { images: ImageSummary[] } (image/types.ts). */
  imageList: 'image-list',
  /**
   * { ref, check?: 'always' | 'if-missing', auth? } -> { ref, digest, exposedPorts: string[] }. With a stream, the host writes PullProgress on it, one JSON a line.
   */
  imagePull: 'image-pull',
  /** { ref } and a stream with the archive's bytes -> { image: ImageSummary }; progress comes back on the same stream, one JSON a line. */
  imageImport: 'image-import',
  /** { ref } -> { freedBytes }. */
  imageRemove: 'image-remove',
  /** { all: boolean } -> { removed: string[], freedBytes }. */
  imagePrune: 'image-prune',
  /** {} -> HostStatus. */
  hostStatus: 'host-status',
  /** { taskId, container?: string, lines?: number, after?: string } -> TaskTail: the last lines of output that the host remembers. */
  taskTail: 'task-tail',
  /** { taskId } -> TaskStats (supervisor/protocol.ts). */
  taskStats: 'task-stats',
  /**
   * TaskExec and a stream -> null, once the command runs; frames of base/exec-frames.ts both ways. Errors: InvalidParameter (it can't be started), LimitExceeded,
   * TaskNotFound, Unavailable (the task doesn't run). When the caller's end of the stream breaks the command is killed.
   */
  taskExec: 'task-exec',
  /**
   * { taskId } -> null, once its memory is on disk and it takes no CPU and no RAM. It stays RUNNING, and a StopTask wakes it. Idempotent; errors: Unsupported (its
   * kind of sandbox can't), TaskNotFound, Unavailable (it doesn't run), Conflict (it is ending). What failed leaves it running.
   */
  taskSuspend: 'task-suspend',
  /** { taskId } -> null, once it goes on. Idempotent; errors as of `taskSuspend`. What failed leaves it suspended. */
  taskResume: 'task-resume',
  /**
   * { vpcs: VpcAddresses[] } -> null, once the machine answers at them: all addresses of load balancers. Those that are listed no more are given back. Idempotent,
   * said again at each look; errors: Conflict (a VPC stands with another range), Unavailable.
   */
  vpcAddresses: 'vpc-addresses',
  /** { cidr } -> null, once it is this berth's range on that machine. Idempotent; errors: Conflict (another berth there has one that overlaps). */
  rangeClaim: 'range-claim',
  /** { cidrs } -> null: the ranges of all VPCs, said again at each look; what was claimed beyond them is given up. */
  ranges: 'ranges',
  /** { id, sizeGib, snapshotId } -> null, once the volume is there, at least so large. Idempotent; errors: ResourceNotFound (the snapshot), LimitExceeded (the disk). */
  volumeKeep: 'volume-keep',
  /** { id } -> null, once it is gone. Idempotent; errors: Conflict (a task has it). */
  volumeRemove: 'volume-remove',
  /** { id, snapshotId } -> { bytes }: what of the copy is written. Idempotent; errors: ResourceNotFound (the volume), Unavailable (its microVM is only starting), LimitExceeded. */
  volumeSnapshot: 'volume-snapshot',
  /** { id } -> null, once it is gone. Idempotent. */
  snapshotRemove: 'snapshot-remove',
  /**
   * { id } -> { gone }: the files of a file system that was deleted go, in the background; asked again, it says whether nothing is left. Idempotent; what can't be
   * removed throws why.
   */
  fileSystemRemove: 'file-system-remove',
  /** {} -> { volumes: { id, bytes }[] }: what each volume takes of the host's disk. */
  volumeUsage: 'volume-usage',
} as const;

/** Addresses out of a VPC that the machine itself answers at, and the TCP ports that the VPC's tasks may reach there. */
export type VpcAddresses = { vpcId: string; cidr: string; addresses: { ip: string; ports: number[] }[] };

/** `tty`: with a terminal of this size; null: pipes. `user`: as of the container where it says none. */
export type TaskExec = {
  taskId: string;
  container: string;
  command: string[];
  tty: { cols: number; rows: number } | null;
  user?: string | null;
  /** `command` is what the supervisor's own copier is asked, with the container's root as its directory; no program of the image runs. */
  copies?: boolean;
};

export type TaskTailLine = { container: string; source: 'stdout' | 'stderr'; time: number; text: string };
/** `next`: what `after` of a later call is, to get what came since. A host agent of before has none. */
export type TaskTail = { lines: TaskTailLine[]; next?: string };

export type HostStatus = {
  /** Counts by status of the tasks that this host knows. */
  tasks: Record<string, number>;
  /** Tasks whose STOPPED report the control plane has not acknowledged. */
  unacknowledged: number;
  vpcs: number;
};
