//! How a supervisor comes to be: in a child of the worker, from `task.json` to its loop.
use std::ffi::CStr;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use super::containers::Container;
use super::lanes::Lanes;
use super::{order, pause, Host, Poll, Task, RELEASE_PATIENCE};
use crate::cgroup::{self, Cgroups};
use crate::container::set_sysctl;
use crate::protocol::{DiskBundle, ErrorCode, FromSupervisor, PidMode, TaskBundle, TaskFailure, TaskStage, WorkerError, OUTPUT_FRAME};
use crate::{disk, frames, mount, net, runsc, sys, unpack};

/// Containers of one task: ECS allows 10; what poll and the spool's marks are sized for.
const CONTAINERS: usize = 32;
/// How long a rehearsal may take, and how much of its output is looked at.
const REHEARSAL: Duration = Duration::from_secs(20);
const REHEARSED_BYTES: usize = 4096;

fn failed(what: &str, e: impl std::fmt::Display) -> WorkerError {
    WorkerError::new(ErrorCode::Failed, format!("cannot {what}: {e}"))
}

/// Runs the supervisor in the calling, freshly forked process. `cgroups`: this machine's, if known already. `answer` is called once, when its socket listens or when that failed.
pub fn start(
    bundle: &str,
    cgroups: Option<Cgroups>,
    disk: Option<disk::Ready>,
    answer: impl FnOnce(Result<serde_json::Value, WorkerError>),
) -> ! {
    match prepare(Path::new(bundle), cgroups) {
        Err(e) => {
            answer(Err(e));
            sys::exit_now(1)
        }
        Ok(mut task) => {
            task.ready_disk = disk;
            answer(Ok(serde_json::json!({ "pid": std::process::id() })));
            task.go()
        }
    }
}

/// Runs the task as PID 1 of its microVM, over the port that began it. The network and the host's name are there; comes back only with
/// the reason why nothing of it was begun.
pub fn start_in_guest(bundle: TaskBundle, cgroups: Cgroups, host: Host) -> (String, Host) {
    let prepared = check(&bundle)
        .map_err(|e| WorkerError::new(ErrorCode::Invalid, e))
        .and_then(|()| std::fs::create_dir_all(&bundle.dir).map_err(|e| failed(&format!("make {}", bundle.dir), e)))
        .and_then(|()| Task::new(bundle, cgroups));
    let mut task = match prepared {
        Ok(task) => task,
        Err(e) => return (e.message, host),
    };
    task.host = Some(host);
    if let Err(failure) = set_sysctls(&task).and_then(|()| begin(&mut task)) {
        task.failure = Some(failure);
        task.kill();
    }
    // What came together with the beginning.
    task.on_host();
    task.run()
}

/// Runs a task to its end for nobody, through all that a real one goes through, and forgets it.
pub fn rehearse(bundle: TaskBundle, cgroups: Cgroups) -> Result<(), String> {
    check(&bundle)?;
    std::fs::create_dir_all(&bundle.dir).map_err(|e| format!("cannot make {}: {}", bundle.dir, sys::reason(&e)))?;
    let mut task = Task::new(bundle, cgroups).map_err(|e| e.message)?;
    let begun = begin(&mut task);
    let until = Instant::now() + REHEARSAL;
    let mut poll = Poll::default();
    while begun.is_ok() && !task.is_over() && Instant::now() < until {
        task.turn(&mut poll);
    }
    // What a host would be told.
    let mut out = Vec::new();
    let state = task.state();
    let _ = frames::append_json(&mut out, &FromSupervisor::State { seq: 0, state: state.clone() });
    let _ = task.lanes.shared().read(0, REHEARSED_BYTES, |record| frames::append(&mut out, OUTPUT_FRAME, &[record]));
    task.shared_pids = None;
    let removed = task.cgroups.remove(&task.bundle.cgroup.path, RELEASE_PATIENCE);
    let dir = Path::new(&task.bundle.dir);
    let emptied = dir.parent().map_or(Ok(()), |above| unpack::remove_tree(dir, above));
    begun.map_err(|e| e.message)?;
    removed.map_err(|e| e.to_string())?;
    emptied.map_err(|e| e.message)?;
    match state.containers.iter().find_map(|c| c.failure.as_ref()) {
        Some(failure) => Err(failure.message.clone()),
        None if task.is_over() => Ok(()),
        None => Err("it did not come to its end".to_string()),
    }
}

fn load(path: &Path) -> Result<TaskBundle, WorkerError> {
    let invalid = |e: String| WorkerError::new(ErrorCode::Invalid, format!("{}: {e}", path.display()));
    let text = std::fs::read(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => WorkerError::new(ErrorCode::NotFound, format!("{} doesn't exist", path.display())),
        _ => failed(&format!("read {}", path.display()), e),
    })?;
    let bundle: TaskBundle = serde_json::from_slice(&text).map_err(|e| invalid(e.to_string()))?;
    check(&bundle).map_err(invalid)?;
    Ok(bundle)
}

fn check(bundle: &TaskBundle) -> Result<(), String> {
    cgroup::check_path(&bundle.cgroup.path).map_err(|e| e.to_string())?;
    if bundle.containers.is_empty() || bundle.containers.len() > CONTAINERS {
        return Err(format!("a task has 1 to {CONTAINERS} containers, not {}", bundle.containers.len()));
    }
    for (index, container) in bundle.containers.iter().enumerate() {
        let name = &container.name;
        if name.contains('/') || cgroup::check_path(name).is_err() {
            return Err(format!("{name:?} is not a container's name"));
        }
        if bundle.containers[..index].iter().any(|c| c.name == *name) {
            return Err(format!("two containers are named {name:?}"));
        }
    }
    if let Some(names) = order::circle(&bundle.containers) {
        return Err(format!("the containers {} wait for each other in a circle", names.join(", ")));
    }
    Ok(())
}

/// Takes the task's directory for this process: nobody else can be its supervisor while this one lives.
pub(crate) fn lock(dir: &Path) -> Result<File, WorkerError> {
    let path = dir.join("sup.pid");
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = opened.map_err(|e| failed(&format!("open {}", path.display()), e))?;
    // SAFETY: no pointers.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        return Err(WorkerError::new(ErrorCode::Exists, format!("a supervisor holds {} already", path.display())));
    }
    let written = file.set_len(0).and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
    written.map_err(|e| failed(&format!("write {}", path.display()), e))?;
    Ok(file)
}

pub fn prepare(path: &Path, cgroups: Option<Cgroups>) -> Result<Task, WorkerError> {
    let bundle = load(path)?;
    let dir = Path::new(&bundle.dir);
    let lock = lock(dir)?;
    become_supervisor(c"berth-task").map_err(|e| failed("set up the supervisor's process", e))?;
    let cgroups = cgroups.map_or_else(Cgroups::detect, Ok).map_err(|e| WorkerError::new(ErrorCode::Failed, e.to_string()))?;
    let mut task = Task::new(bundle, cgroups)?;
    task.listener = Some(listen(&task.bundle.socket)?);
    task.lock = Some(lock);
    Ok(task)
}

fn listen(socket: &str) -> Result<UnixListener, WorkerError> {
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket).map_err(|e| failed(&format!("listen on {socket}"), e))?;
    let private = std::fs::set_permissions(socket, Permissions::from_mode(0o600));
    private.and_then(|()| listener.set_nonblocking(true)).map_err(|e| failed("prepare the socket", e))?;
    Ok(listener)
}

impl Task {
    fn new(bundle: TaskBundle, cgroups: Cgroups) -> Result<Task, WorkerError> {
        let lanes = Lanes::create(&bundle).map_err(|e| WorkerError::new(ErrorCode::Failed, e.to_string()))?;
        let signal_fd = sys::signal_fd(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGINT]).map_err(|e| failed("wait for signals", e))?;
        Ok(Task {
            containers: bundle.containers.iter().map(Container::new).collect(),
            bundle,
            cgroups,
            lanes,
            listener: None,
            signal_fd,
            host: None,
            execs: super::exec::Execs::default(),
            failure: None,
            stopping: false,
            room: None,
            pool_lock: None,
            ready_disk: None,
            has_quota: false,
            quota_due: None,
            memory: super::memory::Watch::default(),
            shared_pids: None,
            held: Vec::new(),
            gate: None,
            seq: 0,
            state_is_due: false,
            dropped_told: 0,
            dropped_told_at_ms: 0,
            is_tidy: false,
            lock: None,
        })
    }
}

/// Out of the worker's session, under its own name, and the last that the kernel takes when memory runs out.
pub(crate) fn become_supervisor(name: &CStr) -> io::Result<()> {
    sys::set_name(name);
    // SAFETY: no pointers.
    unsafe {
        libc::setsid();
        libc::umask(0o022);
    }
    // Containers' processes are forks of this one: none may look into it.
    sys::prctl(libc::PR_SET_DUMPABLE, 0, 0)?;
    std::env::set_current_dir("/")?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    for number in 0..3 {
        sys::dup_to(null.as_fd(), number)?;
    }
    // Refused where somebody may not raise themselves above others; then the task just has less protection.
    let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
    Ok(())
}

/// Namespaces, cgroup, network and the first containers. The containers build their file systems while the network is being made.
pub(crate) fn bring_up(task: &mut Task) -> Result<(), TaskFailure> {
    if task.room.is_some() {
        storage(task)?;
        return bring_up_sandbox(task);
    }
    sys::unshare(libc::CLONE_NEWNET | libc::CLONE_NEWUTS).map_err(setup("make the task's namespaces"))?;
    sys::set_hostname(&task.bundle.hostname).map_err(setup("set the task's host name"))?;
    storage(task)?;
    if task.bundle.runtime.is_some() {
        return bring_up_sandbox(task);
    }
    if task.bundle.network.is_some() || !task.bundle.sysctls.is_empty() {
        task.gate = Some(sys::pipe().map_err(setup("make a pipe"))?);
    }
    begin(task)?;
    if let Some(network) = &task.bundle.network {
        net::task_up(network, net::Addressed::Here).map_err(|e| TaskFailure { stage: TaskStage::Network, message: e.message })?;
    }
    set_sysctls(task)
}

/// The task's disk, which only this process and the containers see and which ends with them, and the volumes.
fn storage(task: &mut Task) -> Result<(), TaskFailure> {
    let failure = |message: String| TaskFailure { stage: TaskStage::Setup, message };
    let ready = task.ready_disk.take();
    if let Some(disk @ DiskBundle { bytes, place, model: Some(model) }) = &task.bundle.disk {
        sys::unshare(libc::CLONE_NEWNS).map_err(setup("make a mount namespace"))?;
        mount::mount("", "/", "", libc::MS_REC | libc::MS_SLAVE, "").map_err(setup("detach the mount namespace"))?;
        let make = || disk::mount_scratch(Path::new(&task.bundle.dir), Path::new(model), *bytes).map_err(|e| failure(e.message));
        let tree = ready.and_then(|one| one.fits(disk)).map_or_else(make, Ok)?;
        std::fs::create_dir_all(place).map_err(setup("make the place of the task's disk"))?;
        let target = mount::open_path(Path::new(place)).map_err(setup("open the place of the task's disk"))?;
        mount::attach(tree.as_fd(), target.as_fd()).map_err(setup("mount the task's disk"))?;
    }
    for volume in &task.bundle.volumes {
        std::fs::create_dir_all(volume).map_err(|e| failure(format!("cannot make the volume {volume}: {}", sys::reason(&e))))?;
    }
    Ok(())
}

fn setup(what: &'static str) -> impl FnOnce(io::Error) -> TaskFailure {
    move |e| TaskFailure { stage: TaskStage::Setup, message: format!("cannot {what}: {}", sys::reason(&e)) }
}

/// The cgroup and the first containers. Its processor quota begins with the first of them (`begin_quota`): what a container takes to be
/// made is not the task's, and in a quarter of a processor it would take four times as long.
fn begin(task: &mut Task) -> Result<(), TaskFailure> {
    let limits = task.limits();
    let created = match &task.bundle.containers[..] {
        [only] => task.cgroups.create_whole(&task.bundle.cgroup.path, &limits.with(&only.cgroup)),
        _ => task.cgroups.create_task(&task.bundle.cgroup.path, &limits),
    };
    created.map_err(|e| TaskFailure { stage: TaskStage::Cgroup, message: e.to_string() })?;
    if task.bundle.pid_mode == PidMode::Task {
        task.shared_pids = Some(pause::Pause::start().map_err(setup("make the task's PID namespace"))?);
    }
    task.advance();
    Ok(())
}

/// Those of the network; the rest belong to each container.
fn set_sysctls(task: &Task) -> Result<(), TaskFailure> {
    for (name, value) in task.bundle.sysctls.iter().filter(|(name, _)| name.starts_with("net.")) {
        set_sysctl(name, value)
            .map_err(|e| TaskFailure { stage: TaskStage::Network, message: format!("cannot set sysctl {name}: {}", sys::reason(&e)) })?;
    }
    Ok(())
}

/// The same for a task whose containers run in one gVisor sandbox. The containers' file systems are built while the sandbox starts.
fn bring_up_sandbox(task: &mut Task) -> Result<(), TaskFailure> {
    let failure = |stage: TaskStage| move |message: String| TaskFailure { stage, message };
    let Some(runtime) = task.bundle.runtime.clone() else { return Ok(()) };
    let group = task.bundle.cgroup.path.clone();
    let limited = match task.room {
        // From the pool: its group has the pool's limits so far.
        Some(_) => task.cgroups.change(&group, &task.limits()),
        None => task.cgroups.create_whole(&group, &task.limits()),
    };
    limited.map_err(|e| failure(TaskStage::Cgroup)(e.to_string()))?;
    if task.room.is_none() {
        task.room = Some(runsc::Room::start(&runtime, &task.cgroups, &group).map_err(setup("make the sandbox's namespaces"))?);
    }
    task.gate = Some(sys::pipe().map_err(setup("make a pipe"))?);
    task.advance();
    if let Some(network) = &task.bundle.network {
        net::task_up(network, net::Addressed::Behind).map_err(|e| failure(TaskStage::Network)(e.message))?;
    }
    let Some(room) = &mut task.room else { return Ok(()) };
    room.wait().map_err(failure(TaskStage::Setup))?;
    runsc::create_links(&room.control(), task.bundle.network.as_ref())
        .map_err(|e| failure(TaskStage::Network)(format!("cannot give the sandbox its network: {e}")))?;
    room.begin().map_err(|e| failure(TaskStage::Setup)(format!("cannot start gVisor's sandbox: {e}")))?;
    room.set_hostname(&task.bundle.hostname).map_err(setup("set the sandbox's host name"))?;
    runsc::set_sysctls(room, &task.bundle.sysctls).map_err(failure(TaskStage::Network))
}
