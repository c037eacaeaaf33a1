//! A supervisor that has a sandbox before it has a task. It waits on the one connection that it was started for: with a `take` it becomes
//! that task's supervisor, and with the end of the connection it ends, and all it has made with it.
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use super::setup::{self, lock};
use super::RELEASE_PATIENCE;
use crate::cgroup::{self, Cgroups};
use crate::protocol::{ErrorCode, FromPool, PoolBundle, ToPool, WorkerError};
use crate::runsc::Room;
use crate::{disk, frames, sys};

/// How long whoever asked for a sandbox may take to connect.
const CONNECT_MS: i32 = 20_000;

/// Says in a sandbox's directory which task took it.
const TAKEN: &str = "taken";

struct Member {
    pool: PoolBundle,
    cgroups: Cgroups,
    listener: UnixListener,
    lock: std::fs::File,
    disk: Option<disk::Ready>,
}

/// Runs in the calling, freshly forked process. `answer` is called once, when its socket listens or when that failed.
pub fn start(
    pool: PoolBundle,
    cgroups: Option<Cgroups>,
    disk: Option<disk::Ready>,
    answer: impl FnOnce(Result<serde_json::Value, WorkerError>),
) -> ! {
    match prepare(pool, cgroups, disk) {
        Err(e) => {
            answer(Err(e));
            sys::exit_now(1)
        }
        Ok(member) => {
            answer(Ok(serde_json::json!({ "pid": std::process::id() })));
            member.live()
        }
    }
}

fn prepare(pool: PoolBundle, cgroups: Option<Cgroups>, disk: Option<disk::Ready>) -> Result<Member, WorkerError> {
    let failed =
        |what: &'static str| move |e: io::Error| WorkerError::new(ErrorCode::Failed, format!("cannot {what}: {}", sys::reason(&e)));
    cgroup::check_path(&pool.cgroup.path).map_err(|e| WorkerError::new(ErrorCode::Invalid, e.to_string()))?;
    let dir = Path::new(&pool.dir);
    std::fs::create_dir_all(dir).map_err(failed("make the sandbox's directory"))?;
    let lock = lock(dir)?;
    setup::become_supervisor(c"berth-pool").map_err(failed("set up the sandbox's supervisor"))?;
    let cgroups = cgroups.map_or_else(Cgroups::detect, Ok).map_err(|e| WorkerError::new(ErrorCode::Failed, e.to_string()))?;
    let listener = UnixListener::bind(&pool.socket).map_err(failed("listen on the sandbox's socket"))?;
    Ok(Member { pool, cgroups, listener, lock, disk })
}

impl Member {
    fn live(self) -> ! {
        let made = self.make_room();
        let mut peer = self.accept();
        let outcome = made.and_then(|room| match &mut peer {
            Some(stream) => self.wait(room, stream),
            None => Err("nobody came for it".to_string()),
        });
        match (outcome, peer) {
            (Ok(Some((room, bundle))), Some(stream)) => self.take(room, &bundle, stream),
            (Err(message), Some(mut stream)) => {
                say(&mut stream, &FromPool::Failed { message });
                self.end()
            }
            _ => self.end(),
        }
    }

    fn make_room(&self) -> Result<Room, String> {
        let failed = |what: &'static str| move |e: io::Error| format!("cannot {what}: {}", sys::reason(&e));
        // The task's network namespace; whoever takes the sandbox brings the link.
        sys::unshare(libc::CLONE_NEWNET | libc::CLONE_NEWUTS).map_err(failed("make the sandbox's namespaces"))?;
        self.cgroups.create_whole(&self.pool.cgroup.path, &self.pool.cgroup.limits).map_err(|e| e.to_string())?;
        let started = Room::start(&self.pool.runtime, &self.cgroups, &self.pool.cgroup.path);
        let mut room = started.map_err(failed("make the sandbox's namespaces"))?;
        room.wait()?;
        Ok(room)
    }

    fn accept(&self) -> Option<UnixStream> {
        let mut entry = [sys::poll_entry(self.listener.as_fd(), libc::POLLIN)];
        sys::poll(&mut entry, CONNECT_MS).ok()?;
        (entry[0].revents != 0).then(|| self.listener.accept().ok().map(|(stream, _)| stream)).flatten()
    }

    /// Waits for a task; None when it is not wanted any more.
    fn wait(&self, room: Room, peer: &mut UnixStream) -> Result<Option<(Room, String)>, String> {
        let failed = |e: io::Error| sys::reason(&e);
        let signals = sys::signal_fd(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGINT]).map_err(failed)?;
        let memory_bytes = self.cgroups.stats(&self.pool.cgroup.path).memory_bytes;
        say(peer, &FromPool::Ready { memory_bytes });
        sys::trim_memory();
        let mut reader = frames::Reader::default();
        loop {
            let mut entries = [sys::poll_entry(peer.as_fd(), libc::POLLIN), sys::poll_entry(signals.as_fd(), libc::POLLIN)];
            sys::poll(&mut entries, -1).map_err(failed)?;
            if entries[1].revents != 0 && sys::read_signals(signals.as_fd()).iter().any(|signal| *signal != libc::SIGCHLD) {
                return Ok(None);
            }
            while let Some((pid, status)) = sys::reap() {
                if pid == room.pid() {
                    return Err(format!("its sandbox ended with code {}", sys::exit_code(status)));
                }
            }
            if entries[0].revents == 0 {
                continue;
            }
            let mut buffer = [0; 4096];
            let read = peer.read(&mut buffer).unwrap_or(0);
            if read == 0 {
                return Ok(None);
            }
            // One task is all that a sandbox is ever given.
            if let Some(payload) = reader.push(&buffer[..read]).map_err(|e| e.to_string())?.into_iter().next() {
                let ToPool::Take { bundle } = serde_json::from_slice(&payload).map_err(|e| e.to_string())?;
                return Ok(Some((room, bundle)));
            }
        }
    }

    /// Becomes the supervisor of the task.
    fn take(self, room: Room, bundle: &str, mut peer: UnixStream) -> ! {
        match setup::prepare(Path::new(bundle), Some(self.cgroups.clone())) {
            Err(e) => {
                say(&mut peer, &FromPool::Failed { message: e.message });
                drop(room);
                self.end()
            }
            Ok(mut task) => {
                let dir = task.bundle.dir.clone();
                let _ = std::fs::write(Path::new(&self.pool.dir).join(TAKEN), dir);
                let _ = std::fs::remove_file(&self.pool.socket);
                task.room = Some(room);
                task.pool_lock = Some(self.lock);
                task.ready_disk = self.disk;
                drop(self.listener);
                say(&mut peer, &FromPool::Taken);
                drop(peer);
                task.go()
            }
        }
    }

    fn end(self) -> ! {
        let _ = self.cgroups.remove(&self.pool.cgroup.path, RELEASE_PATIENCE);
        let _ = std::fs::remove_dir_all(&self.pool.dir);
        sys::exit_now(0)
    }
}

/// A peer that is gone need not be told.
fn say(peer: &mut UnixStream, message: &FromPool) {
    let mut frame = Vec::new();
    let _ = peer.set_write_timeout(Some(Duration::from_secs(2)));
    if frames::append_json(&mut frame, message).is_ok() {
        let _ = peer.write_all(&frame);
    }
}
