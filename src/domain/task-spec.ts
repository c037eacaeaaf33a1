/**
 * TaskSpec: what to run, in berth's own terms, fully resolved (overrides applied, defaults filled in). A front door makes it and keeps
 * its own definition whole in its own rows; nothing below `intent` sees an ECS or a Kubernetes shape.
 */

import type { BlockVolume } from './block-volume.ts';
import type { BucketVolume } from './bucket-files.ts';
import type { SharedVolume } from './shared-volume.ts';

export type IsolationKind = 'container' | 'gvisor' | 'microvm';
export type IsolationWish = 'auto' | IsolationKind;
/** What a virtual machine runs on: the processor (kvm), or a program that plays one (tcg): slow, for tests, and no security border. */
export type Accelerator = 'kvm' | 'tcg';

export type TaskSpec = {
  /** 1000 = one core. */
  cpuMillis: number;
  memoryBytes: number;
  ephemeralBytes: number;
  isolation: IsolationWish;
  platform: { os: 'linux'; arch: 'amd64' | 'arm64' };
  /** Whether all containers share one PID namespace. */
  pidMode: 'container' | 'task';
  sysctls: Record<string, string>;
  /** Whether its containers may disturb its network by the task's own endpoint. A spec of a former version doesn't say: no. */
  faultInjection?: boolean;
  /** ARN or name of the role whose credentials its containers get. Without one, and in a spec of a former version, there are none. */
  taskRole?: string;
  /** ARN or name of the role by which the platform itself does things for it: logs, secrets. */
  executionRole?: string;
  volumes: VolumeSpec[];
  /** In the order of the definition; 1 to 10 of them, at least one essential. */
  containers: ContainerSpec[];
};

export type VolumeSpec = ScratchVolume | SharedVolume | BucketVolume | BlockVolume;

/** An empty directory that lives and dies with the task, shared by its containers. */
export type ScratchVolume = { name: string; kind: 'scratch' };

export type StartCondition = 'START' | 'COMPLETE' | 'SUCCESS' | 'HEALTHY';

export type ContainerSpec = {
  name: string;
  /** An image reference as the user wrote it. */
  image: string;
  /** Each task of a service takes what the image's tag then says; absent: all of a revision take what its first one did. */
  followsTag?: true | undefined;
  /** null: the image's own. */
  entryPoint: string[] | null;
  command: string[] | null;
  workingDirectory: string | null;
  /** `name`, `uid`, `name:group`, `uid:gid`, ...; null: the image's own. */
  user: string | null;
  environment: Record<string, string>;
  /** Variables whose values are fetched when the task starts. Absent: none. */
  secrets?: SecretRef[] | undefined;
  /** ARN of the secret with the registry's user and password. Absent: the host's own way to the registry. */
  registrySecret?: string | undefined;
  /** ARNs of files whose variables it gets beside its own, fetched when the task starts. Absent: none. */
  environmentFiles?: string[] | undefined;
  essential: boolean;
  /** CPU shares relative to the task's other containers, in millicores; 0: none asked for. */
  cpuMillis: number;
  /** Hard limit; null: the task's. */
  memoryBytes: number | null;
  memoryReservationBytes: number | null;
  ports: PortSpec[];
  dependsOn: { container: string; condition: StartCondition }[];
  mounts: { volume: string; path: string; readOnly: boolean }[];
  readOnlyRoot: boolean;
  capabilities: { add: string[]; drop: string[] };
  /** All capabilities and devices, no seccomp, nothing masked. Only ever in a microvm, whose own kernel is the border. */
  privileged: boolean;
  /** Device nodes of the guest; `permissions`: some of r, w and m. Only ever in a microvm. */
  devices: { hostPath: string; containerPath: string; permissions: string }[];
  ulimits: { name: string; soft: number; hard: number }[];
  /** A small init as the container's PID 1, which reaps and forwards signals. */
  initProcess: boolean;
  tmpfs: { path: string; sizeBytes: number; options: string[] }[];
  /** Docker labels. */
  labels: Record<string, string>;
  tty: boolean;
  stdin: boolean;
  startTimeoutMs: number | null;
  stopTimeoutMs: number;
  /** null: the image's, else SIGTERM. */
  stopSignal: string | null;
  log: LogTarget | null;
  /** It is the task's log router; absent: it isn't. */
  firelens?: FirelensSpec | undefined;
  /** null: none, whatever the image has. Specs that a former version wrote have no such member, which means the same. */
  health: HealthCheckSpec | null;
  /** null: it ends when it ends. Specs that a former version wrote have no such member, which means the same. */
  restart?: RestartSpec | null | undefined;
};

/** `valueFrom`: ARN of a secret, or name or ARN of a parameter, as the user wrote it. */
export type SecretRef = { name: string; valueFrom: string };

/** A container that ends by itself is started again, in place, as long as nobody stops its task. */
export type RestartSpec = {
  /** An end with one of these codes is its end. */
  ignoredExitCodes: number[];
  /** It must have run so long since its last start; else its end is its end. */
  attemptPeriodMs: number;
};

/** A command that tells by its exit code (0) that the container it runs in is well. */
export type HealthCheckSpec = {
  /** Program and arguments, with the shell where the user asked for one. */
  command: string[];
  /** From the end of one check to the start of the next. */
  intervalMs: number;
  /** A check that takes longer is killed, and has failed. */
  timeoutMs: number;
  /** So many failures in a row make the container UNHEALTHY. */
  retries: number;
  /** Failures so soon after the container's start don't count, until a check has passed. */
  startPeriodMs: number;
};

export type PortSpec = { containerPort: number; protocol: 'tcp' | 'udp'; name: string | null };

/** Where a container's output goes, by the log driver of its definition. */
export type LogTarget = AwslogsTarget | SplunkTarget | FirelensTarget;

/**
 * What happens to output that can't be handed on as fast as it comes: past `bufferBytes` of it the container waits (`blocking`), or what it
 * writes is dropped, counted and said. Specs that a former version wrote have none: their containers share one buffer, and never wait.
 */
export type LogDelivery = { mode: 'blocking' | 'non-blocking'; bufferBytes: number };

/** `stream` is resolved: prefix/container/task. `multiline`: an RE2 expression that matches the first line of an event. */
export type AwslogsTarget = {
  driver: 'awslogs';
  region: string;
  group: string;
  stream: string;
  createGroup: boolean;
  delivery?: LogDelivery;
  multiline?: string;
};

/** Splunk's HTTP Event Collector; `options` as the definition has them, with Docker's names. `secretOptions`: those whose values are fetched. */
export type SplunkTarget = { driver: 'splunk'; options: Record<string, string>; secretOptions?: SecretRef[]; delivery: LogDelivery };

/** The task's log router takes it: the container `router`, whose configuration gets an output of these options. */
export type FirelensTarget = {
  driver: 'awsfirelens';
  router: string;
  options: Record<string, string>;
  secretOptions?: SecretRef[];
  delivery: LogDelivery;
};

/** What a log router's configuration is made of. */
export type FirelensSpec = {
  type: 'fluentbit' | 'fluentd';
  /** Whether each record says its cluster, task and definition. */
  metadata: boolean;
  /** A configuration file of the image's own that is included; null: none. */
  include: string | null;
};
