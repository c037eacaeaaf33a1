//! PID 1 of a namespace that all containers of a task share: reaps orphans, and ends with the supervisor.
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys;

pub struct Pause {
    pidfd: OwnedFd,
    namespace: OwnedFd,
}

impl Pause {
    pub fn start() -> io::Result<Pause> {
        let Some((pid, pidfd)) = sys::clone3(libc::CLONE_NEWPID as u64, None)? else { idle() };
        let namespace = File::open(format!("/proc/{pid}/ns/pid"))?.into();
        Ok(Pause { pidfd, namespace })
    }

    pub fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        let _ = sys::signal_by_pidfd(self.pidfd.as_fd(), libc::SIGKILL);
    }
}

fn idle() -> ! {
    let _ = sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0);
    let _ = sys::prctl(libc::PR_SET_DUMPABLE, 0, 0);
    sys::set_name(c"berth-pause");
    sys::close_from(0);
    sys::reset_signals();
    // SAFETY: SIG_IGN is a valid disposition; ignoring SIGCHLD makes the kernel reap.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_IGN);
        loop {
            libc::pause();
        }
    }
}
