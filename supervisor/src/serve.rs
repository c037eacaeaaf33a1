//! `serve --socket PATH`: the host's kernel worker. Root, one thread, no state of its own.
//!
//! Everything but `ping` is done in a forked child, so that no request holds another up; the child's answer comes back through a pipe.
//! A supervisor is such a child that goes on after its answer. Killing the worker harms none: supervisors live on, half-done jobs end.
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cgroup::{self, Cgroups};
use crate::protocol::{ErrorCode, WorkerError, WorkerOp, WorkerRequest, WorkerResponse};
use crate::{disk, frames, mount, net, nfs, share, sys, task, unpack, vm};

/// Children that work at the same time; more requests wait in line.
const JOBS: usize = 64;
/// Requests that may wait, as `limits.workerCallsInFlight` of the host.
const WAITING: usize = 4096;
const CONNECTIONS: usize = 16;
/// After so long without a request a disk is made ahead.
const REST_MS: i32 = 20;
/// Answers that one peer may leave unread.
const UNREAD_BYTES: usize = 4 * 1024 * 1024;

/// Runs `berth-supervisor serve ARGS`.
pub fn main(args: &[String]) -> ExitCode {
    let [flag, path] = args else {
        eprintln!("usage: berth-supervisor serve --socket PATH");
        return ExitCode::from(2);
    };
    if flag != "--socket" {
        eprintln!("usage: berth-supervisor serve --socket PATH");
        return ExitCode::from(2);
    }
    if let Err(e) = end_with_parent() {
        eprintln!("berth-supervisor serve: {}", sys::reason(&e));
        return ExitCode::FAILURE;
    }
    if let Err(e) = on_read_only_mount() {
        eprintln!("berth-supervisor serve: {}: it goes on from a mount that can be written to: {e}", sys::reason(&e));
    }
    match Worker::new(Path::new(path)).and_then(Worker::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("berth-supervisor serve: {path}: {e}");
            ExitCode::FAILURE
        }
    }
}

/// A worker serves the host agent that started it: the next agent starts one of its own. Supervisors don't inherit this.
fn end_with_parent() -> io::Result<()> {
    // SAFETY: getppid(2) takes no pointers.
    let parent = unsafe { libc::getppid() };
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM as libc::c_ulong, 0)?;
    // SAFETY: as above.
    if unsafe { libc::getppid() } != parent {
        return Err(io::Error::other("whoever started it has ended"));
    }
    Ok(())
}

/// Goes on as the same program on a read-only mount of its binary that nobody sees. A container gets hold of that file by its
/// /proc/PID/exe (its entry point may be /proc/self/exe, and the small init is this program), and must not be able to write to it on
/// any kernel (CVE-2019-5736).
fn on_read_only_mount() -> io::Result<()> {
    let binary = std::fs::File::open("/proc/self/exe")?;
    if sys::is_read_only(binary.as_fd())? {
        return Ok(());
    }
    let tree = mount::clone_tree(mount::open_path(Path::new("/proc/self/exe"))?.as_fd(), false)?;
    mount::set_attributes(tree.as_fd(), mount::RDONLY, 0, false)?;
    let args = std::env::args_os().map(|arg| sys::c_string(arg.as_bytes())).collect::<io::Result<Vec<_>>>()?;
    sys::exec_descriptor(tree.as_fd(), &args, None)
}

struct Connection {
    /// Never used again, unlike a place in a list: a job's answer must not reach a stranger.
    id: u64,
    stream: UnixStream,
    reader: frames::Reader,
    out: Vec<u8>,
}

/// A child under way.
struct Job {
    connection: u64,
    request: u64,
    answer: OwnedFd,
    text: Vec<u8>,
}

struct Worker {
    socket: PathBuf,
    listener: UnixListener,
    signal_fd: OwnedFd,
    connections: Vec<Connection>,
    jobs: Vec<Job>,
    waiting: VecDeque<(u64, WorkerRequest)>,
    last_connection: u64,
    /// Found out once for all supervisors, which get it by the fork.
    cgroups: Option<Cgroups>,
    /// Likewise got by the fork, each by one.
    disks: disk::Pool,
}

#[derive(Clone, Copy)]
enum Event {
    Signal,
    Connection,
    Peer(u64),
    Job(usize),
}

impl Worker {
    fn new(socket: &Path) -> io::Result<Worker> {
        sys::set_name(c"berth-worker");
        let signal_fd = sys::signal_fd(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGINT])?;
        if let Some(dir) = socket.parent() {
            std::fs::create_dir_all(dir)?;
        }
        match std::fs::remove_file(socket) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = UnixListener::bind(socket)?;
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Worker {
            socket: socket.to_path_buf(),
            listener,
            signal_fd,
            connections: Vec::new(),
            jobs: Vec::new(),
            waiting: VecDeque::new(),
            last_connection: 0,
            cgroups: Cgroups::detect().ok(),
            disks: disk::Pool::default(),
        })
    }

    fn run(mut self) -> io::Result<()> {
        let mut fds = Vec::new();
        let mut events = Vec::new();
        loop {
            self.start_waiting();
            self.collect(&mut fds, &mut events);
            // While nobody wants anything.
            let rests = self.jobs.is_empty() && self.disks.has_room();
            sys::poll(&mut fds, if rests { REST_MS } else { -1 })?;
            if rests && fds.iter().all(|fd| fd.revents == 0) {
                self.disks.fill();
            }
            // Backwards, so that a job that is taken out of the list moves none that is still to come.
            for (fd, event) in fds.iter().zip(&events).rev() {
                if fd.revents == 0 {
                    continue;
                }
                match *event {
                    Event::Job(index) => self.read_answer(index),
                    Event::Peer(id) => self.on_peer(id),
                    Event::Connection => self.accept(),
                    Event::Signal => {
                        if self.on_signals() {
                            let _ = std::fs::remove_file(&self.socket);
                            return Ok(());
                        }
                    }
                }
            }
        }
    }

    fn collect(&self, fds: &mut Vec<libc::pollfd>, events: &mut Vec<Event>) {
        fds.clear();
        events.clear();
        let mut add = |fd, flags, event| {
            fds.push(sys::poll_entry(fd, flags));
            events.push(event);
        };
        add(self.signal_fd.as_fd(), libc::POLLIN, Event::Signal);
        add(self.listener.as_fd(), libc::POLLIN, Event::Connection);
        for one in &self.connections {
            let out = if one.out.is_empty() { 0 } else { libc::POLLOUT };
            add(one.stream.as_fd(), libc::POLLIN | out, Event::Peer(one.id));
        }
        for (index, job) in self.jobs.iter().enumerate() {
            add(job.answer.as_fd(), libc::POLLIN, Event::Job(index));
        }
    }

    /// True when it is time to end.
    fn on_signals(&mut self) -> bool {
        let signals = sys::read_signals(self.signal_fd.as_fd());
        while sys::reap().is_some() {}
        signals.iter().any(|signal| *signal != libc::SIGCHLD)
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.connections.len() >= CONNECTIONS || stream.set_nonblocking(true).is_err() {
                continue;
            }
            self.last_connection += 1;
            let reader = frames::Reader::default();
            self.connections.push(Connection { id: self.last_connection, stream, reader, out: Vec::new() });
        }
    }

    fn on_peer(&mut self, id: u64) {
        let Some(one) = self.connections.iter_mut().find(|c| c.id == id) else { return };
        match one.receive().and_then(|requests| one.write().map(|()| requests)) {
            Ok(requests) => requests.into_iter().for_each(|request| self.take(id, request)),
            Err(_) => self.connections.retain(|c| c.id != id),
        }
    }

    fn take(&mut self, connection: u64, request: Result<WorkerRequest, WorkerResponse>) {
        match request {
            Err(refusal) => self.answer(connection, &refusal),
            Ok(WorkerRequest { id, op: WorkerOp::Ping }) => {
                self.answer(connection, &WorkerResponse::new(id, Ok(serde_json::Value::Null)));
            }
            Ok(request) if self.waiting.len() >= WAITING => {
                let full = WorkerError::new(ErrorCode::Limit, format!("{WAITING} requests wait already"));
                self.answer(connection, &WorkerResponse::new(request.id, Err(full)));
            }
            Ok(request) => self.waiting.push_back((connection, request)),
        }
    }

    fn answer(&mut self, connection: u64, response: &WorkerResponse) {
        let Some(one) = self.connections.iter_mut().find(|c| c.id == connection) else { return };
        let sent = frames::append_json(&mut one.out, response).map_err(io::Error::other).and_then(|()| one.write());
        if sent.is_err() || one.out.len() > UNREAD_BYTES {
            self.connections.retain(|c| c.id != connection);
        }
    }

    fn start_waiting(&mut self) {
        while self.jobs.len() < JOBS {
            let Some((connection, request)) = self.waiting.pop_front() else { return };
            if let Err(e) = self.start(connection, &request) {
                let error = WorkerError::new(ErrorCode::Failed, format!("cannot start a child for it: {e}"));
                self.answer(connection, &WorkerResponse::new(request.id, Err(error)));
            }
        }
    }

    fn start(&mut self, connection: u64, request: &WorkerRequest) -> io::Result<()> {
        let (answer, write) = sys::pipe()?;
        if let WorkerOp::DiskProbe { dir, model, bytes } = &request.op {
            self.disks.want(dir, model, *bytes);
        }
        let disk = match request.op {
            WorkerOp::TaskStart { .. } | WorkerOp::PoolStart { .. } => self.disks.take(),
            _ => None,
        };
        if sys::fork()?.is_none() {
            // Nothing of the worker's may be kept open here, least of all its peers' connections. The values that own those
            // descriptors are never dropped in this process: it ends without returning.
            let write_fd = write.into_raw_fd();
            match &disk {
                Some(disk) => sys::close_all_but_two(write_fd, disk.as_raw_fd()),
                None => sys::close_all_but(write_fd),
            }
            // SAFETY: the one descriptor that is left open, owned by nobody else since into_raw_fd.
            let write = unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(write_fd) };
            in_child(request, self.cgroups.take(), disk, write);
        }
        sys::set_nonblocking(answer.as_fd())?;
        self.jobs.push(Job { connection, request: request.id, answer, text: Vec::new() });
        Ok(())
    }

    fn read_answer(&mut self, index: usize) {
        let mut buffer = [0; 4096];
        let job = &mut self.jobs[index];
        loop {
            match sys::read(job.answer.as_fd(), &mut buffer) {
                Ok(None) => return,
                Ok(Some(0)) | Err(_) => break,
                Ok(Some(n)) => job.text.extend_from_slice(&buffer[..n]),
            }
        }
        let job = self.jobs.swap_remove(index);
        let response = serde_json::from_slice(&job.text).unwrap_or_else(|_| {
            let died = WorkerError::new(ErrorCode::Failed, "the child that worked on it died");
            WorkerResponse::new(job.request, Err(died))
        });
        self.answer(job.connection, &response);
    }
}

impl Connection {
    /// Requests that have come; one that can't be read gets its refusal.
    fn receive(&mut self) -> io::Result<Vec<Result<WorkerRequest, WorkerResponse>>> {
        let mut requests = Vec::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) if requests.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(0) => return Ok(requests),
                Ok(n) => {
                    let payloads = self.reader.push(&buffer[..n]).map_err(io::Error::other)?;
                    requests.extend(payloads.iter().map(|payload| parse(payload)));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(requests),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(n) => drop(self.out.drain(..n)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.out = Vec::new();
        Ok(())
    }
}

fn parse(payload: &[u8]) -> Result<WorkerRequest, WorkerResponse> {
    #[derive(serde::Deserialize)]
    struct Id {
        id: u64,
    }
    serde_json::from_slice(payload).map_err(|e| {
        let id = serde_json::from_slice::<Id>(payload).map_or(0, |found| found.id);
        WorkerResponse::new(id, Err(WorkerError::new(ErrorCode::Invalid, format!("not a request that is known: {e}"))))
    })
}

fn in_child(request: &WorkerRequest, cgroups: Option<Cgroups>, disk: Option<disk::Ready>, answer: OwnedFd) -> ! {
    let id = request.id;
    let reply = move |outcome: Result<serde_json::Value, WorkerError>| {
        let text = serde_json::to_vec(&WorkerResponse::new(id, outcome)).unwrap_or_default();
        // Without a worker there is nobody to tell.
        let _ = sys::write_all(answer.as_fd(), &text);
    };
    if let WorkerOp::TaskStart { bundle } = &request.op {
        task::start(bundle, cgroups, disk, reply)
    }
    if let WorkerOp::VmStart { vm } = &request.op {
        vm::start(vm, cgroups, reply)
    }
    if let WorkerOp::FilesStart { files } = &request.op {
        nfs::start(files, cgroups, reply)
    }
    if let WorkerOp::ShareStart { share } = &request.op {
        share::start(share, cgroups, reply)
    }
    if let WorkerOp::PoolStart { pool } = &request.op {
        task::start_pool(pool.clone(), cgroups, disk, reply)
    }
    let _ = sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0);
    reply(carry_out(&request.op));
    sys::exit_now(0)
}

fn carry_out(op: &WorkerOp) -> Result<serde_json::Value, WorkerError> {
    let nothing = |()| serde_json::Value::Null;
    match op {
        WorkerOp::Ping
        | WorkerOp::TaskStart { .. }
        | WorkerOp::VmStart { .. }
        | WorkerOp::FilesStart { .. }
        | WorkerOp::ShareStart { .. }
        | WorkerOp::PoolStart { .. } => Ok(serde_json::Value::Null),
        WorkerOp::TaskClean { dir, cgroup_path, router_netns, router_if } => {
            let router = router_netns.as_deref().zip(router_if.as_deref()).map(|(netns, name)| (Path::new(netns), name));
            task::clean(Path::new(dir), cgroup_path, router).map(nothing)
        }
        WorkerOp::VpcUp { vpc } => net::vpc_up(vpc).map(nothing),
        WorkerOp::VpcDown { router_netns, host_if } => net::vpc_down(Path::new(router_netns), host_if).map(nothing),
        WorkerOp::RouterRules { router_netns, rules } => net::router_rules(Path::new(router_netns), rules).map(nothing),
        WorkerOp::Unpack(request) => unpack::unpack(request),
        WorkerOp::RemoveTree { path, below } => unpack::remove_tree(Path::new(path), Path::new(below)).map(nothing),
        WorkerOp::CgroupClean { path } => Cgroups::detect().and_then(|c| c.remove_empty(path)).map(nothing).map_err(cgroup_failed),
        WorkerOp::CgroupLimit { path, limits } => {
            Cgroups::detect().and_then(|c| c.change(path, limits)).map(nothing).map_err(cgroup_failed)
        }
        WorkerOp::ErofsBuild(request) => disk::build(request),
        WorkerOp::ScratchMake(request) => disk::make(request).map(nothing),
        WorkerOp::DiskProbe { dir, model, bytes } => {
            disk::mount_scratch(Path::new(dir), Path::new(model), *bytes).map(|_| serde_json::Value::Null)
        }
        WorkerOp::VmNetwork { dir, tap, network } => vm::network(Path::new(dir), tap, network).map(nothing),
    }
}

fn cgroup_failed(e: cgroup::Error) -> WorkerError {
    let code = match &e {
        cgroup::Error::Path(_) => ErrorCode::Invalid,
        cgroup::Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => ErrorCode::NotFound,
        _ => ErrorCode::Failed,
    };
    WorkerError::new(code, e.to_string())
}
