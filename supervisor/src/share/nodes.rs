//! The files that the kernel knows by a number of ours, for as long as it does.
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::wire::{Errno, ROOT};
use crate::nfs::files::{self, Stat};

/// From so many on the kernel is asked to forget names at once, which otherwise only want of memory makes it do.
const KEPT: usize = 50_000;

type Key = (u64, u32);

struct Known {
    /// O_PATH.
    fd: Arc<OwnedFd>,
    key: Key,
    /// How often the kernel was told of it.
    lookups: u64,
}

#[derive(Default)]
struct Table {
    known: HashMap<u64, Known>,
    by_key: HashMap<Key, u64>,
    last: u64,
}

pub struct Nodes {
    root: Arc<OwnedFd>,
    table: Mutex<Table>,
}

fn key_of(stat: &Stat) -> Key {
    (stat.0.stx_ino, stat.generation())
}

impl Nodes {
    pub fn new(root: OwnedFd) -> Nodes {
        Nodes { root: Arc::new(root), table: Mutex::new(Table { last: ROOT, ..Table::default() }) }
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
            if let Some(known) = table.known.get_mut(&node) {
                known.lookups += 1;
                return (node, keep);
            }
        }
        table.last += 1;
        let node = table.last;
        table.by_key.insert(key, node);
        table.known.insert(node, Known { fd: Arc::new(fd), key, lookups: 1 });
        (node, keep)
    }

    pub fn forget(&self, node: u64, lookups: u64) {
        let mut table = self.table();
        let Some(known) = table.known.get_mut(&node) else { return };
        known.lookups = known.lookups.saturating_sub(lookups);
        if known.lookups > 0 {
            return;
        }
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
        let nodes = Nodes::new(open());
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
