//! How such a process comes to be: the directory opened, FUSE mounted over it, and then nothing left but that directory and a user's rights.
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use super::keeper::{self, Lines};
use super::memory::{Memory, OPEN_FILES};
use super::server::greet;
use crate::cgroup::{self, Cgroups};
use crate::container::privileges;
use crate::mount::{self, open_path};
use crate::nfs::{files, room};
use crate::protocol::{ErrorCode, ShareBundle, WorkerError};
use crate::{seccomp, sys, task};

const NAMESPACES: libc::c_int =
    libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWNET | libc::CLONE_NEWCGROUP;
/// Opened ahead: from the room that has nothing in it no device can be opened.
const LINES: usize = 33;
const PATIENCE: Duration = Duration::from_secs(5);

fn failed(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> WorkerError {
    move |e| WorkerError::new(ErrorCode::Failed, format!("cannot {what}: {}", sys::reason(&e)))
}

/// Called in a freshly forked process, which ends once `answer` was called. What it started goes on.
pub fn start(share: &ShareBundle, cgroups: Option<Cgroups>, answer: impl FnOnce(Result<serde_json::Value, WorkerError>)) -> ! {
    answer(begin(share, cgroups).map(|()| serde_json::Value::Null));
    sys::exit_now(0)
}

fn begin(share: &ShareBundle, cgroups: Option<Cgroups>) -> Result<(), WorkerError> {
    let group = |e: cgroup::Error| WorkerError::new(ErrorCode::Failed, e.to_string());
    cgroup::check_path(&share.cgroup.path).map_err(|e| WorkerError::new(ErrorCode::Invalid, e.to_string()))?;
    if !Path::new(&share.place).is_absolute() {
        return Err(WorkerError::new(ErrorCode::Invalid, format!("{:?} is not an absolute path", share.place)));
    }
    task::become_supervisor(c"berth-shared").map_err(failed("set up the process"))?;
    let open_line = || OpenOptions::new().read(true).write(true).open("/dev/fuse").map(OwnedFd::from);
    let line = open_line().map_err(failed("open /dev/fuse"))?;
    let spare = (0..LINES).map(|_| open_line()).collect::<io::Result<Vec<_>>>().map_err(failed("open /dev/fuse"))?;
    let root = open_root(share).map_err(failed(format!("open {}", share.place)))?;
    let cgroups = cgroups.map_or_else(Cgroups::detect, Ok).map_err(group)?;
    cgroups.create_whole(&share.cgroup.path, &share.cgroup.limits).map_err(group)?;
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other", line.as_raw_fd());
    mount::mount("berth", &share.place, "fuse", libc::MS_NOSUID | libc::MS_NODEV, &options).map_err(failed("mount FUSE"))?;
    let served = fork(share, &cgroups, Lines { mount: line, spare }, root);
    if served.is_err() {
        let _ = mount::unmount(&share.place, libc::MNT_DETACH);
        let _ = cgroups.remove(&share.cgroup.path, PATIENCE);
    }
    served
}

/// A mount of its own, which is nowhere in the file system tree.
fn open_root(share: &ShareBundle) -> io::Result<OwnedFd> {
    let tree = mount::clone_tree(open_path(Path::new(&share.place))?.as_fd(), false)?;
    // Not NOEXEC: the kernel would deny the right to execute to who asks for it.
    mount::set_attributes(tree.as_fd(), mount::NOSUID | mount::NODEV, 0, false)?;
    if files::stat(tree.as_fd())?.is_directory() {
        return Ok(tree);
    }
    Err(io::Error::from_raw_os_error(libc::ENOTDIR))
}

/// Comes back when the kernel's first request is answered.
fn fork(share: &ShareBundle, cgroups: &Cgroups, lines: Lines, root: OwnedFd) -> Result<(), WorkerError> {
    let birthplace = cgroups.birthplace(&share.cgroup.path).map_err(|e| WorkerError::new(ErrorCode::Failed, e.to_string()))?;
    let (ready, ready_write) = sys::pipe().map_err(failed("make a pipe"))?;
    let cloned = sys::clone3(NAMESPACES as u64, birthplace.as_ref().map(AsFd::as_fd)).map_err(failed("clone the process"))?;
    if cloned.is_none() {
        drop(ready);
        become_keeper(share, cgroups, lines, root, ready_write)
    }
    drop((ready_write, lines, root));
    let mut said = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(Some(n)) = sys::read(ready.as_fd(), &mut buffer) {
        said.extend_from_slice(&buffer[..n]);
        if n == 0 || said == b"\n" {
            break;
        }
    }
    if said == b"\n" {
        return Ok(());
    }
    let why = if said.is_empty() { "it died".into() } else { String::from_utf8_lossy(&said).into_owned() };
    Err(WorkerError::new(ErrorCode::Failed, format!("the process that has the files did not start: {why}")))
}

/// A byte on `ready` says that it serves; anything else on it is why not.
fn become_keeper(share: &ShareBundle, cgroups: &Cgroups, lines: Lines, root: OwnedFd, ready: OwnedFd) -> ! {
    let begun = confine(share, cgroups, &lines, &root, &ready)
        .and_then(|()| greet(&lines.mount).map_err(|e| sys::reason(&e)))
        .and_then(|()| Memory::new().map_err(|e| sys::reason(&e)));
    match begun {
        Ok(memory) => keeper::keep(share, lines, root, memory, ready),
        Err(why) => {
            let _ = sys::write_all(ready.as_fd(), why.as_bytes());
            sys::exit_now(1)
        }
    }
}

fn confine(share: &ShareBundle, cgroups: &Cgroups, lines: &Lines, root: &OwnedFd, ready: &OwnedFd) -> Result<(), String> {
    let failed = |what: &'static str| move |e: io::Error| format!("cannot {what}: {}", sys::reason(&e));
    let kept: Vec<_> = [&lines.mount, root, ready].into_iter().chain(&lines.spare).map(AsFd::as_fd).collect();
    sys::keep_only(&kept);
    sys::reset_signals();
    // SAFETY: no pointers.
    unsafe { libc::umask(0) };
    cgroups.join(&share.cgroup.path).map_err(|e| e.to_string())?;
    std::fs::write("/proc/self/oom_score_adj", "0").map_err(failed("set the OOM score"))?;
    mount::mount("", "/", "", libc::MS_REC | libc::MS_PRIVATE, "").map_err(failed("detach the mount namespace"))?;
    room::make_root()?;
    privileges::limit("CORE", 0).and_then(|()| privileges::limit("NOFILE", OPEN_FILES)).map_err(|e| e.to_string())?;
    let user = &share.user;
    privileges::drop_to_files_user(user.uid, user.gid, &user.groups).map_err(|e| e.to_string())?;
    let calls = [&room::CALLS[..], &keeper::CALLS].concat();
    seccomp::allow_only_and_ioctl(&calls, keeper::CLONE).and_then(|filter| filter.install()).map_err(|e| e.to_string())
}
