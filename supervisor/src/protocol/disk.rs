//! Disks and volumes: what tasks write to, and what virtual machines are given.
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::TaskBundle;

/// A task's own disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskBundle {
    pub bytes: u64,
    /// The directory that it is mounted on.
    pub place: String,
    /// See `ScratchRequest`. Without it the disk is mounted there already, as in a microVM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

impl TaskBundle {
    /// Where the containers' writable layers are.
    pub fn writable_dir(&self) -> &Path {
        let own = self.disk.as_ref().filter(|disk| disk.model.is_some());
        Path::new(own.map_or(&self.dir, |disk| &disk.place))
    }
}

/// The directory `volume` gets what the image has at `path`, with its owner and mode, before it is first used; unless something is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillBundle {
    pub path: String,
    pub volume: String,
}

/// Layers, topmost first, as one EROFS file system in the file `into`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErofsRequest {
    pub layers: Vec<String>,
    pub into: String,
    pub limits: DiskLimits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskLimits {
    pub bytes: u64,
    pub entries: u64,
    pub seconds: u64,
}

/// A sparse ext4 of exactly `bytes` in the new file `path`, owned by `uid`. `model`: the file that disks of this size are copied from;
/// made when missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScratchRequest {
    pub path: String,
    pub bytes: u64,
    pub model: String,
    pub uid: u32,
    pub gid: u32,
}
