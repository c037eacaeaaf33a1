//! Tasks' disks that are made ahead, so that no start waits for one. They are descriptors and nothing else: no name, no place. They end with
//! whoever holds them, so that a pool that is killed leaves nothing.
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

use super::mount_scratch;
use crate::protocol::DiskBundle;
use crate::unpack::sys as at;

/// A burst makes its own: what it lacks is processor time, which a disk takes whoever makes it.
const DISKS: usize = 3;

/// A disk that is mounted nowhere yet.
pub struct Ready {
    tree: OwnedFd,
    model: PathBuf,
    bytes: u64,
}

impl Ready {
    pub fn as_raw_fd(&self) -> RawFd {
        self.tree.as_raw_fd()
    }

    /// Gives the mount, if it is what the task wants.
    pub fn fits(self, wanted: &DiskBundle) -> Option<OwnedFd> {
        let fits = self.bytes == wanted.bytes && wanted.model.as_deref().is_some_and(|model| self.model == *model);
        fits.then_some(self.tree)
    }
}

#[derive(Default)]
pub struct Pool {
    kind: Option<(PathBuf, PathBuf, u64)>,
    ready: Vec<Ready>,
}

impl Pool {
    /// What to have ready from now on: disks of `bytes`, copied from `model` into the file system of `dir`.
    pub fn want(&mut self, dir: &str, model: &str, bytes: u64) {
        self.kind = Some((dir.into(), model.into(), bytes));
        self.ready.clear();
    }

    pub fn has_room(&self) -> bool {
        self.kind.is_some() && self.ready.len() < DISKS
    }

    /// Makes one more. Where that fails there are none until they are wanted again: a task that makes its own says why.
    pub fn fill(&mut self) {
        let Some((dir, model, bytes)) = &self.kind else { return };
        match mount_scratch(dir, model, *bytes).map_err(drop).and_then(|tree| warm(&tree).map(|()| tree).map_err(drop)) {
            Ok(tree) => self.ready.push(Ready { tree, model: model.clone(), bytes: *bytes }),
            Err(_) => self.kind = None,
        }
    }

    pub fn take(&mut self) -> Option<Ready> {
        self.ready.pop()
    }
}

/// Has the kernel read what it needs for the first file: each such read waits for a thread of the device's.
fn warm(tree: &OwnedFd) -> io::Result<()> {
    const NAME: &CStr = c"warm";
    let root = at::open_directory(tree.as_fd(), c".")?;
    at::create_directory(root.as_fd(), NAME, 0o700)?;
    at::remove_directory(root.as_fd(), NAME)
}
