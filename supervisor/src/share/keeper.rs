//! The parent of the process that serves a directory, and like it in every way: it has the same user, the same room and the same descriptors. When that one is
//! killed it starts another, which goes on with what was open; what it was about to answer ends with an error, so that nobody waits for ever.
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use super::memory::Memory;
use super::server::{serve, Server};
use crate::protocol::ShareBundle;
use crate::sys;

/// Beyond those of a file server.
pub const CALLS: [&str; 3] = ["fallocate", "wait4", "close_range"];
/// FUSE_DEV_IOC_CLONE: _IOR(229, 0, __u32).
pub const CLONE: libc::c_ulong = 0x8004_e500;
/// One that ended before it lived so long is followed only after as long a pause.
const LEAST_LIFE_NS: u64 = 200_000_000;

/// Descriptors of /dev/fuse.
pub struct Lines {
    /// The mount's: it is dead once this is closed, and nobody reads it. Requests belong to who read them.
    pub mount: OwnedFd,
    /// One for each process that serves, to be tied to the mount.
    pub spare: Vec<OwnedFd>,
}

/// A byte on `ready` says that it serves; anything else on it is why not.
pub fn keep(share: &ShareBundle, lines: Lines, root: OwnedFd, memory: Memory, ready: OwnedFd) -> ! {
    let Lines { mount, mut spare } = lines;
    let memory = Arc::new(memory);
    let mut ready = Some(ready);
    while let Some(line) = spare.pop() {
        let since = sys::monotonic_ns();
        let own = [&mount, &root, &line].into_iter().chain(&spare).chain(&ready).map(AsFd::as_fd);
        close_others(own, &memory);
        let begun = tie(&line, &mount).and_then(|()| sys::clone3(libc::CLONE_FILES as u64, None));
        let server = match begun {
            Ok(Some((_, pidfd))) => pidfd,
            Ok(None) => {
                sys::set_name(c"berth-share");
                // SAFETY: the parent never closes it, and this process has no other owner of it.
                let root = unsafe { OwnedFd::from_raw_fd(root.as_raw_fd()) };
                serve(line, Server::new(root, share, memory))
            }
            Err(e) => {
                let _ = ready.as_ref().map(|ready| sys::write_all(ready.as_fd(), sys::reason(&e).as_bytes()));
                sys::exit_now(1)
            }
        };
        if let Some(ready) = ready.take() {
            let _ = sys::write_all(ready.as_fd(), b"\n");
        }
        if wait(&server) == 0 {
            break;
        }
        // What it had read and not answered ends with an error.
        drop((line, server));
        if sys::monotonic_ns() - since < LEAST_LIFE_NS {
            thread::sleep(Duration::from_nanos(LEAST_LIFE_NS));
        }
    }
    sys::exit_now(0)
}

/// Its exit code.
fn wait(server: &OwnedFd) -> i32 {
    loop {
        // It fails only for want of memory.
        if sys::poll(&mut [sys::poll_entry(server.as_fd(), libc::POLLIN)], -1).is_err() {
            thread::sleep(Duration::from_millis(10));
        }
        if let Some((_, status)) = sys::reap() {
            return sys::exit_code(status);
        }
    }
}

/// A former process may have been killed between opening and noting, or between forgetting and closing.
fn close_others<'a>(own: impl Iterator<Item = BorrowedFd<'a>>, memory: &Memory) {
    let known = memory.descriptors();
    // SAFETY: what has a place is open, and nobody closes it while this process alone runs.
    let known = known.iter().map(|fd| unsafe { BorrowedFd::borrow_raw(*fd) });
    sys::keep_only(&own.chain(known).collect::<Vec<_>>());
}

/// What is read from `line` are requests of the mount from now on.
fn tie(line: &OwnedFd, mount: &OwnedFd) -> io::Result<()> {
    let number = mount.as_raw_fd() as u32;
    // SAFETY: the call reads a 32-bit number.
    sys::check(unsafe { libc::ioctl(line.as_raw_fd(), CLONE, &number) }.into()).map(drop)
}
