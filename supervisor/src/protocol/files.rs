//! What the kernel worker is told of a task's file server.
use serde::{Deserialize, Serialize};

use super::TaskCgroup;

/// The NFS server of one microVM task, and all it may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FilesBundle {
    /// Its keeper has `sup.pid` and `alive.sock` here.
    pub dir: String,
    /// Tells it from other servers: the task's id.
    pub name: String,
    /// A file that is a bind mount of the VPC router's network namespace, in which it listens on `address`.
    pub router_netns: String,
    pub address: String,
    /// 0: any that is free.
    pub port: u16,
    pub cgroup: TaskCgroup,
    /// The client finds them by their place in this list: /0, /1.
    pub volumes: Vec<FilesVolume>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FilesVolume {
    /// A directory of the host.
    pub path: String,
    pub read_only: bool,
    /// Whoever calls is this user; null: whom the client says.
    pub user: Option<FilesUser>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesUser {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}
