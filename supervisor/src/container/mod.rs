//! Starts one container from its OCI bundle.
//!
//! The container's first process is cloned straight from the supervisor and builds everything around itself: it joins its cgroups,
//! mounts its root in a mount namespace of its own (which dies with it, so nothing is left to unmount), gives up its privileges and
//! becomes the command. What goes wrong comes back through a pipe that closes when exec succeeds.
pub mod anew;
mod command;
pub(crate) mod config;
pub(crate) mod devices;
pub mod enter;
mod fill;
mod init;
pub(crate) mod mounts;
pub(crate) mod privileges;
pub(crate) mod rootfs;
pub mod secrets;
pub mod terminal;
mod user;

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use crate::cgroup::Cgroups;
use crate::protocol::{ContainerFailure, ContainerStage, PidMode, TaskBundle, TEXT_BYTES};
use crate::runsc::Room;
use crate::{seccomp, sys};
use anew::Program;
use config::Config;
pub use config::USER_ANNOTATION;
pub use fill::fill_all;
pub use init::main as init_main;
pub use init::tend_main;
pub use rootfs::{directory_in, mount_overlay, Writable};
pub use user::{resolve_in as resolve_user, Identity};

/// Why a container doesn't run, told apart as ECS does: it could not be created, or its command could not be started.
#[derive(Debug)]
pub enum Error {
    Create(String),
    Start(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Error::Create(message) | Error::Start(message)) = self;
        f.write_str(message)
    }
}

impl From<Error> for ContainerFailure {
    fn from(error: Error) -> Self {
        match error {
            Error::Create(message) => ContainerFailure { stage: ContainerStage::Create, message },
            Error::Start(message) => ContainerFailure { stage: ContainerStage::Start, message },
        }
    }
}

/// A container under way.
pub struct Spawned {
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub stdout: OwnedFd,
    /// None with a terminal: both streams are one there.
    pub stderr: Option<OwnedFd>,
    /// Ends without a word once the command runs; else `parse_report` reads what it says.
    pub status: OwnedFd,
    /// Lines end with CR LF.
    pub terminal: bool,
    /// The process only stands for the container's.
    pub is_keeper: bool,
}

/// What a container needs from its task.
pub struct Setting<'a> {
    pub task: &'a TaskBundle,
    pub cgroups: &'a Cgroups,
    /// The PID namespace that the task's containers share, when they do.
    pub pid_namespace: Option<BorrowedFd<'a>>,
    /// The command is not started before this reads end of file; the second is its other end.
    pub gate: Option<(BorrowedFd<'a>, BorrowedFd<'a>)>,
    /// One that is made ahead of its turn: the command is started once this reads a byte, and never at its end of file.
    pub turn: Option<BorrowedFd<'a>>,
    /// The gVisor sandbox that the task's containers run in, when they do.
    pub room: Option<&'a Room>,
}

/// Path of a container's group. By number: a name may be as long as a file's name, or that of a control file (`tasks`). A task's only
/// container has the task's own: a group costs the kernel some 100 KiB in all its hierarchies. In one gVisor sandbox all containers are
/// the same process.
pub fn group(task: &TaskBundle, index: usize) -> String {
    if task.containers.len() == 1 || task.runtime.is_some() {
        return task.cgroup.path.clone();
    }
    format!("{}/{index}", task.cgroup.path)
}

fn failed_to(what: &'static str) -> impl Fn(io::Error) -> Error + Copy {
    move |e| Error::Create(format!("cannot {what}: {}", sys::reason(&e)))
}

/// The container's ends of its standard streams.
pub struct Stdio {
    pub input: OwnedFd,
    pub output: OwnedFd,
    pub error: OwnedFd,
    pub is_terminal: bool,
}

/// Both ends.
pub struct Streams {
    pub stdio: Stdio,
    pub stdout: OwnedFd,
    /// None with a terminal.
    pub stderr: Option<OwnedFd>,
}

/// Pipes, or a terminal where the bundle in `dir` wants one. The supervisor's ends don't block.
pub fn standard_streams(dir: &Path) -> Result<Streams, Error> {
    let failed = |what: &'static str| move |e: io::Error| Error::Create(format!("cannot {what}: {}", sys::reason(&e)));
    let streams = if config::wants_terminal(dir)? {
        let (stdout, slave) = terminal::open().map_err(failed("make a terminal"))?;
        let copy = || slave.try_clone().map_err(failed("make a terminal"));
        let stdio = Stdio { input: copy()?, output: copy()?, error: copy()?, is_terminal: true };
        Streams { stdio, stdout, stderr: None }
    } else {
        let pipe = || sys::pipe().map_err(failed("make a pipe"));
        let ((stdout, output), (stderr, error)) = (pipe()?, pipe()?);
        let input = File::open("/dev/null").map_err(failed("open /dev/null"))?.into();
        Streams { stdio: Stdio { input, output, error, is_terminal: false }, stdout, stderr: Some(stderr) }
    };
    for fd in [Some(&streams.stdout), streams.stderr.as_ref()].into_iter().flatten() {
        sys::set_nonblocking(fd.as_fd()).map_err(failed("prepare a pipe"))?;
    }
    Ok(streams)
}

/// Clones the container's first process, which goes on alone from there. `again`: it finds what it wrote to its root in its last run.
pub fn spawn(setting: &Setting, index: usize, again: bool) -> Result<Spawned, Error> {
    let task = setting.task;
    let bundle = &task.containers[index];
    let failed = |what: &'static str| move |e: io::Error| Error::Create(format!("cannot {what}: {}", sys::reason(&e)));
    let group = group(task, index);
    let cgroups = setting.cgroups;
    if group != task.cgroup.path {
        cgroups.create_container(&group, &bundle.cgroup).map_err(|e| Error::Create(e.to_string()))?;
    }
    let birthplace = cgroups.birthplace(&group).map_err(|e| Error::Create(e.to_string()))?;

    let Streams { stdio, stdout, stderr } = standard_streams(Path::new(&bundle.bundle))?;
    let (status, status_write) = sys::pipe().map_err(failed("make a pipe"))?;
    sys::set_nonblocking(status.as_fd()).map_err(failed("prepare a pipe"))?;

    let mut flags = libc::CLONE_NEWNS | libc::CLONE_NEWIPC;
    let own_pids = match (task.pid_mode, setting.pid_namespace) {
        (PidMode::Task, Some(shared)) => {
            let own = File::open("/proc/self/ns/pid").map_err(failed("open the PID namespace"))?;
            sys::set_namespace(shared, libc::CLONE_NEWPID).map_err(failed("join the task's PID namespace"))?;
            Some(own)
        }
        _ => {
            flags |= libc::CLONE_NEWPID;
            None
        }
    };
    let cloned = sys::clone3(flags as u64, birthplace.as_ref().map(AsFd::as_fd));
    if matches!(cloned, Ok(None)) {
        let Err(error) = become_container(setting, (index, again), &group, &stdio, status_write.as_fd());
        report(status_write.as_fd(), &error);
        sys::exit_now(127)
    }
    if let Some(own) = own_pids {
        sys::set_namespace(own.as_fd(), libc::CLONE_NEWPID).map_err(failed("return to the PID namespace"))?;
    }
    let Some((pid, pidfd)) = cloned.map_err(failed("clone the container's process"))? else { sys::exit_now(127) };
    Ok(Spawned { pid, pidfd, stdout, stderr, status, terminal: stdio.is_terminal, is_keeper: false })
}

/// Everything between the clone and the command. Runs in the container's first process.
fn become_container(
    setting: &Setting,
    (index, again): (usize, bool),
    group: &str,
    stdio: &Stdio,
    status: BorrowedFd,
) -> Result<Infallible, Error> {
    let failed = |what: &'static str| move |e: io::Error| Error::Create(format!("cannot {what}: {}", sys::reason(&e)));
    prepare_process(setting, stdio, status).map_err(failed("prepare the process"))?;
    let bundle = &setting.task.containers[index];
    setting.cgroups.join(group).map_err(|e| Error::Create(e.to_string()))?;
    sys::unshare(libc::CLONE_NEWCGROUP).map_err(failed("make a cgroup namespace"))?;
    let bundle_dir = Path::new(&bundle.bundle);
    let config = Config::load(bundle_dir)?;
    let oom_score = config.process.oom_score_adj.unwrap_or(0);
    std::fs::write("/proc/self/oom_score_adj", oom_score.to_string()).map_err(failed("set the OOM score"))?;
    set_ipc_sysctls(setting.task)?;
    let program = bundle.init_process.then(Program::find).transpose().map_err(failed("find this program"))?;
    let filter = config.linux.seccomp.as_ref().map(seccomp::compile).transpose().map_err(|e| Error::Create(e.to_string()))?;

    crate::mount::mount("", "/", "", libc::MS_REC | libc::MS_SLAVE, "").map_err(failed("detach the mount namespace"))?;
    // Over the bundle itself, which was read: no directory has to be made only to be covered, and nobody else sees this mount.
    let writable = rootfs::Writable { dir: setting.task.writable_dir(), index, again };
    let root = rootfs::mount_overlay(&bundle.layers, &writable, bundle_dir)?;
    let identity = identity(&config, root.as_fd())?;
    fill::fill_all(root.as_fd(), &bundle.fill)?;
    mounts::make_all(root.as_fd(), &config.mounts, setting.cgroups, group)?;
    mounts::make_devices(root.as_fd(), stdio.is_terminal)?;
    if let Some(wish) = config.annotations.get(devices::DEVICES_ANNOTATION) {
        devices::give(root.as_fd(), wish)?;
    }
    mounts::make_readonly(root.as_fd(), &config.linux.readonly_paths)?;
    mounts::mask(root.as_fd(), &config.linux.masked_paths)?;
    if let Some(turn) = setting.turn {
        let read = sys::read(turn, &mut [0]).map_err(failed("wait for its turn"))?;
        if read != Some(1) {
            sys::exit_now(127);
        }
    }
    let cwd = Path::new(&config.process.cwd);
    // Docker makes a working directory that the image lacks.
    rootfs::directory_in(root.as_fd(), cwd.strip_prefix("/").unwrap_or(cwd)).map_err(failed("make the working directory"))?;
    rootfs::pivot(root.as_fd())?;
    drop(root);
    if config.root.readonly {
        rootfs::make_readonly()?;
    }
    if let Some((gate, _)) = setting.gate {
        // The network may still be in the making.
        sys::read(gate, &mut [0]).map_err(failed("wait for the task's network"))?;
    }
    // From here on paths are the image's: /proc/self/fd must not offer a way back to the machine (CVE-2024-21626).
    match &program {
        Some(program) => program.close_others(status),
        None => sys::close_all_but(status.as_raw_fd()),
    }
    privileges::drop_to(&config.process, &identity, filter.as_ref())?;
    enter_directory(cwd)?;
    let command = command::find(&config.process, identity.home.as_deref())?;
    sys::reset_signals();
    if let Some(program) = program {
        let error = program.begin("tend", status, &command.words(command::Manner::of_terminal(stdio.is_terminal)), command.env());
        return Err(failed("start the container's init")(error));
    }
    command.exec()
}

/// Makes `cwd` the working directory. One that another container of the task moved elsewhere in the meantime lies outside the root.
fn enter_directory(cwd: &Path) -> Result<(), Error> {
    let entered = std::env::set_current_dir(cwd).and_then(|()| std::env::current_dir());
    let failed = |reason: &str| Error::Start(format!("chdir to cwd ({cwd:?}) set in config.json failed: {reason}"));
    match entered {
        Ok(place) if place.is_absolute() => Ok(()),
        Ok(_) => Err(failed("it is outside the container's root")),
        Err(e) => Err(failed(&sys::reason(&e))),
    }
}

/// Takes everything from the calling process that one in its PID namespace could win by tracing it: it sees an empty root, holds no
/// capability and can make no system call but `calls`.
pub fn seclude(calls: &[&str]) -> Result<(), Error> {
    let failed = |what: &'static str| move |e: io::Error| Error::Create(format!("cannot {what}: {}", sys::reason(&e)));
    sys::unshare(libc::CLONE_NEWNS).map_err(failed("make a mount namespace"))?;
    crate::mount::mount("", "/", "", libc::MS_REC | libc::MS_SLAVE, "").map_err(failed("detach the mount namespace"))?;
    let nothing = rootfs::mount_nothing()?;
    rootfs::pivot(nothing.as_fd())?;
    drop(nothing);
    privileges::drop_all(&seccomp::allow_only(calls).map_err(|e| Error::Create(e.to_string()))?)
}

/// The process's own affairs: its life is tied to the supervisor's, its standard streams, its session, its secrets.
fn prepare_process(setting: &Setting, stdio: &Stdio, status: BorrowedFd) -> io::Result<()> {
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0)?;
    // The supervisor may have died before that: then nobody reads the status any more.
    let mut reader = [sys::poll_entry(status, 0)];
    sys::poll(&mut reader, 0)?;
    if reader[0].revents & libc::POLLERR != 0 {
        sys::exit_now(127);
    }
    // Nobody in the container may look into this program's memory or binary.
    sys::prctl(libc::PR_SET_DUMPABLE, 0, 0)?;
    if let Some((_, other_end)) = setting.gate {
        // SAFETY: this copy of the descriptor is used by nobody else in this process.
        unsafe { libc::close(other_end.as_raw_fd()) };
    }
    for (number, fd) in [(0, &stdio.input), (1, &stdio.output), (2, &stdio.error)] {
        sys::dup_to(fd.as_fd(), number)?;
    }
    // SAFETY: no pointers.
    unsafe {
        libc::setsid();
        if stdio.is_terminal {
            libc::ioctl(0, libc::TIOCSCTTY, 0);
        }
    }
    own_keyring();
    Ok(())
}

/// A keyring of its own, as runc gives: a kernel without keys answers ENOSYS, which is as good.
fn own_keyring() {
    const JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: no name is given, so there is no string to read.
    unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
}

/// Sysctls that belong to the IPC namespace; those of the network are set once for the task.
fn set_ipc_sysctls(task: &TaskBundle) -> Result<(), Error> {
    for (name, value) in task.sysctls.iter().filter(|(name, _)| !name.starts_with("net.")) {
        set_sysctl(name, value).map_err(|e| Error::Create(format!("cannot set sysctl {name}: {}", sys::reason(&e))))?;
    }
    Ok(())
}

/// Writes one sysctl of the calling process's namespaces. Only names that a namespace keeps to itself are taken.
pub fn set_sysctl(name: &str, value: &str) -> io::Result<()> {
    const OWN: [&str; 3] = ["net.", "kernel.msg", "kernel.shm"];
    let own = OWN.iter().any(|p| name.starts_with(p)) || name == "kernel.sem" || name.starts_with("fs.mqueue.");
    if !own || name.contains('/') || name.contains("..") {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not kept apart by a namespace"));
    }
    std::fs::write(Path::new("/proc/sys").join(name.replace('.', "/")), value)
}

pub(crate) fn identity(config: &Config, root: BorrowedFd) -> Result<Identity, Error> {
    let process = &config.process.user;
    let wanted = config.annotations.get(USER_ANNOTATION).cloned().unwrap_or_else(|| format!("{}:{}", process.uid, process.gid));
    let mut identity = user::resolve_in(root, &wanted)?;
    identity.groups.extend(&process.additional_gids);
    Ok(identity)
}

/// Writes why it failed: one byte for the stage, then the text.
pub fn report(status: BorrowedFd, error: &Error) {
    let (stage, message) = match error {
        Error::Create(message) => (b'c', message),
        Error::Start(message) => (b's', message),
    };
    let mut text = vec![stage];
    text.extend(message.bytes().take(TEXT_BYTES - 1));
    // If the supervisor is gone nobody wants to know.
    let _ = sys::write_all(status, &text);
}

/// Reads what `report` wrote; None when there is nothing: the command was started.
pub fn parse_report(text: &[u8]) -> Option<Error> {
    let (stage, message) = text.split_first()?;
    let message = String::from_utf8_lossy(message).into_owned();
    Some(if *stage == b's' { Error::Start(message) } else { Error::Create(message) })
}
