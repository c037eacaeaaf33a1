//! Pseudo-terminals: of a container that asks for one, and of a command that is run inside of one.
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use crate::mount::{open_in_root, open_path, path_of};
use crate::sys::{c_string, check};

/// The master and the slave's end. The container has no path to the slave but /dev/console.
pub fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: no pointers; the descriptor that comes back is ours alone.
    slave_of(unsafe { OwnedFd::from_raw_fd(check(libc::c_long::from(libc::posix_openpt(flags)))? as i32) })
}

fn slave_of(master: OwnedFd) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: as above.
    unsafe {
        check(libc::c_long::from(libc::unlockpt(master.as_raw_fd())))?;
        let slave = check(libc::c_long::from(libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags)))?;
        Ok((master, OwnedFd::from_raw_fd(slave as i32)))
    }
}

/// A terminal of the container's own devpts, so that programs in it find its name. `pid`: a process in it that isn't reaped.
pub fn open_inside(pid: i32) -> io::Result<(OwnedFd, OwnedFd)> {
    let root = open_path(Path::new(&format!("/proc/{pid}/root")))?;
    // Looked at before it is opened: the container may have put anything there.
    let place = open_in_root(root.as_fd(), Path::new("dev/pts/ptmx"), libc::O_PATH, 0)?;
    if !is_multiplexer(place.as_fd())? {
        return Err(io::Error::new(io::ErrorKind::NotFound, "its /dev/pts/ptmx is not the kernel's"));
    }
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    let path = c_string(path_of(place.as_fd()).as_bytes())?;
    // SAFETY: `path` ends with NUL; the descriptor that comes back is ours alone.
    let master = unsafe { OwnedFd::from_raw_fd(check(libc::c_long::from(libc::open(path.as_ptr(), flags)))? as i32) };
    slave_of(master)
}

fn is_multiplexer(place: BorrowedFd) -> io::Result<bool> {
    const DEVPTS: u64 = 0x1cd1;
    // SAFETY: both structs are plain numbers for which zero is valid, and are writable.
    unsafe {
        let (mut node, mut system): (libc::stat, libc::statfs) = (std::mem::zeroed(), std::mem::zeroed());
        check(libc::c_long::from(libc::fstat(place.as_raw_fd(), &mut node)))?;
        check(libc::c_long::from(libc::fstatfs(place.as_raw_fd(), &mut system)))?;
        let is_device = node.st_mode & libc::S_IFMT == libc::S_IFCHR && node.st_rdev == libc::makedev(5, 2);
        Ok(is_device && system.f_type as u64 == DEVPTS)
    }
}

/// Its foreground processes get SIGWINCH when that is a change.
pub fn resize(terminal: BorrowedFd, cols: u16, rows: u16) -> io::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: `size` is readable.
    check(libc::c_long::from(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &size) })).map(drop)
}
