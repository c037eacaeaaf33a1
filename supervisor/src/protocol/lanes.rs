//! Lanes of a task's output: what is said of them.
use serde::{Deserialize, Serialize};

/// How a container's output is kept that has a lane of its own. Lane 0 is shared; these follow in the order of their containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LaneBundle {
    /// Unacknowledged output that is kept.
    pub spool_bytes: u64,
    /// Past it the container waits; else what it writes is dropped.
    pub blocking: bool,
    /// The container that its output goes to: that one is stopped after all of it was acknowledged, or nothing more was for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<String>,
}

/// What is in a lane's spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LaneState {
    /// What lies below was acknowledged.
    pub base: u64,
    pub end: u64,
    pub dropped_bytes: u64,
}
