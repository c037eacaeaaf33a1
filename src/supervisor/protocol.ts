/**
 * What a host (TypeScript) and a task's supervisor (Rust, supervisor/) say over the supervisor's Unix socket, or later over a
 * virtio-serial port. Frames as in base/frames.ts: kind 0 is one of these messages as JSON, kind 1 is output, kind 2 what a command that was
 * run inside (exec) writes.
 * The supervisor's half is supervisor/src/protocol.rs; test/golden/supervisor/*.json is read by the tests of both.
 */

/** What a supervisor is given to start a task: written by the host as `task.json` in the task's directory. Paths are absolute. */
export type TaskBundle = {
  taskId: string;
  /** The task's directory: the supervisor keeps `spool`, `spool.base`, `sup.pid` and the containers' writable layers here. */
  dir: string;
  /** Path of the Unix socket that the supervisor listens on. */
  socket: string;
  hostname: string;
  cgroup: CgroupLimits & {
    /** Below each hierarchy's root: `berth-INSTANCE/TASKID`. */
    path: string;
  };
  network: NetworkBundle | null;
  sysctls: Record<string, string>;
  pidMode: 'container' | 'task';
  spoolBytes: number;
  /** What a container is made of; without it by the supervisor itself. */
  runtime?: RunscBundle | undefined;
  /** What the containers write to, if it is limited. */
  disk?: DiskBundle | undefined;
  /** Directories to make before anything starts: the task's volumes. */
  volumes?: string[] | undefined;
  /** Started in the order of their `dependsOn`, stopped in reverse. */
  containers: ContainerBundle[];
};

/** A task's own disk, an ext4 of `bytes` on a sparse file. */
export type DiskBundle = {
  bytes: number;
  /** The directory that it is mounted on, where only the task sees it. */
  place: string;
  /** The file that disks of this size are copied from. Without it the disk is mounted there already, as in a microVM. */
  model?: string | undefined;
};

/** The directory `volume` gets what the image has at `path`, with its owner and mode, before it is first used; unless something is in it. */
export type FillBundle = { path: string; volume: string };

/** The task's containers share one gVisor sandbox, which `runsc` makes. */
export type RunscBundle = {
  /** The program, of exactly the version that `config` and the control protocol were written for. */
  binary: string;
  /** Its global flags but `--root`. */
  flags: string[];
  /** The same settings as the program's own JSON (`Conf` of `containerManager.StartSubcontainer`). */
  config: Record<string, unknown>;
  /** Bundle directory of the sandbox's own first container, which does nothing. */
  pause: string;
  /** Directory for the program's state and control socket; short, since a socket's path is. */
  room: string;
};

/** A sandbox that is made before its task is known. It ends when the connection to its socket does. */
export type PoolBundle = {
  /** Directory of its own, where its lock is. */
  dir: string;
  /** Path of the Unix socket that it listens on. */
  socket: string;
  cgroup: CgroupLimits & { path: string };
  runtime: RunscBundle;
};

/** To a sandbox in the pool: become the supervisor of the task in this `task.json`. */
export type ToPool = { t: 'take'; bundle: string };

export type FromPool =
  /** The sandbox runs and waits for a task. */
  | { t: 'ready'; memoryBytes: number }
  /** The task's supervisor listens on the task's socket. */
  | { t: 'taken' }
  /** It is of no use, and ends. */
  | { t: 'failed'; message: string };

export type CgroupLimits = {
  cpuMillis: number | null;
  cpuShares: number | null;
  memoryBytes: number | null;
  /** What it keeps when memory is short around it, as far as the kernel can. */
  memoryReservationBytes?: number | undefined;
  pids: number | null;
};

/** The task's own network namespace: one routed veth. Addresses are dotted quads. */
export type NetworkBundle = {
  /** A file that is a bind mount of the VPC router's network namespace. */
  routerNetns: string;
  /** Name of the router's end, unique in the router; at most 15 bytes. */
  routerIf: string;
  ip: string;
  mac: string;
  gatewayIp: string;
  gatewayMac: string;
  mtu: number;
};

export type ContainerBundle = {
  name: string;
  /** 32 hex digits, dash, 10 digits, as Fargate's. */
  runtimeId: string;
  /** An OCI bundle directory (runtime-spec 1.1): config.json; its root.path is mounted by the supervisor from `layers`. */
  bundle: string;
  /** Unpacked layers, topmost first: overlay lower directories. */
  layers: string[];
  essential: boolean;
  dependsOn: { container: string; condition: 'START' | 'COMPLETE' | 'SUCCESS' | 'HEALTHY' }[];
  stopSignal: string;
  stopTimeoutMs: number;
  startTimeoutMs: number | null;
  initProcess: boolean;
  cgroup: CgroupLimits;
  /** The supervisor kills it once it takes more: its sandbox's group is that of all. */
  watchedMemoryBytes?: number | undefined;
  /** Run inside by the supervisor as long as the container runs; null: none. */
  health: HealthBundle | null;
  /** Started again by the supervisor after its end; null or absent: never. Its writable layer stays, its state goes on being `running`. */
  restart?: RestartBundle | null | undefined;
  /** A lane of its own for its output; without it lane 0, which such containers share. */
  lane?: LaneBundle | undefined;
  fill?: FillBundle[] | undefined;
};

/** As `RestartSpec`. */
export type RestartBundle = { ignoredExitCodes: number[]; attemptPeriodMs: number };

/** Lanes after lane 0 are numbered in the order of their containers; each has a spool, `spool-N`, and offsets of its own. */
export type LaneBundle = {
  /** Unacknowledged output that is kept. */
  spoolBytes: number;
  /** Past it the container waits; else what it writes is dropped, counted, and the next record says so. */
  blocking: boolean;
  /** The container that its output goes to: stopped only after all of it was acknowledged, or nothing more was for 5 s. */
  router?: string | undefined;
};

export type LaneState = { base: number; end: number; droppedBytes: number };

/** A check as `HealthCheckSpec` has it. */
export type HealthBundle = { command: string[]; intervalMs: number; timeoutMs: number; retries: number; startPeriodMs: number };

export type ToSupervisor =
  /**
   * First message on a connection: asks for state and for output from this spool offset on; `lanes`: the same of those after lane 0. `runs`: in frames of
   * OUTPUT_RUN_FRAME; a supervisor of a former version knows OUTPUT_FRAME only.
   */
  | { t: 'attach'; from: number; lanes?: number[] | undefined; runs?: boolean }
  /** Everything below `to` in the lane's (default: 0) spool is safe elsewhere and may be freed. */
  | { t: 'ack'; to: number; lane?: number | undefined }
  /** Stops all containers in reverse order of dependency: stop signal, its time, SIGKILL. */
  | { t: 'stop' }
  /** SIGKILL to everything at once. */
  | { t: 'kill' }
  | { t: 'signal'; container: string; signal: string }
  | { t: 'stats'; id: number }
  /** What the task sends is delayed from now on, or no more. Answered by `latency`. */
  | { t: 'latency'; id: number; latency: Latency | null }
  /** To a microVM that stood still: nanoseconds since the epoch in decimal, and 64 fresh random bytes in base64. */
  | { t: 'resumed'; entropy: string; timeNs: string }
  /** Runs a command in a container that runs already, as `docker exec` does. Answered by `exec-started` or `exec-error`. */
  | ({ t: 'exec'; id: number } & ExecBundle)
  /** Bytes (base64) for its standard input; `eof`: no more will come. Unanswered by `exec-taken` no more than EXEC_INPUT_BYTES. */
  | { t: 'exec-input'; id: number; data: string; eof: boolean }
  | { t: 'exec-resize'; id: number; cols: number; rows: number }
  | { t: 'exec-signal'; id: number; signal: string }
  /** So many more bytes of its output were handed on. */
  | { t: 'exec-ack'; id: number; bytes: number }
  /** Kills it and forgets it: nothing more is said of this id. */
  | { t: 'exec-close'; id: number }
  /** Unmount, remove cgroups and namespaces, and exit. Refused (with `error`) while a container runs. */
  | { t: 'release' };

/** A command to run inside a container. It has the container's namespaces, limits, rights and environment. */
export type ExecBundle = {
  container: string;
  command: string[];
  /** With a terminal of the container's own, of `cols` times `rows`; its output is all of stream 1. */
  tty: boolean;
  cols: number;
  rows: number;
  /** Beside the container's own; these win. */
  env: Record<string, string>;
  /** `name`, `uid`, `name:group`, ...; null: the container's. */
  user: string | null;
  /** null: the container's. */
  cwd: string | null;
  /** `command` is what the supervisor's own `copy` is asked: not a program of the image runs, but that. */
  copies?: true;
};

export type FromSupervisor =
  /** The whole state; sent on attach and after every change. `seq` grows. */
  | { t: 'state'; seq: number; state: SupervisorState }
  | { t: 'stats'; id: number; stats: TaskStats }
  /** `error`: why it is not so. */
  | { t: 'latency'; id: number; error: string | null }
  | { t: 'error'; about: string; message: string }
  /** The command runs. */
  | { t: 'exec-started'; id: number }
  /** It took so many more bytes of its input (or will never read them). */
  | { t: 'exec-taken'; id: number; bytes: number }
  /** It ended and all its output was sent; 128 + n when killed by signal n. The last of this id. */
  | { t: 'exec-exit'; id: number; code: number }
  /** It could not be started. The last of this id. */
  | { t: 'exec-error'; id: number; message: string }
  | { t: 'released' };

export type SupervisorState = {
  taskId: string;
  pid: number;
  /** null while all is well; why the task as a whole could not be set up (network, cgroup). */
  failure: { stage: 'network' | 'cgroup' | 'setup'; message: string } | null;
  containers: ContainerState[];
  /** Bytes of output that had to be dropped because a spool was full. */
  droppedBytes: number;
  /** Of lane 0. What lies below was acknowledged, and is there no more: a host that forgot how far it was goes on from here. */
  spoolBase: number;
  /** End of the spool: output is complete once this is acknowledged and no container runs. */
  spoolEnd: number;
  /** Those after lane 0. */
  lanes?: LaneState[] | undefined;
};

export type ContainerState = {
  name: string;
  status: 'waiting' | 'running' | 'exited';
  pid: number | null;
  startedAtMs: number | null;
  finishedAtMs: number | null;
  /** 128 + n when killed by signal n. */
  exitCode: number | null;
  oomKilled: boolean;
  /** Why it could not be created or started: `stage` tells CannotCreateContainerError from CannotStartContainerError. */
  failure: { stage: 'create' | 'start' | 'dependency'; message: string } | null;
  /** A supervisor of a former version doesn't say it: UNKNOWN. Stays as it was when the container ends. */
  health: 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN';
  /** Of one that is UNHEALTHY: how the check failed that made it so. */
  healthReason: string | null;
  /** That check's; -1 of one that was not started, or took too long. A supervisor of a former version doesn't say it. */
  healthExitCode?: number | null | undefined;
  /** How often it was started again after its end; a supervisor of a former version doesn't say it: 0. */
  restartCount: number;
};

/** `to`, `except`: IPv4 addresses and ranges that it is sent to. */
export type Latency = { delayMs: number; jitterMs: number; to: string[]; except: string[] };

export type ContainerStats = {
  name: string;
  cpuNs: number;
  memoryBytes: number;
  memoryLimitBytes: number;
  pids: number;
  oomKills: number;
  /** What of it is known in parts; absent where only a sandbox's own kernel tells its containers apart, and from a former version. */
  detail?: UsageDetail | undefined;
};

export type UsageDetail = {
  userNs: number;
  kernelNs: number;
  /** Of the CPU quota: periods that have run, those in which it was used up, and for how long all was held up then. */
  periods: number;
  throttledPeriods: number;
  throttledNs: number;
  /** memory.stat, as the kernel names it. */
  memory: Record<string, number>;
  /** What was done to each disk; empty where the kernel keeps no count for it. */
  io: { major: number; minor: number; readBytes: number; writtenBytes: number; reads: number; writes: number }[];
};

export type TaskStats = {
  readAtMs: number;
  containers: ContainerStats[];
  task: { cpuNs: number; memoryBytes: number; pids: number };
  network: { rxBytes: number; txBytes: number; rxPackets: number; txPackets: number } | null;
  /**
   * Of the task's own disk, where it has one; `sizeBytes` is what it asked for, some of which is the file system's own. What was read and written went
   * through the disk's block device: a supervisor of a former version doesn't say it, and where the kernel doesn't show the device it isn't known.
   */
  disk?: { usedBytes: number; sizeBytes: number; readBytes?: number | undefined; writtenBytes?: number | undefined } | undefined;
  /** What the kernel that the task runs on knows of its own clock: a microVM's is its guest's. A supervisor of a former version doesn't say it. */
  clock?: { synchronized: boolean; maxErrorUs: number } | undefined;
};

/**
 * Kind 1, output: a record of the spool. All integers big-endian.
 * u64 offset of this record in the spool, u64 time in ns since the epoch, u8 index of the container, u8 1 = stdout 2 = stderr,
 * u8 flags (1 = the line goes on in the next record, 2 = bytes were dropped before this record), then the bytes (no newline at the end).
 * The record's own length in the spool is 19 + its bytes + 4; the next record begins there.
 */
export const OUTPUT_FRAME = 1;
export const OUTPUT_HEADER_BYTES = 19;
/** Kind 3: a run of records of one lane, as they stand in its spool (base/output-run.ts). */
export const OUTPUT_RUN_FRAME = 3;
/** Of a lane after lane 0, what is sent beyond what was acknowledged: one that nobody takes holds up no other on the connection. */
export const LANE_WINDOW_BYTES = 2 * 1024 * 1024;

/**
 * Kind 2, output of a command that was run inside: u32 its id, u8 1 = stdout 2 = stderr, then the bytes as it wrote them. At most
 * EXEC_WINDOW_BYTES are sent beyond what `exec-ack` has handed on: the command then waits.
 */
export const EXEC_OUTPUT_FRAME = 2;
export const EXEC_HEADER_BYTES = 5;
export const EXEC_WINDOW_BYTES = 128 * 1024;
/** Input that may be under way to one command. */
export const EXEC_INPUT_BYTES = 64 * 1024;

/**
 * The kernel worker (`berth-supervisor serve`, one per host, root): does the privileged kernel work and forks the supervisors. It
 * holds no state that cannot be read back from the kernel. One JSON frame a request, one a response, in any order.
 */
export type WorkerRequest =
  | { id: number; op: 'ping' }
  /** Forks a supervisor for STATE/.../task.json; answers once it listens on its socket. */
  | { id: number; op: 'task-start'; bundle: string }
  /** Forks a sandbox for the pool; answers once it listens on its socket. */
  | { id: number; op: 'pool-start'; pool: PoolBundle }
  /** Kills and removes whatever a task left: processes, mounts below its directory, cgroups, router interface. Idempotent. */
  | { id: number; op: 'task-clean'; dir: string; cgroupPath: string; routerNetns: string | null; routerIf: string | null }
  /** Makes a VPC's router namespace with its uplink; idempotent. */
  | { id: number; op: 'vpc-up'; vpc: VpcBundle }
  | { id: number; op: 'vpc-down'; routerNetns: string; hostIf: string }
  /** Applies an nftables ruleset in a router's namespace, in one transaction. */
  | { id: number; op: 'router-rules'; routerNetns: string; rules: string }
  /** Unpacks one layer in a child that is chrooted into `into`; verifies the digest of the uncompressed tar. */
  | {
      id: number;
      op: 'unpack';
      blob: string;
      compression: 'none' | 'gzip' | 'zstd';
      into: string;
      diffId: string | null;
      limits: { bytes: number; entries: number };
    }
  /** Removes a directory tree; never follows links, never leaves `below`. */
  | { id: number; op: 'remove-tree'; path: string; below: string }
  /** Forks the monitor of a virtual machine; answers { pid, qemuPid } once QEMU was started, with its sockets listening. */
  | { id: number; op: 'vm-start'; vm: VmBundle }
  /** Forks the keeper of a task's file server; answers { pid, port } once it serves. `exists`: one serves already. */
  | { id: number; op: 'files-start'; files: FilesBundle }
  /** Mounts the directory over itself so that everybody has it as one user; a process does so until it is mounted nowhere any more. */
  | { id: number; op: 'share-start'; share: ShareBundle }
  /** Moves the tap of the machine in `dir` into a VPC's router and makes it the way to the task's address. Idempotent. */
  | { id: number; op: 'vm-network'; dir: string; tap: string; network: NetworkBundle }
  /** Changes limits of a group that is there; null leaves one as it is. */
  | { id: number; op: 'cgroup-limit'; path: string; limits: CgroupLimits }
  /** Builds one EROFS file system of layers (topmost first) in the file `into`; answers { bytes }. Same layers, same bytes. */
  | { id: number; op: 'erofs-build'; layers: string[]; into: string; limits: { bytes: number; entries: number; seconds: number } }
  /** Makes a sparse ext4 of exactly `bytes` in the new file `path`. `model`: what disks of this size are copied from; made when missing. */
  | { id: number; op: 'scratch-make'; path: string; bytes: number; model: string; uid: number; gid: number }
  /** Makes and mounts a task's disk in the directory `dir`, and lets it go: whether this machine can. From then on some like it are made ahead. */
  | { id: number; op: 'disk-probe'; dir: string; model: string; bytes: number }
  /** Removes the instance's own cgroup parents (when empty). */
  | { id: number; op: 'cgroup-clean'; path: string };

export type WorkerResponse =
  | { id: number; ok: true; result: unknown }
  | {
      id: number;
      ok: false;
      error: { code: 'invalid' | 'exists' | 'not-found' | 'digest' | 'hostile' | 'limit' | 'no-space' | 'failed'; message: string };
    };

/**
 * One QEMU process and all it may see. Paths are the host's, but for `program`, which lies in the room. QEMU's user needs no rights to
 * `files` and `room`; `dir` is QEMU's /vm, and a file there that QEMU is to open by its path needs a mode that lets its user. An opening
 * of `/dev/fd/N` in `args` is answered with `files`' entry of that number, opened anew as its mode says, even when QEMU asks for more:
 * so a file that is given for reading serves as memory that is copied on write (memory-backend-file, share=off).
 */
export type VmBundle = {
  vmId: string;
  /** The machine's directory: the monitor keeps `sup.pid` here, and writes `exit.json` (VmExit) when QEMU has ended. */
  dir: string;
  /** QEMU's root directory (sandbox/microvm/room.ts). */
  room: string;
  program: string;
  /** Without the program's own name. */
  args: string[];
  /** Neither may be root's. */
  uid: number;
  gid: number;
  cgroup: CgroupLimits & { path: string };
  /** Opened by root, given to QEMU as descriptor `fd` (3 to 255). `create`: made when missing, and then QEMU's user's. */
  files: { fd: number; path: string; mode: 'read' | 'write' | 'readwrite'; create?: boolean }[];
  /** Unix sockets, which listen before QEMU runs. Removed when QEMU ends; left behind when its monitor is killed. */
  sockets: { fd: number; path: string }[];
  /** A tap in the machine's network namespace (TAP, no packet information, with vnet header). It vanishes with QEMU. */
  tap: { fd: number; name: string } | null;
  /** Whether it gets /dev/kvm. */
  kvm: boolean;
};

/** The NFS server of one microVM task, and all it may see. Its client finds a volume by its place in the list: /0, /1. */
export type FilesBundle = {
  /** Its keeper has `sup.pid` here, and `alive.sock`: who is connected to that hears of the keeper's end. */
  dir: string;
  /** Tells it from other servers. */
  name: string;
  /** A file that is a bind mount of the VPC router's namespace, in which it listens. */
  routerNetns: string;
  address: string;
  /** 0: any that is free. */
  port: number;
  cgroup: CgroupLimits & { path: string };
  /** `user`: whoever calls is this one; null: whom the client says. */
  volumes: { path: string; readOnly: boolean; user: { uid: number; gid: number; groups: number[] } | null }[];
};

/** `spread`: the user's rights are shown as everybody's. `ignoresOwners`: a change of owner is taken, and not made. Both are for gVisor. */
export type ShareBundle = {
  place: string;
  user: { uid: number; gid: number; groups: number[] };
  spread: boolean;
  ignoresOwners: boolean;
  /** One for all of a task's, which is made when it isn't there. */
  cgroup: CgroupLimits & { path: string };
};

/** exit.json: how QEMU ended, and the last of its console and its errors (control characters but newline and tab are left out). */
export type VmExit = { code: number | null; signal: number | null; oomKilled: boolean; atMs: number; console: string };

export type VpcBundle = {
  /** File to bind-mount the namespace on; its directory is made. */
  routerNetns: string;
  cidr: string;
  /** Uplink veth: the machine's end, and both ends' link-local addresses (/30). */
  hostIf: string;
  hostIp: string;
  routerIp: string;
  mtu: number;
  /** Link-local addresses that the router itself answers for (metadata, DNS, API): put on its loopback. */
  serviceIps: string[];
  /** An nftables ruleset for the router's namespace, applied with `nft -f -`. */
  routerRules: string;
  /** Same for the machine's own namespace. */
  hostRules: string;
  /** Addresses out of the VPC that the machine itself answers at: those of load balancers. All others are given back. */
  addresses: string[];
};
