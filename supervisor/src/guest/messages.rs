//! What host and guest say to each other beside the supervisor's protocol (`protocol.rs`): before the task, and to a whole machine.
use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::protocol::TaskBundle;

/// `{"t":"file"}`, before `begin`: a file to write below `FILES`.
#[derive(Debug, Deserialize)]
pub struct File<'a> {
    /// Relative, plain names between slashes.
    #[serde(borrow)]
    pub path: Cow<'a, str>,
    /// Permission bits.
    pub mode: u32,
    /// Base64.
    #[serde(borrow)]
    pub data: Cow<'a, str>,
}

/// `{"t":"settle"}`: what the machine becomes, before its task begins. Stands in `{"t":"begin"}` where nothing was settled, and in
/// `{"t":"warm"}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Base64 of `ENTROPY_BYTES`.
    pub entropy: String,
    /// Nanoseconds since the epoch, in decimal.
    pub time_ns: String,
    pub hostname: String,
    pub network: Option<Network>,
    /// So many of the disks `image0`... hold EROFS file systems; each is mounted on /images/N. `warm` takes the last disk alone.
    pub images: usize,
    /// The disk `scratch` holds an ext4 file system; else what is written stays in memory.
    pub scratch: bool,
    /// What the disks `volume0`... hold; each is mounted on /volumes/N.
    #[serde(default)]
    pub volumes: Vec<Volume>,
    /// Made on the scratch disk: the task's volumes.
    #[serde(default)]
    pub directories: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// `ext3`, `ext4` or `xfs`.
    pub file_system: String,
    /// The file's size, which the disk doesn't have: all are as large as they could be. An older host doesn't say it.
    #[serde(default)]
    pub bytes: u64,
}

/// `{"t":"begin"}`: its task. `{"t":"warm"}`: the same, to be gone through for nobody.
#[derive(Debug, Deserialize)]
pub struct Begin {
    pub bundle: TaskBundle,
    #[serde(default)]
    pub shared: Vec<Shared>,
}

/// A volume on a shared file system, which the host serves by NFS.
#[derive(Debug, Deserialize)]
pub struct Shared {
    /// Below /shared; it is made.
    pub path: String,
    /// `ADDRESS:/NUMBER`.
    pub source: String,
    /// As nfs(5) has them, `addr` and `clientaddr` included.
    pub options: String,
}

/// The machine's interface `eth0`. Addresses are dotted quads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    pub ip: String,
    pub mac: String,
    pub gateway_ip: String,
    pub gateway_mac: String,
    pub mtu: u32,
}

/// The kind of any message.
#[derive(Debug, Deserialize)]
pub struct Kind<'a> {
    #[serde(borrow)]
    pub t: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub enum FromGuest<'a> {
    /// The first message after each mark.
    #[serde(rename_all = "camelCase")]
    Guest {
        version: &'a str,
        phase: Phase,
        task_id: Option<&'a str>,
    },
    /// The answer to `warm`.
    Warmed,
    Error {
        about: &'a str,
        message: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Waits for its task.
    Ready,
    Task,
}
