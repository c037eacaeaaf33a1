//! Files and directories that are open.
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::memory::{Meaning, Memory};
use super::nodes::errno;
use super::wire::{Errno, Output, IO_BYTES};
use crate::nfs::files;
use crate::sys::check;

/// Of open(2)'s flags those that matter to the machine's kernel; O_DIRECT would ask for aligned memory here.
const PASSED_ON: i32 = libc::O_ACCMODE | libc::O_APPEND | libc::O_TRUNC | libc::O_SYNC | libc::O_DSYNC | libc::O_NOATIME;
/// FOPEN_DIRECT_IO: where the file ends is known here alone, so what is appended must not go into the container's page cache.
const DIRECT_IO: u32 = 1;
const POSITION_BYTES: usize = 8;

pub struct Opened {
    table: Mutex<HashMap<u64, Arc<OwnedFd>>>,
    memory: Arc<Memory>,
}

impl Opened {
    pub fn new(memory: Arc<Memory>) -> Opened {
        Opened { table: Mutex::default(), memory }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<u64, Arc<OwnedFd>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn hold(&self, file: OwnedFd) -> u64 {
        let handle = self.memory.next_handle();
        self.memory.note(file.as_fd(), Meaning::Opened { handle });
        self.recall(file, handle);
        handle
    }

    /// One that a former process opened.
    pub fn recall(&self, file: OwnedFd, handle: u64) {
        self.table().insert(handle, Arc::new(file));
    }

    pub fn get(&self, handle: u64) -> Result<Arc<OwnedFd>, Errno> {
        self.table().get(&handle).cloned().ok_or(libc::EBADF)
    }

    pub fn release(&self, handle: u64) {
        let gone = self.table().remove(&handle);
        if let Some(file) = &gone {
            self.memory.forget(file.as_fd());
        }
        drop(gone);
    }
}

pub fn open_flags(wanted: u32) -> i32 {
    wanted as i32 & PASSED_ON
}

/// Of `fuse_open_out`.
pub fn answer_flags(wanted: u32) -> u32 {
    let is_append = wanted as i32 & libc::O_APPEND != 0 && wanted as i32 & libc::O_ACCMODE != libc::O_RDONLY;
    if is_append {
        DIRECT_IO
    } else {
        0
    }
}

/// A regular file that is known by its place: anything else could make this process wait.
pub fn open_file(at: &OwnedFd, wanted: u32) -> Result<OwnedFd, Errno> {
    match files::stat(at.as_fd()).map_err(errno)?.kind() {
        libc::S_IFREG => files::reopen(at.as_fd(), open_flags(wanted)).map_err(errno),
        libc::S_IFDIR => Err(libc::EISDIR),
        libc::S_IFLNK => Err(libc::ELOOP),
        _ => Err(libc::ENXIO),
    }
}

pub fn read(file: &OwnedFd, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
    let mut data = vec![0; (size as usize).min(IO_BYTES)];
    let n = files::read_at(file.as_fd(), &mut data, offset).map_err(errno)?;
    data.truncate(n);
    Ok(data)
}

/// Entries from `offset` on (`fuse_dirent`, each at a multiple of 8), as many as `size` holds.
pub fn read_directory(dir: &OwnedFd, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
    let room = (size as usize).min(IO_BYTES);
    let mut out = Output(Vec::new());
    let mut add = |entry: files::Entry| {
        let length = (24 + entry.name.len()).next_multiple_of(POSITION_BYTES);
        if out.0.len() + length > room {
            return false;
        }
        let before = out.0.len();
        let head = std::mem::take(&mut out).u64(entry.ino).u64(entry.next).u32(entry.name.len() as u32).u32(0);
        out = head;
        out.0.extend_from_slice(&entry.name);
        out.0.resize(before + length, 0);
        true
    };
    files::list(dir.as_fd(), offset, &mut add).map_err(errno)?;
    Ok(out.0)
}

pub fn sync(file: &OwnedFd, data_only: bool) -> io::Result<()> {
    // SAFETY: no pointers.
    let done = unsafe {
        if data_only {
            libc::fdatasync(file.as_raw_fd())
        } else {
            libc::fsync(file.as_raw_fd())
        }
    };
    check(done.into()).map(drop)
}

pub fn allocate(file: &OwnedFd, mode: u32, offset: u64, length: u64) -> Result<(), Errno> {
    let (offset, length) = (i64::try_from(offset).map_err(|_| libc::EFBIG)?, i64::try_from(length).map_err(|_| libc::EFBIG)?);
    // SAFETY: no pointers.
    check(unsafe { libc::fallocate(file.as_raw_fd(), mode as i32, offset, length) }.into()).map(drop).map_err(errno)
}

pub fn seek(file: &OwnedFd, offset: u64, whence: u32) -> Result<u64, Errno> {
    let offset = i64::try_from(offset).map_err(|_| libc::EINVAL)?;
    // SAFETY: no pointers.
    check(unsafe { libc::lseek(file.as_raw_fd(), offset, whence as i32) }).map(|at| at as u64).map_err(errno)
}
