//! Removes what is left of a task from outside, after its supervisor died or never came to be. Idempotent.
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::cgroup::{self, Cgroups};
use crate::protocol::{ErrorCode, WorkerError};
use crate::{mount, net, sys};

const PATIENCE: Duration = Duration::from_secs(10);

fn failed(e: impl std::fmt::Display) -> WorkerError {
    WorkerError::new(ErrorCode::Failed, e.to_string())
}

/// `router`: the router's namespace file and the router's end of the task's interface.
pub fn clean(dir: &Path, cgroup_path: &str, router: Option<(&Path, &str)>) -> Result<(), WorkerError> {
    cgroup::check_path(cgroup_path).map_err(|e| WorkerError::new(ErrorCode::Invalid, e.to_string()))?;
    if !dir.is_absolute() || dir.parent().is_none() {
        return Err(WorkerError::new(ErrorCode::Invalid, format!("{} is not a task's directory", dir.display())));
    }
    end_supervisor(dir)?;
    let cgroups = Cgroups::detect().map_err(failed)?;
    cgroups.kill(cgroup_path).map_err(failed)?;
    cgroups.remove(cgroup_path, PATIENCE).map_err(failed)?;
    // The containers' mounts went with their namespaces; these would be somebody's by hand, or of another version.
    for point in mount::mounts_below(dir).map_err(failed)? {
        mount::unmount(&point, libc::MNT_DETACH).or_else(gone_is_fine).map_err(failed)?;
    }
    if let Some((netns, interface)) = router {
        net::task_down(netns, interface)?;
    }
    Ok(())
}

fn gone_is_fine(e: io::Error) -> io::Result<()> {
    match e.raw_os_error() {
        Some(libc::EINVAL | libc::ENOENT) => Ok(()),
        _ => Err(e),
    }
}

/// The process that tends `dir`: the supervisor of a task, the monitor of a virtual machine; None when nobody does.
pub fn holder(dir: &Path) -> Result<Option<i32>, WorkerError> {
    let path = dir.join("sup.pid");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    // SAFETY: no pointers. A lock that was got goes with the descriptor.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_SH | libc::LOCK_NB) } == 0 {
        return Ok(None);
    }
    Ok(std::fs::read_to_string(&path).map_err(failed)?.trim().parse().ok())
}

/// Kills the supervisor that holds the directory, if there is one. The lock tells that the pid in the file is still its.
fn end_supervisor(dir: &Path) -> Result<(), WorkerError> {
    let path = dir.join("sup.pid");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed(e)),
    };
    let until = Instant::now() + PATIENCE;
    // SAFETY: no pointers.
    while unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        let pid = std::fs::read_to_string(&path).map_err(failed)?.trim().parse::<i32>();
        if let Ok(pid) = pid {
            let _ = sys::kill(pid, libc::SIGKILL);
        }
        if Instant::now() >= until {
            return Err(failed(format!("the supervisor that holds {} doesn't end", path.display())));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
