//! Locks, which are the machine's kernel's: they hold against the same files' users in other tasks, of any kind.
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::memory::{Meaning, Memory};
use super::nodes::errno;
use super::wire::{Errno, Input, Output};
use crate::nfs::files;
use crate::sys::check;

/// FUSE_LK_FLOCK
const IS_FLOCK: u32 = 1;
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// Calls that wait for a lock at the same time, each in a thread.
const WAITING: usize = 48;

/// `fuse_lk_in`.
#[derive(Clone, Copy)]
pub struct Wish {
    pub handle: u64,
    owner: u64,
    start: u64,
    end: u64,
    kind: i32,
    is_flock: bool,
}

impl Wish {
    pub fn read(mut input: Input) -> Result<Wish, Errno> {
        let (handle, owner, start, end) = (input.u64()?, input.u64()?, input.u64()?, input.u64()?);
        let kind = input.u32()? as i32;
        input.skip(4)?;
        Ok(Wish { handle, owner, start, end, kind, is_flock: input.u32()? & IS_FLOCK != 0 })
    }

    fn range(&self) -> libc::flock {
        // SAFETY: flock is plain data, for which all zeroes is a value.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = self.kind as libc::c_short;
        lock.l_whence = libc::SEEK_SET as libc::c_short;
        lock.l_start = self.start as i64;
        // The kernel's OFFSET_MAX, and 0 here: to the end.
        lock.l_len = if self.end >= i64::MAX as u64 { 0 } else { (self.end - self.start.min(self.end) + 1) as i64 };
        lock
    }
}

/// A process's locks on a file are those of one open file description here, so that they are in each other's way as POSIX has it.
pub struct Locks {
    memory: Arc<Memory>,
    owned: Mutex<HashMap<(u64, u64), Arc<OwnedFd>>>,
    /// Requests that wait, and those of them that were told to end.
    waiting: Mutex<(HashSet<u64>, HashSet<u64>)>,
}

impl Locks {
    pub fn new(memory: Arc<Memory>) -> Locks {
        Locks { memory, owned: Mutex::default(), waiting: Mutex::default() }
    }

    /// What a former process had for this owner's locks on the file, which hold as long as it is open.
    pub fn recall(&self, description: OwnedFd, node: u64, owner: u64) {
        self.owned().insert((node, owner), Arc::new(description));
    }

    fn owned(&self) -> MutexGuard<'_, HashMap<(u64, u64), Arc<OwnedFd>>> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, (HashSet<u64>, HashSet<u64>)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The description that has this owner's locks on the file.
    fn description(&self, node: u64, wish: &Wish, file: &OwnedFd) -> Result<Arc<OwnedFd>, Errno> {
        let mut owned = self.owned();
        if let Some(found) = owned.get(&(node, wish.owner)) {
            return Ok(found.clone());
        }
        let open = |flags| files::reopen(file.as_fd(), flags);
        let made = open(libc::O_RDWR).or_else(|_| open(libc::O_RDONLY)).or_else(|_| open(libc::O_WRONLY)).map_err(|_| libc::ENOLCK)?;
        self.memory.note(made.as_fd(), Meaning::Locks { node, owner: wish.owner });
        let made = Arc::new(made);
        owned.insert((node, wish.owner), made.clone());
        Ok(made)
    }

    /// `fuse_lk_out`: what is in the way.
    pub fn test(&self, node: u64, wish: &Wish, file: &OwnedFd) -> Result<Vec<u8>, Errno> {
        let mut lock = wish.range();
        let description = self.description(node, wish, file)?;
        // SAFETY: the pointer is to a live flock.
        check(unsafe { libc::fcntl(description.as_raw_fd(), libc::F_OFD_GETLK, &mut lock) }.into()).map_err(errno)?;
        let end = if lock.l_len == 0 { i64::MAX } else { lock.l_start + lock.l_len - 1 };
        Ok(Output::default().u64(lock.l_start as u64).u64(end as u64).u32(lock.l_type as u32).u32(0).0)
    }

    pub fn set(&self, node: u64, wish: &Wish, file: &OwnedFd) -> Result<(), Errno> {
        if wish.is_flock {
            let operation = match wish.kind {
                libc::F_RDLCK => libc::LOCK_SH,
                libc::F_WRLCK => libc::LOCK_EX,
                _ => libc::LOCK_UN,
            };
            // SAFETY: no pointers.
            return check(unsafe { libc::flock(file.as_raw_fd(), operation | libc::LOCK_NB) }.into()).map(drop).map_err(errno);
        }
        if wish.kind == libc::F_UNLCK && !self.owned().contains_key(&(node, wish.owner)) {
            return Ok(());
        }
        let (description, lock) = (self.description(node, wish, file)?, wish.range());
        // SAFETY: the pointer is to a live flock.
        let set: io::Result<_> = check(unsafe { libc::fcntl(description.as_raw_fd(), libc::F_OFD_SETLK, &lock) }.into());
        set.map(drop).map_err(errno)
    }

    /// A process closed the file: by POSIX all its locks on it are gone.
    pub fn closed(&self, node: u64, owner: u64) {
        let gone = self.owned().remove(&(node, owner));
        if let Some(description) = &gone {
            self.memory.forget(description.as_fd());
        }
        drop(gone);
    }

    /// False when too many wait.
    pub fn begin_wait(&self, unique: u64) -> bool {
        let mut waiting = self.waiting();
        waiting.0.len() < WAITING && waiting.0.insert(unique)
    }

    /// The call of this request was interrupted by a signal.
    pub fn interrupt(&self, unique: u64) {
        let mut waiting = self.waiting();
        if waiting.0.contains(&unique) {
            waiting.1.insert(unique);
        }
    }

    /// EINTR when it is interrupted.
    pub fn wait(&self, unique: u64, node: u64, wish: &Wish, file: &OwnedFd) -> Result<(), Errno> {
        let outcome = loop {
            match self.set(node, wish, file) {
                Err(libc::EAGAIN | libc::EACCES) if self.waiting().1.contains(&unique) => break Err(libc::EINTR),
                Err(libc::EAGAIN | libc::EACCES) => std::thread::sleep(ASK_AGAIN),
                done => break done,
            }
        };
        self.end_wait(unique);
        outcome
    }

    pub fn end_wait(&self, unique: u64) {
        let mut waiting = self.waiting();
        waiting.0.remove(&unique);
        waiting.1.remove(&unique);
    }
}
