//! What is said of gVisor sandboxes.
use serde::{Deserialize, Serialize};

use super::TaskCgroup;

/// The task's containers share one gVisor sandbox, which `runsc` makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunscBundle {
    /// The program, of exactly the version that `config` and the control protocol were written for.
    pub binary: String,
    /// Its global flags but `--root`.
    pub flags: Vec<String>,
    /// The same settings as the program's own JSON (`Conf` of `containerManager.StartSubcontainer`).
    pub config: serde_json::Value,
    /// Bundle directory of the sandbox's own first container, which does nothing.
    pub pause: String,
    /// Directory for the program's state and control socket; short, since a socket's path is.
    pub room: String,
}

/// A sandbox that is made before its task is known (`pool-start`). It ends when the connection that asked for it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolBundle {
    /// Directory of its own, where its lock is.
    pub dir: String,
    /// Path of the Unix socket that it listens on.
    pub socket: String,
    pub cgroup: TaskCgroup,
    pub runtime: RunscBundle,
}

/// From the host to a sandbox in the pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub enum ToPool {
    /// Become the supervisor of the task in this `task.json`.
    Take { bundle: String },
}

/// From a sandbox in the pool to the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum FromPool {
    /// The sandbox runs and waits for a task.
    Ready {
        /// What its processes take of the machine's memory.
        memory_bytes: u64,
    },
    /// The task's supervisor listens on the task's socket.
    Taken,
    /// It is of no use, and ends.
    Failed { message: String },
}
