//! What is said of containers' health.
use serde::{Deserialize, Serialize};

/// A command that tells by its exit code (0) that the container it is run in is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthBundle {
    pub command: Vec<String>,
    /// From the end of one check to the start of the next.
    pub interval_ms: u64,
    /// A check that takes longer is killed, and has failed.
    pub timeout_ms: u64,
    /// So many failures in a row make the container unhealthy.
    pub retries: u64,
    /// Failures so soon after the container's start don't count, until a check has passed.
    pub start_period_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HealthStatus {
    Healthy,
    Unhealthy,
    /// Not known yet, or nothing is checked.
    #[default]
    Unknown,
}
