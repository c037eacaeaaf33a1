//! What the kernel worker is told of a virtual machine.
use serde::{Deserialize, Serialize};

use super::TaskCgroup;

/// One QEMU process and all it may see. Paths are the host's but for `program`, which lies in the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VmBundle {
    pub vm_id: String,
    /// The machine's directory: QEMU sees it as /vm; the monitor keeps `sup.pid` and `exit.json` here.
    pub dir: String,
    /// QEMU's root directory.
    pub room: String,
    pub program: String,
    /// Without the program's own name.
    pub args: Vec<String>,
    pub uid: u32,
    pub gid: u32,
    pub cgroup: TaskCgroup,
    pub files: Vec<VmFile>,
    pub sockets: Vec<VmSocket>,
    pub tap: Option<VmTap>,
    /// Whether it gets /dev/kvm.
    pub kvm: bool,
}

/// Opened by root, given to QEMU as descriptor `fd`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmFile {
    pub fd: i32,
    pub path: String,
    pub mode: FileMode,
    /// Made when missing, and then QEMU's user's.
    #[serde(default)]
    pub create: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileMode {
    Read,
    Write,
    ReadWrite,
}

/// A Unix socket of the host's that listens before QEMU runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmSocket {
    pub fd: i32,
    pub path: String,
}

/// A tap of this name in the machine's network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmTap {
    pub fd: i32,
    pub name: String,
}
