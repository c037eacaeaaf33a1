//! One command that is run inside a container: its start and its end. Its input and output are its owner's.
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::containers::monotonic_ms;
use super::Task;
use crate::container::enter::{self, Entered, Inside};
use crate::container::{self, Error};
use crate::protocol::{ExecBundle, TEXT_BYTES};
use crate::{runsc, sys};

/// How long going in may take: what it waits for is in the container's hands (a file system of its own, a frozen group).
pub const ENTER_MS: u64 = 10_000;

/// Until the command runs: what is said of it, by whom, and how long that may take.
struct Making {
    status: OwnedFd,
    report: Vec<u8>,
    /// None once reaped.
    helper: Option<i32>,
    until_ms: u64,
    /// The status came to its end.
    is_over: bool,
}

impl Making {
    /// Takes what was said so far; gives the command's PID once that is known.
    fn learn(&mut self) -> Option<i32> {
        let mut buffer = [0; 512];
        while !self.is_over {
            match sys::read(self.status.as_fd(), &mut buffer) {
                Ok(None) => break,
                Ok(Some(n)) if n > 0 && self.report.len() < TEXT_BYTES => self.report.extend_from_slice(&buffer[..n]),
                _ => self.is_over = true,
            }
        }
        enter::parse_birth(&self.report).map(|(pid, _)| pid)
    }
}

/// What became of the start.
pub enum Started {
    NotYet,
    Yes,
    Failed(String),
}

/// Killed when it is dropped.
pub struct Run {
    making: Option<Making>,
    /// The command's process, leader of its session; None before it is known and once it is reaped.
    pid: Option<i32>,
    code: Option<i32>,
    /// The process stands for the command's, and hands signals on.
    is_keeper: bool,
}

impl Run {
    /// Gives its streams too: where its input goes, and its outputs.
    pub fn new(entered: Entered) -> (Run, OwnedFd, Vec<OwnedFd>) {
        let until_ms = monotonic_ms() + ENTER_MS;
        let making = Making { status: entered.status, report: Vec::new(), helper: entered.helper, until_ms, is_over: false };
        let run = Run { making: Some(making), pid: None, code: None, is_keeper: entered.is_keeper };
        (run, entered.input, entered.outputs)
    }

    fn learn(&mut self) {
        let pid = self.making.as_mut().and_then(Making::learn);
        if self.code.is_none() {
            self.pid = self.pid.or(pid);
        }
    }

    /// Reads what is said of the start.
    pub fn read_status(&mut self) -> Started {
        self.learn();
        let Some(making) = self.making.take_if(|making| making.is_over) else { return Started::NotYet };
        let (born, rest) = enter::parse_birth(&making.report).map_or((false, making.report.as_slice()), |(_, rest)| (true, rest));
        match container::parse_report(rest) {
            Some(Error::Create(why) | Error::Start(why)) => Started::Failed(why),
            None if born => Started::Yes,
            None => Started::Failed("it was killed before it was started".to_string()),
        }
    }

    /// Readable when there is more for `read_status`; None once the start is over.
    pub fn status(&self) -> Option<BorrowedFd<'_>> {
        self.making.as_ref().map(|making| making.status.as_fd())
    }

    /// By when it has to run, by the monotonic clock; None once its start is over.
    pub fn start_due(&self) -> Option<u64> {
        self.making.as_ref().map(|making| making.until_ms)
    }

    /// Its exit code, once it has ended and its start is over.
    pub fn code(&self) -> Option<i32> {
        self.code.filter(|_| self.making.is_none())
    }

    /// One of the task's processes has ended, perhaps its own.
    pub fn exited(&mut self, pid: i32, wait_status: i32) {
        // Its PID was said before it began, so now that it ended it is known.
        self.learn();
        if let Some(making) = self.making.as_mut().filter(|making| making.helper == Some(pid)) {
            making.helper = None;
        } else if self.pid == Some(pid) {
            self.pid = None;
            self.code = Some(sys::exit_code(wait_status));
        }
    }

    /// Nothing of it lives any more.
    pub fn is_gone(&self) -> bool {
        self.pid.is_none() && self.making.as_ref().is_none_or(|making| making.is_over && making.helper.is_none())
    }

    pub fn signal(&self, number: i32) {
        if let Some(pid) = self.pid {
            // Not reaped, so it is still that one; gone is fine.
            let _ = sys::kill(pid, if self.is_keeper { runsc::carried(number) } else { number });
        }
    }

    /// Kills it with all of its process group.
    pub fn kill(&mut self) {
        self.learn();
        if let Some(helper) = self.making.as_ref().and_then(|making| making.helper) {
            let _ = sys::kill(helper, libc::SIGKILL);
        }
        if let Some(pid) = self.pid.filter(|_| self.is_keeper) {
            let _ = sys::kill(pid, runsc::carried(libc::SIGKILL));
        } else if let Some(pid) = self.pid {
            let _ = sys::kill(-pid, libc::SIGKILL);
            let _ = sys::kill(pid, libc::SIGKILL);
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Task {
    /// Begins a command in container `index`, which has to run.
    pub(super) fn enter(&self, index: usize, wanted: &ExecBundle) -> Result<Entered, String> {
        let name = &self.bundle.containers[index].name;
        let (pid, pidfd) = self.containers[index].running().ok_or_else(|| format!("container {name:?} is not running"))?;
        let inside = Inside { task: &self.bundle, cgroups: &self.cgroups, index, pid, pidfd };
        let entered = match &self.room {
            Some(room) => runsc::enter(&inside, room, wanted),
            None => enter::enter(&inside, wanted),
        };
        entered.map_err(|(Error::Create(why) | Error::Start(why))| why)
    }
}
