//! What a host (TypeScript) and this program say to each other: the Rust half of `src/supervisor/protocol.ts`.
//! `test/golden/supervisor/*.json` is read by the tests of both halves.
mod disk;
mod files;
mod gvisor;
mod health;
mod lanes;
mod messages;
mod stats;
mod vm;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use disk::{DiskBundle, DiskLimits, ErofsRequest, FillBundle, ScratchRequest};
pub use files::{FilesBundle, FilesUser, FilesVolume, ShareBundle};
pub use gvisor::{FromPool, PoolBundle, RunscBundle, ToPool};
pub use health::{HealthBundle, HealthStatus};
pub use lanes::{LaneBundle, LaneState};
pub use messages::*;
pub use stats::{CgroupStats, ClockStats, ContainerStats, DiskStats, IoStats, NetworkStats, TaskStats, UsageDetail};
pub use vm::{FileMode, VmBundle, VmFile, VmSocket, VmTap};

/// What a supervisor is given to start a task (`task.json` in the task's directory). Paths are absolute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskBundle {
    pub task_id: String,
    /// The task's directory: `spool`, `spool.base`, `sup.pid` and the containers' writable layers are kept here.
    pub dir: String,
    /// Path of the Unix socket that the supervisor listens on; empty in a microVM.
    pub socket: String,
    pub hostname: String,
    pub cgroup: TaskCgroup,
    pub network: Option<NetworkBundle>,
    pub sysctls: BTreeMap<String, String>,
    pub pid_mode: PidMode,
    pub spool_bytes: u64,
    /// What a container is made of; without it by this program itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<RunscBundle>,
    /// What the containers write to, if it is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskBundle>,
    /// Directories to make before anything starts: the task's volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// Started in the order of their `depends_on`, stopped in reverse.
    pub containers: Vec<ContainerBundle>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PidMode {
    /// Each container has a PID namespace of its own.
    Container,
    /// The task's containers share one.
    Task,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CgroupLimits {
    /// Hard limit, in thousandths of a core.
    pub cpu_millis: Option<u64>,
    /// Relative weight: 1024 is one core's.
    pub cpu_shares: Option<u64>,
    pub memory_bytes: Option<u64>,
    /// What it keeps when memory is short around it, as far as the kernel can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_reservation_bytes: Option<u64>,
    pub pids: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskCgroup {
    #[serde(flatten)]
    pub limits: CgroupLimits,
    /// Below each hierarchy's root: `berth-INSTANCE/TASKID`.
    pub path: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerBundle {
    pub name: String,
    pub runtime_id: String,
    /// An OCI bundle directory (runtime-spec 1.1); its root.path is mounted from `layers`.
    pub bundle: String,
    /// Unpacked layers, topmost first: overlay lower directories.
    pub layers: Vec<String>,
    pub essential: bool,
    pub depends_on: Vec<Dependency>,
    pub stop_signal: String,
    pub stop_timeout_ms: u64,
    pub start_timeout_ms: Option<u64>,
    pub init_process: bool,
    pub cgroup: CgroupLimits,
    /// The supervisor kills it once it takes more: its sandbox's group is that of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched_memory_bytes: Option<u64>,
    #[serde(default)]
    pub health: Option<HealthBundle>,
    /// When it is started again after its end; None: never.
    #[serde(default)]
    pub restart: Option<RestartBundle>,
    /// A lane of its own for its output; without it the one that such containers share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<LaneBundle>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fill: Vec<FillBundle>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestartBundle {
    /// An end with one of these is its end.
    pub ignored_exit_codes: Vec<i32>,
    /// So long it must have run.
    pub attempt_period_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    pub container: String,
    pub condition: Condition,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Condition {
    Start,
    Complete,
    Success,
    Healthy,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SupervisorState {
    pub task_id: String,
    pub pid: i32,
    /// Why the task as a whole could not be set up.
    pub failure: Option<TaskFailure>,
    pub containers: Vec<ContainerState>,
    /// Bytes of output that had to be dropped because a spool was full.
    pub dropped_bytes: u64,
    /// Of lane 0. What lies below was acknowledged, and is there no more: a host that forgot how far it was goes on from here.
    #[serde(default)]
    pub spool_base: u64,
    /// End of the spool: output is complete once this is acknowledged and no container runs.
    pub spool_end: u64,
    /// The lanes after lane 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<LaneState>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFailure {
    pub stage: TaskStage,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskStage {
    Network,
    Cgroup,
    Setup,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerState {
    pub name: String,
    pub status: ContainerStatus,
    pub pid: Option<i32>,
    pub started_at_ms: Option<u64>,
    pub finished_at_ms: Option<u64>,
    /// 128 + n when killed by signal n.
    pub exit_code: Option<i32>,
    pub oom_killed: bool,
    pub failure: Option<ContainerFailure>,
    /// Stays as it was when the container ends.
    #[serde(default)]
    pub health: HealthStatus,
    /// Of one that is unhealthy: how the check failed that made it so.
    #[serde(default)]
    pub health_reason: Option<String>,
    /// That check's; -1 of one that was not started, or took too long.
    #[serde(default)]
    pub health_exit_code: Option<i32>,
    /// How often it was started again after its end.
    #[serde(default)]
    pub restart_count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerStatus {
    Waiting,
    Running,
    Exited,
}

/// Why a container could not be created or started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerFailure {
    pub stage: ContainerStage,
    pub message: String,
}

/// Tells CannotCreateContainerError from CannotStartContainerError.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerStage {
    Create,
    Start,
    Dependency,
}

/// A request to the kernel worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerRequest {
    pub id: u64,
    #[serde(flatten)]
    pub op: WorkerOp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum WorkerOp {
    Ping,
    /// Forks a supervisor for `task.json`; answered once it listens on its socket.
    TaskStart {
        bundle: String,
    },
    /// Forks a sandbox for the pool; answered once it listens on its socket.
    PoolStart {
        pool: PoolBundle,
    },
    /// Kills and removes whatever a task left. Idempotent.
    TaskClean {
        dir: String,
        cgroup_path: String,
        router_netns: Option<String>,
        router_if: Option<String>,
    },
    VpcUp {
        vpc: VpcBundle,
    },
    VpcDown {
        router_netns: String,
        host_if: String,
    },
    /// Applies an nftables ruleset in a router's namespace.
    RouterRules {
        router_netns: String,
        rules: String,
    },
    Unpack(UnpackRequest),
    /// Removes a directory tree; never follows links, never leaves `below`.
    RemoveTree {
        path: String,
        below: String,
    },
    /// Forks the monitor of a virtual machine; answered once QEMU was started, with its sockets listening.
    VmStart {
        vm: Box<VmBundle>,
    },
    /// Moves the tap of the machine in `dir` into a VPC's router and makes it the way to the task's address.
    VmNetwork {
        dir: String,
        tap: String,
        network: NetworkBundle,
    },
    /// Forks the keeper of a task's file server; answers `{pid, port}` once it serves.
    FilesStart {
        files: Box<FilesBundle>,
    },
    /// Forks the process that gives a directory to everybody as one user; answers null once it does.
    ShareStart {
        share: Box<ShareBundle>,
    },
    /// Changes limits of a group that is there; null leaves one as it is.
    CgroupLimit {
        path: String,
        limits: CgroupLimits,
    },
    /// Builds the disk of an image; answers `{bytes}`.
    ErofsBuild(ErofsRequest),
    /// Makes an empty disk to write on.
    ScratchMake(ScratchRequest),
    /// Makes and mounts a task's disk of `bytes` in the directory `dir`, and lets it go: whether this machine can. From then on some like it
    /// are made ahead.
    DiskProbe {
        dir: String,
        model: String,
        bytes: u64,
    },
    /// Removes the instance's own cgroup parents (when empty).
    CgroupClean {
        path: String,
    },
}

/// The kernel worker's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerResponse {
    pub id: u64,
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "present")]
    pub result: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<WorkerError>,
}

impl WorkerResponse {
    pub fn new(id: u64, outcome: Result<serde_json::Value, WorkerError>) -> Self {
        match outcome {
            Ok(result) => WorkerResponse { id, ok: true, result: Some(result), error: None },
            Err(error) => WorkerResponse { id, ok: false, result: None, error: Some(error) },
        }
    }
}

/// Tells `"result": null` from no result at all.
fn present<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(d).map(Some)
}

/// Kind of a frame that holds one JSON message.
pub const JSON_FRAME: u8 = 0;
/// Kind of a frame that holds one record of the spool.
pub const OUTPUT_FRAME: u8 = 1;
/// Largest frame (kind and payload), as `limits.frameBytes` of the host.
pub const FRAME_BYTES: usize = 1024 * 1024;
/// Longest text that is sent (a failure's message), as `limits.supervisorTextBytes` of the host.
pub const TEXT_BYTES: usize = 16 * 1024;

/// The task's own network namespace: one routed veth. Addresses are dotted quads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkBundle {
    /// A file that is a bind mount of the VPC router's network namespace.
    pub router_netns: String,
    /// Name of the router's end, unique in the router; at most 15 bytes.
    pub router_if: String,
    pub ip: String,
    pub mac: String,
    pub gateway_ip: String,
    pub gateway_mac: String,
    pub mtu: u32,
}

/// A VPC's router namespace and its uplink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcBundle {
    /// File to bind-mount the namespace on; its directory is made.
    pub router_netns: String,
    pub cidr: String,
    /// Uplink veth: the machine's end, and both ends' link-local addresses (/30).
    pub host_if: String,
    pub host_ip: String,
    pub router_ip: String,
    pub mtu: u32,
    /// Link-local addresses that the router itself answers for: put on its loopback.
    pub service_ips: Vec<String>,
    /// An nftables ruleset for the router's namespace, applied with `nft -f -`.
    pub router_rules: String,
    /// Same for the machine's own namespace.
    pub host_rules: String,
    /// Addresses out of the VPC that the machine itself answers at, on its end of the uplink: those of load balancers. All others go.
    #[serde(default)]
    pub addresses: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

/// `exit.json` in a machine's directory: how QEMU ended, and the last of its console and errors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VmExit {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// Killed because the machine's cgroup ran out of memory.
    pub oom_killed: bool,
    pub at_ms: u64,
    pub console: String,
}

/// What one layer may unpack to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpackLimits {
    pub bytes: u64,
    pub entries: u64,
}

/// Unpacks one layer in a child that is chrooted into `into`; verifies the digest of the uncompressed tar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnpackRequest {
    pub blob: String,
    pub compression: Compression,
    pub into: String,
    pub diff_id: Option<String>,
    pub limits: UnpackLimits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    Invalid,
    Exists,
    NotFound,
    Digest,
    Hostile,
    Limit,
    NoSpace,
    Failed,
}

/// Why a request of the kernel worker failed; goes over the wire as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerError {
    pub code: ErrorCode,
    pub message: String,
}

impl WorkerError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        WorkerError { code, message: message.into() }
    }
}

impl std::fmt::Display for WorkerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for WorkerError {}
