//! A pseudo-terminal for a container that asks for one.
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::sys::check;

/// The master and the slave's end. The container has no path to the slave but /dev/console.
pub fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: no pointers; each descriptor that comes back is ours alone.
    unsafe {
        let master = OwnedFd::from_raw_fd(check(libc::c_long::from(libc::posix_openpt(flags)))? as i32);
        check(libc::c_long::from(libc::unlockpt(master.as_raw_fd())))?;
        let slave = check(libc::c_long::from(libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags)))?;
        Ok((master, OwnedFd::from_raw_fd(slave as i32)))
    }
}
