//! The parent of one task's NFS server: holds the socket that it listens on and starts it again when it ends, so that a client's mount waits
//! for a moment and goes on. Outlives worker and host agent.
use std::fs::File;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use super::room;
use crate::cgroup::{self, Cgroups};
use crate::net::Netns;
use crate::protocol::{ErrorCode, FilesBundle, WorkerError};
use crate::{sys, task};

const NAMESPACES: libc::c_int =
    libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWNET | libc::CLONE_NEWCGROUP;
/// A server that ended before it lived so long is started again only after as long a pause.
const LEAST_LIFE_NS: u64 = 200_000_000;
const PATIENCE: Duration = Duration::from_secs(5);

struct Keeper<'a> {
    files: &'a FilesBundle,
    cgroups: Cgroups,
    listener: TcpListener,
    /// Whoever is connected to it hears of this process's end.
    _alive: UnixListener,
    /// Held locked as long as this process lives.
    _lock: File,
}

fn failed(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> WorkerError {
    move |e| WorkerError::new(ErrorCode::Failed, format!("cannot {what}: {}", sys::reason(&e)))
}

/// Runs the keeper in the calling, freshly forked process. `answer` is called once, when the server serves or when that failed.
pub fn start(files: &FilesBundle, cgroups: Option<Cgroups>, answer: impl FnOnce(Result<serde_json::Value, WorkerError>)) -> ! {
    let begun = Keeper::new(files, cgroups).and_then(|keeper| {
        let server = keeper.begin().inspect_err(|_| drop(keeper.cgroups.remove(&files.cgroup.path, PATIENCE)))?;
        let port = keeper.listener.local_addr().map_err(failed("read the port"))?.port();
        Ok((keeper, server, port))
    });
    match begun {
        Err(e) => {
            answer(Err(e));
            sys::exit_now(1)
        }
        Ok((keeper, server, port)) => {
            answer(Ok(serde_json::json!({ "pid": std::process::id(), "port": port })));
            sys::trim_memory();
            keeper.watch(server)
        }
    }
}

fn check(files: &FilesBundle) -> Result<IpAddr, WorkerError> {
    let invalid = |what: String| WorkerError::new(ErrorCode::Invalid, what);
    cgroup::check_path(&files.cgroup.path).map_err(|e| invalid(e.to_string()))?;
    let paths = [&files.dir, &files.router_netns].into_iter().chain(files.volumes.iter().map(|volume| &volume.path));
    for path in paths {
        if !Path::new(path).is_absolute() {
            return Err(invalid(format!("{path:?} is not an absolute path")));
        }
    }
    if files.volumes.is_empty() || files.volumes.len() > 250 {
        return Err(invalid(format!("a server has 1 to 250 volumes, not {}", files.volumes.len())));
    }
    files.address.parse().map_err(|_| invalid(format!("{:?} is not an address", files.address)))
}

impl Keeper<'_> {
    fn new(files: &FilesBundle, cgroups: Option<Cgroups>) -> Result<Keeper<'_>, WorkerError> {
        let address = check(files)?;
        let lock = task::lock(Path::new(&files.dir))?;
        task::become_supervisor(c"berth-files").map_err(failed("set up the keeper's process"))?;
        let cgroups = cgroups.map_or_else(Cgroups::detect, Ok).map_err(|e| WorkerError::new(ErrorCode::Failed, e.to_string()))?;
        cgroups.create_whole(&files.cgroup.path, &files.cgroup.limits).map_err(|e| WorkerError::new(ErrorCode::Failed, e.to_string()))?;
        let netns = Netns::open(Path::new(&files.router_netns)).map_err(failed("open the router's namespace"))?;
        let gone = || WorkerError::new(ErrorCode::NotFound, format!("there is no router at {}", files.router_netns));
        let bind = || TcpListener::bind((address, files.port));
        let listener = netns.ok_or_else(gone)?.within(bind).map_err(failed("enter the router's namespace"))?;
        let listener = listener.map_err(failed(format!("listen on {address}:{} in the router", files.port)))?;
        let alive = listen_alive(&Path::new(&files.dir).join("alive.sock")).map_err(failed("listen for the host agent"))?;
        Ok(Keeper { files, cgroups, listener, _alive: alive, _lock: lock })
    }

    /// Starts the server; it serves when this comes back.
    fn begin(&self) -> Result<OwnedFd, WorkerError> {
        let group = |e: cgroup::Error| WorkerError::new(ErrorCode::Failed, e.to_string());
        let birthplace = self.cgroups.birthplace(&self.files.cgroup.path).map_err(group)?;
        let (ready, ready_write) = sys::pipe().map_err(failed("make a pipe"))?;
        let cloned = sys::clone3(NAMESPACES as u64, birthplace.as_ref().map(AsFd::as_fd)).map_err(failed("clone the server's process"))?;
        let Some((_, pidfd)) = cloned else {
            drop(ready);
            room::enter(self.files, &self.cgroups, &self.listener, &ready_write)
        };
        drop(ready_write);
        let mut said = Vec::new();
        let mut buffer = [0; 1024];
        loop {
            match sys::read(ready.as_fd(), &mut buffer) {
                Ok(Some(n)) if n > 0 => said.extend_from_slice(&buffer[..n]),
                _ => break,
            }
            if said == b"\n" {
                return Ok(pidfd);
            }
        }
        let why = if said.is_empty() { "it died".into() } else { String::from_utf8_lossy(&said).into_owned() };
        let _ = sys::reap();
        Err(WorkerError::new(ErrorCode::Failed, format!("the file server did not start: {why}")))
    }

    fn watch(self, mut server: OwnedFd) -> ! {
        let mut since = sys::monotonic_ns();
        loop {
            if sys::poll(&mut [sys::poll_entry(server.as_fd(), libc::POLLIN)], -1).is_err() {
                // poll fails only for want of memory.
                std::thread::sleep(Duration::from_millis(10));
                continue;
            }
            while sys::reap().is_some() {}
            loop {
                let life = sys::monotonic_ns() - since;
                if life < LEAST_LIFE_NS {
                    std::thread::sleep(Duration::from_nanos(LEAST_LIFE_NS));
                }
                since = sys::monotonic_ns();
                if let Ok(next) = self.begin() {
                    server = next;
                    break;
                }
            }
        }
    }
}

/// Nobody is ever accepted: a connection waits in the kernel, and ends with this process.
fn listen_alive(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
