//! Runs a program that makes a file system, bounded in time and in what it says.
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::failed;
use crate::protocol::{ErrorCode, WorkerError};
use crate::sys;

/// What is kept of its errors; a hostile tree's names may stand in them.
const SAID_BYTES: usize = 4096;

/// For `run`; opened before a change of root.
pub fn nothing() -> Result<File, WorkerError> {
    OpenOptions::new().read(true).write(true).open("/dev/null").map_err(failed("open /dev/null"))
}

/// Runs it to its end. `prepare` is called in the child, before exec.
pub fn run(
    mut command: Command,
    package: &str,
    nothing: File,
    time: Duration,
    prepare: impl FnMut() -> std::io::Result<()> + Send + Sync + 'static,
) -> Result<(), WorkerError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let input = nothing.try_clone().map_err(failed("prepare its input"))?;
    command.stdin(input).stdout(nothing).stderr(Stdio::piped());
    // SAFETY: `prepare` runs in a fork of this program, which has one thread: the child's copy of all state is whole.
    unsafe { command.pre_exec(prepare) };
    let mut child = command.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            WorkerError::new(ErrorCode::Failed, format!("{name} is not installed: install the package {package}"))
        }
        _ => failed(format!("start {name}"))(e),
    })?;
    let mut said = Vec::new();
    let until = Instant::now() + time;
    let mut pipe = child.stderr.take();
    if let Some(pipe) = &pipe {
        sys::set_nonblocking(pipe.as_fd()).map_err(failed("prepare a pipe"))?;
    }
    let status = loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(WorkerError::new(ErrorCode::Limit, format!("{name} took more than {} s and was stopped", time.as_secs())));
        }
        let Some(open) = &mut pipe else { break child.wait().map_err(failed(format!("wait for {name}")))? };
        let _ = sys::poll(&mut [sys::poll_entry(open.as_fd(), libc::POLLIN)], left.as_millis().clamp(1, 1000) as i32);
        let mut buffer = [0; 1024];
        match open.read(&mut buffer) {
            Ok(0) => pipe = None,
            Ok(n) => said.extend_from_slice(&buffer[..n.min(SAID_BYTES - said.len())]),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => pipe = None,
        }
    };
    verdict(&name, status, &said)
}

fn verdict(name: &str, status: ExitStatus, said: &[u8]) -> Result<(), WorkerError> {
    if status.success() {
        return Ok(());
    }
    let text: String = String::from_utf8_lossy(said).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let too_large = status.signal() == Some(libc::SIGXFSZ) || text.contains("File too large") || text.contains("[Error 27]");
    let code = if text.contains("No space left on device") || text.contains("[Error 28]") {
        ErrorCode::NoSpace
    } else if too_large {
        ErrorCode::Limit
    } else {
        ErrorCode::Failed
    };
    Err(WorkerError::new(code, format!("{name} failed ({status}): {text}")))
}
