//! Removes a directory tree without ever following a link or a mount.
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use super::sys;
use crate::protocol::{ErrorCode, WorkerError};

/// Directories that are held open at once; deeper trees are first moved up.
const DEPTH: usize = 64;

/// Removes `path` and all below it. It must lie strictly below `below` by its names, and no symbolic link may stand on the way.
/// Missing is fine. Stops with an error at a mount.
pub fn remove_tree(path: &Path, below: &Path) -> Result<(), WorkerError> {
    let inside = path.strip_prefix(below).ok().filter(|rest| rest.components().next().is_some());
    let plain = inside.filter(|rest| rest.components().all(|part| matches!(part, Component::Normal(_))));
    let Some(rest) = plain.filter(|_| below.is_absolute()) else {
        let reason = format!("{} is not a path inside {}", path.display(), below.display());
        return Err(WorkerError::new(ErrorCode::Invalid, reason));
    };
    remove_below(rest, below).map_err(|error| {
        let code = if error.raw_os_error() == Some(libc::ELOOP) { ErrorCode::Hostile } else { ErrorCode::Failed };
        WorkerError::new(code, format!("can't remove {}: {error}", path.display()))
    })
}

fn remove_below(rest: &Path, below: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (rest.parent(), rest.file_name()) else { return Ok(()) };
    let found = File::open(below).and_then(|top| {
        if parent.as_os_str().is_empty() {
            return Ok(OwnedFd::from(top));
        }
        sys::open_below(top.as_fd(), &sys::c_string(parent.as_os_str().as_bytes())?, false)
    });
    match found {
        Ok(dir) => remove_at(dir.as_fd(), &sys::c_string(name.as_bytes())?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes `name` in `dir` with all below it; missing is fine.
pub fn remove_at(dir: BorrowedFd, name: &CStr) -> io::Result<()> {
    match sys::unlink(dir, name) {
        Ok(()) => return Ok(()),
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOENT) => return Ok(()),
            // EPERM is what POSIX, EISDIR what Linux says of a directory.
            Some(libc::EISDIR | libc::EPERM) => {}
            _ => return Err(error),
        },
    }
    let top = sys::open_directory(dir, name)?;
    let mut moved = 0u64;
    // Each round removes all down to DEPTH; what lay deeper has been moved up for the next.
    while empty(top.as_fd(), top.as_fd(), DEPTH, &mut moved)? {}
    sys::remove_directory(dir, name)
}

/// Empties `dir`; true when something was moved up into `top`, which then is to be emptied again.
fn empty(dir: BorrowedFd, top: BorrowedFd, depth: usize, moved: &mut u64) -> io::Result<bool> {
    let mut again = false;
    for (name, is_directory) in sys::names(dir)? {
        if !is_directory {
            match sys::unlink(dir, &name) {
                Ok(()) => continue,
                Err(error) if matches!(error.raw_os_error(), Some(libc::EISDIR | libc::EPERM)) => {}
                Err(error) => return Err(error),
            }
        }
        if depth == 0 {
            sys::rename(dir, &name, top, &free_name(top, moved)?)?;
            again = true;
            continue;
        }
        let inner = sys::open_directory(dir, &name)?;
        again |= empty(inner.as_fd(), top, depth - 1, moved)?;
        drop(inner);
        sys::remove_directory(dir, &name)?;
    }
    Ok(again)
}

/// A name that nothing in `top` has.
fn free_name(top: BorrowedFd, moved: &mut u64) -> io::Result<CString> {
    loop {
        *moved += 1;
        let name = sys::c_string(format!(".berth-removed-{moved}").as_bytes())?;
        if sys::find(top, &name)?.is_none() {
            return Ok(name);
        }
    }
}
