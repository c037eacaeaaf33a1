//! The files that the kernel knows by a number of ours, for as long as it does.
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::memory::{Meaning, Memory};
use super::wire::{Errno, ROOT};
use crate::nfs::files::{self, Stat};

/// From so many on the kernel is asked to forget names at once, which otherwise only want of memory makes it do.
const KEPT: usize = 50_000;

type Key = (u64, u32);

struct Known {
    /// O_PATH.
    fd: Arc<OwnedFd>,
    key: Key,
}

#[derive(Default)]
struct Table {
    known: HashMap<u64, Known>,
    by_key: HashMap<Key, u64>,
}

pub struct Nodes {
    root: Arc<OwnedFd>,
    table: Mutex<Table>,
    memory: Arc<Memory>,
}

fn key_of(stat: &Stat) -> Key {
    (stat.0.stx_ino, stat.generation())
}

impl Nodes {
    pub fn new(root: OwnedFd, memory: Arc<Memory>) -> Nodes {
        Nodes { root: Arc::new(root), table: Mutex::default(), memory }
    }

    /// One that the kernel was told of by a former process.
    pub fn recall(&self, fd: OwnedFd, node: u64, key: Key) {
        let mut table = self.table();
        table.by_key.insert(key, node);
        table.known.insert(node, Known { fd: Arc::new(fd), key });
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, node: u64) -> Result<Arc<OwnedFd>, Errno> {
        if node == ROOT {
            return Ok(self.root.clone());
        }
        self.table().known.get(&node).map(|known| known.fd.clone()).ok_or(libc::ESTALE)
    }

    /// The kernel is told of this file once more. Also whether it may remember the name.
    pub fn adopt(&self, fd: OwnedFd, stat: &Stat) -> (u64, bool) {
        let key = key_of(stat);
        let mut table = self.table();
        let keep = table.known.len() < KEPT;
        if let Some(node) = table.by_key.get(&key).copied() {
            if let Some(known) = table.known.get(&node) {
                self.memory.told(known.fd.as_fd());
                return (node, keep);
            }
        }
        let node = self.memory.next_node();
        self.memory.note(fd.as_fd(), Meaning::Node { node, ino: key.0, generation: key.1 });
        self.memory.told(fd.as_fd());
        table.by_key.insert(key, node);
        table.known.insert(node, Known { fd: Arc::new(fd), key });
        (node, keep)
    }

    pub fn forget(&self, node: u64, lookups: u64) {
        let mut table = self.table();
        let Some(known) = table.known.get(&node) else { return };
        if self.memory.untold(known.fd.as_fd(), lookups) > 0 {
            return;
        }
        self.memory.forget(known.fd.as_fd());
        let gone = table.known.remove(&node);
        if let Some(key) = gone.as_ref().map(|known| known.key) {
            table.by_key.remove(&key);
        }
        // Closing a file that has no name any more frees its blocks, which takes time that others need not wait for.
        drop(table);
        drop(gone);
    }

    pub fn stat(&self, node: u64) -> Result<Stat, Errno> {
        files::stat(self.get(node)?.as_fd()).map_err(errno)
    }
}

pub fn errno(error: std::io::Error) -> Errno {
    error.raw_os_error().unwrap_or(libc::EIO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_file_has_one_number_until_it_is_forgotten_as_often_as_told() {
        let dir = std::env::temp_dir();
        let open = || OwnedFd::from(File::open(&dir).expect("opens"));
        let memory = Arc::new(Memory::new().expect("maps"));
        let nodes = Nodes::new(open(), memory);
        let stat = files::stat(open().as_fd()).expect("is there");
        let (first, keep) = nodes.adopt(open(), &stat);
        assert_eq!((nodes.adopt(open(), &stat).0, keep), (first, true));
        assert_ne!(first, ROOT);
        nodes.forget(first, 1);
        assert!(nodes.get(first).is_ok());
        nodes.forget(first, 1);
        assert_eq!(nodes.get(first).err(), Some(libc::ESTALE));
        assert_ne!(nodes.adopt(open(), &stat).0, first);
        assert!(nodes.get(ROOT).is_ok());
    }
}
