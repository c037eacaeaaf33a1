//! What a task uses.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskStats {
    pub read_at_ms: u64,
    pub containers: Vec<ContainerStats>,
    pub task: CgroupStats,
    pub network: Option<NetworkStats>,
    /// Of the task's own disk, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskStats>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockStats>,
}

/// What the kernel that the task runs on knows of its own clock (adjtimex(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClockStats {
    /// Something keeps it to a reference, and has done so lately.
    pub synchronized: bool,
    /// It is that far from UTC at most.
    pub max_error_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskStats {
    pub used_bytes: u64,
    /// As asked for; some of it is the file system's own.
    pub size_bytes: u64,
    /// Through the block device that is the task's alone; absent where it has none, or the kernel doesn't show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_bytes: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStats {
    pub name: String,
    pub cpu_ns: u64,
    pub memory_bytes: u64,
    pub memory_limit_bytes: u64,
    pub pids: u64,
    pub oom_kills: u64,
    /// What of it is known in parts; none where only a sandbox's own kernel tells its containers apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<UsageDetail>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageDetail {
    pub user_ns: u64,
    pub kernel_ns: u64,
    /// Of the CPU quota: periods that have run, those in which it was used up, and for how long all was held up then.
    pub periods: u64,
    pub throttled_periods: u64,
    pub throttled_ns: u64,
    /// memory.stat, as the kernel names it.
    pub memory: BTreeMap<String, u64>,
    pub io: Vec<IoStats>,
}

/// What was done to one disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IoStats {
    pub major: u32,
    pub minor: u32,
    pub read_bytes: u64,
    pub written_bytes: u64,
    pub reads: u64,
    pub writes: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CgroupStats {
    pub cpu_ns: u64,
    pub memory_bytes: u64,
    pub pids: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkStats {
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_packets: u64,
    pub tx_packets: u64,
}
