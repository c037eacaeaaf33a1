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

/// A directory that everybody has as one user, and the process that sees to it (`share`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShareBundle {
    /// The directory, which is mounted over by what it becomes.
    pub place: String,
    pub user: FilesUser,
    /// Shows the user's rights as everybody's: for a kernel that decides by what it is shown, not by asking (gVisor's).
    pub spread: bool,
    /// A change of a file's owner is taken and not made: gVisor's file server changes that of all it makes.
    pub ignores_owners: bool,
    /// One for all of a task's, which is made when it isn't there.
    pub cgroup: TaskCgroup,
}
