//! PID 1 of a namespace that all containers of a task share: reaps orphans, and ends with the supervisor.
//!
//! A container with CAP_SYS_PTRACE may look into it, take it over and follow its links in /proc. So it has nothing that a container
//! doesn't have: an empty root, no capability, and no system call but waiting.
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;

use crate::container::anew::{self, Program};
use crate::{container, sys};

/// What `rest` needs.
const CALLS: [&str; 6] = ["write", "close_range", "pause", "ppoll", "rt_sigreturn", "restart_syscall"];

pub struct Pause {
    pidfd: OwnedFd,
    namespace: OwnedFd,
}

impl Pause {
    pub fn start() -> io::Result<Pause> {
        let (ready, done) = sys::pipe()?;
        let Some((pid, pidfd)) = sys::clone3(libc::CLONE_NEWPID as u64, None)? else {
            if let Ok(program) = Program::find() {
                // Not even the supervisor's memory comes along.
                program.begin("pause", done.as_fd(), &[], &[]);
            }
            sys::exit_now(1)
        };
        drop(done);
        let namespace = File::open(format!("/proc/{pid}/ns/pid"))?.into();
        let pause = Pause { pidfd, namespace };
        match sys::read(ready.as_fd(), &mut [0])? {
            Some(1) => Ok(pause),
            _ => Err(io::Error::other("its first process could not give up what it must not have")),
        }
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

/// Runs `berth-supervisor pause DONE`.
pub fn main(args: &[String]) -> ExitCode {
    match args.first().and_then(|word| anew::status(word)) {
        Some(done) => rest(&done),
        None => ExitCode::from(2),
    }
}

fn rest(done: &OwnedFd) -> ! {
    let _ = sys::prctl(libc::PR_SET_DUMPABLE, 0, 0);
    sys::set_name(c"berth-pause");
    sys::reset_signals();
    // SAFETY: SIG_IGN is a valid disposition; ignoring SIGCHLD makes the kernel reap.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    if container::seclude(&CALLS).is_err() || sys::write_all(done.as_fd(), &[1]).is_err() {
        sys::exit_now(1)
    }
    sys::close_from(0);
    loop {
        // SAFETY: no pointers.
        unsafe { libc::pause() };
    }
}
