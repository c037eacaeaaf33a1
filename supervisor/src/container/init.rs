//! The small init of a container with `initProcessEnabled`: forwards signals to the command, reaps orphans, ends as the command ends.
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{self, ExitCode};

use super::command::{Command, Manner};
use super::{anew, report, Error};
use crate::sys;

/// Runs `berth-supervisor tend STATUS terminal|pipes PATH NAME [ARG]...`: PID 1 of a container, with its rights, started anew.
pub fn tend_main(args: &[String]) -> ExitCode {
    let Some((status, (command, manner))) =
        args.split_first().and_then(|(status, words)| anew::status(status).zip(Command::of_words(words)))
    else {
        return ExitCode::from(2);
    };
    sys::set_name(c"berth-init");
    // This program ignores SIGPIPE, which the command must not.
    sys::reset_signals();
    let error = run(&command, status.as_fd(), manner == Manner::Terminal);
    report(status.as_fd(), &error);
    ExitCode::from(127)
}

/// Forks the command and tends it. Comes back only when it could not be forked.
fn run(command: &Command, status: BorrowedFd, terminal: bool) -> Error {
    // Where the PID namespace is shared this is not PID 1, and orphans would go to somebody else.
    let _ = sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0);
    match sys::fork() {
        Err(e) => Error::Start(format!("cannot fork the command: {}", sys::reason(&e))),
        Ok(None) => {
            if terminal {
                take_terminal();
            }
            let _ = sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0);
            let Err(e) = command.exec();
            report(status, &e);
            sys::exit_now(127)
        }
        Ok(Some(child)) => tend(child),
    }
}

/// `init COMMAND ...`: the same inside a gVisor sandbox, where this program is mounted into the container.
pub fn main(args: &[String]) -> ExitCode {
    let Some((name, rest)) = args.split_first() else { return ExitCode::from(2) };
    match sys::fork() {
        Ok(Some(child)) => tend(child),
        Ok(None) => {
            let error = process::Command::new(name).args(rest).exec();
            eprintln!("exec: {name:?}: {}", sys::reason(&error));
            let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
            sys::exit_now(code)
        }
        Err(e) => {
            eprintln!("cannot fork the command: {}", sys::reason(&e));
            ExitCode::FAILURE
        }
    }
}

/// A session of its own with the terminal on standard input in front.
fn take_terminal() {
    // SAFETY: no pointers; failing leaves a command without job control.
    unsafe {
        libc::setsid();
        libc::ioctl(0, libc::TIOCSCTTY, 1);
    }
}

fn tend(child: i32) -> ! {
    sys::close_from(0);
    // SAFETY: the sets are initialised before they are read.
    let all = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
        all
    };
    // Orphans may have ended before the signals were blocked.
    reap(child);
    loop {
        // SAFETY: `all` is a valid set; no siginfo is asked for.
        let signal = unsafe { libc::sigwaitinfo(&all, std::ptr::null_mut()) };
        match signal {
            libc::SIGCHLD => reap(child),
            signal if signal > 0 => drop(sys::kill(child, signal)),
            _ => {}
        }
    }
}

fn reap(child: i32) {
    while let Some((pid, status)) = sys::reap() {
        if pid == child {
            sys::exit_now(sys::exit_code(status));
        }
    }
}
