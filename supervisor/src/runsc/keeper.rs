//! The process that stands for one container of a gVisor sandbox.
use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{json, Value};

use super::gofer;
use super::room::Room;
use super::spec::Spec;
use super::urpc::{self, Connection};
use crate::container::{self, Error, Setting, Spawned, Stdio};
use crate::protocol::RunscBundle;
use crate::sys;

/// How long the sandbox may take for one step of a start: some 40 ms on a quiet machine.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long the end of a sandbox that is gone may take.
const ROOM_PATIENCE_MS: i32 = 5_000;
const CALL_PATIENCE: Duration = Duration::from_secs(5);
/// The user that the sandbox's process runs as.
const NOBODY: u32 = 65_534;

/// containerManager.SignalArgs.Mode there.
pub const TO_PROCESS: i32 = 0;
const TO_ALL: i32 = 1;

/// What the keeper is sent instead of a signal that no process can take.
pub fn carried(signal: i32) -> i32 {
    match signal {
        libc::SIGKILL => libc::SIGRTMIN() + 10,
        libc::SIGSTOP => libc::SIGRTMIN() + 11,
        other => other,
    }
}

/// With the sandbox everything in it was killed.
pub const KILLED: i32 = 128 + libc::SIGKILL;

/// Blocks all signals, and gives the descriptor that those come by which are to be handed on.
pub fn signals() -> io::Result<OwnedFd> {
    let all: Vec<i32> = (1..=libc::SIGRTMAX()).filter(|signal| *signal != libc::SIGCHLD).collect();
    sys::signal_fd(&all)
}

/// The sandbox opens its streams anew by their names, which is its right only where it owns them. Never for a device of the machine's.
pub fn give_to_sandbox(fd: BorrowedFd) {
    // SAFETY: no pointers.
    unsafe { libc::fchown(fd.as_raw_fd(), NOBODY, NOBODY) };
}

/// Asks the sandbox to send a signal. What has ended meanwhile takes none.
pub fn signal(control: &Path, args: &Value) {
    let _ = Connection::open(control, Some(CALL_PATIENCE)).map(|mut control| control.call("containerManager.Signal", args, &[]));
}

/// Hands on what comes by `signals` until what `wait` waits for has ended; gives its exit code.
///
/// When the sandbox is gone this waits until that was seen through to its end, so that the supervisor hears of it first: it is the reason why
/// everything in it ended.
pub fn until_answer(wait: &mut Connection, signals: &OwnedFd, room: &Room, mut hand_on: impl FnMut(i32)) -> i32 {
    loop {
        let mut entries = [sys::poll_entry(wait.fd(), libc::POLLIN), sys::poll_entry(signals.as_fd(), libc::POLLIN)];
        let _ = sys::poll(&mut entries, -1);
        if entries[1].revents != 0 {
            sys::read_signals(signals.as_fd()).into_iter().for_each(|signal| hand_on(meant(signal)));
        }
        if entries[0].revents != 0 {
            match wait.receive() {
                Ok(None) => {}
                Ok(Some(status)) => return sys::exit_code(status.as_i64().unwrap_or(0) as i32),
                Err(_) => {
                    let mut end = [sys::poll_entry(room.pidfd(), libc::POLLIN)];
                    let _ = sys::poll(&mut end, ROOM_PATIENCE_MS);
                    return KILLED;
                }
            }
        }
    }
}

fn meant(signal: i32) -> i32 {
    [libc::SIGKILL, libc::SIGSTOP].into_iter().find(|one| carried(*one) == signal).unwrap_or(signal)
}

/// Forks the keeper of container `index`. `again`: as `container::spawn` has it.
pub fn spawn(setting: &Setting, runtime: &RunscBundle, room: &Room, index: usize, again: bool) -> Result<Spawned, Error> {
    let failed = |what: &'static str| move |e: io::Error| Error::Create(format!("cannot {what}: {}", sys::reason(&e)));
    let bundle = &setting.task.containers[index];
    if again {
        room.rename(index);
    }
    let streams = container::standard_streams(Path::new(&bundle.bundle))?;
    let (status, status_write) = sys::pipe().map_err(failed("make a pipe"))?;
    sys::set_nonblocking(status.as_fd()).map_err(failed("prepare a pipe"))?;
    let cloned = sys::clone3(0, None);
    if matches!(cloned, Ok(None)) {
        let keeper = Keeper { setting, runtime, room, index, again, cid: room.cid(index), control: room.control() };
        let Err(error) = keeper.live(streams.stdio, status_write);
        let _ = error;
        sys::exit_now(127)
    }
    let Some((pid, pidfd)) = cloned.map_err(failed("clone the container's keeper"))? else { sys::exit_now(127) };
    let terminal = streams.stderr.is_none();
    Ok(Spawned { pid, pidfd, stdout: streams.stdout, stderr: streams.stderr, status, terminal, is_keeper: true })
}

struct Keeper<'a> {
    setting: &'a Setting<'a>,
    runtime: &'a RunscBundle,
    room: &'a Room,
    index: usize,
    again: bool,
    cid: String,
    control: PathBuf,
}

impl Keeper<'_> {
    fn live(&self, stdio: Stdio, status: OwnedFd) -> Result<Infallible, Error> {
        let signals = match self.start(stdio, status.as_fd()) {
            Ok(signals) => signals,
            Err(error) => {
                container::report(status.as_fd(), &error);
                return Err(error);
            }
        };
        drop(status);
        sys::exit_now(self.tend(&signals))
    }

    /// Starts the container; gives the descriptor that signals come by from then on.
    fn start(&self, stdio: Stdio, status: BorrowedFd) -> Result<OwnedFd, Error> {
        let failed = |what: &'static str| move |e: io::Error| Error::Create(format!("cannot {what}: {}", sys::reason(&e)));
        let signals = self.prepare(status).map_err(failed("prepare the container's keeper"))?;
        let task = self.setting.task;
        let bundle = &task.containers[self.index];
        let dir = Path::new(&bundle.bundle);
        let mut spec = Spec::load(dir)?;
        sys::unshare(libc::CLONE_NEWNS).map_err(failed("make a mount namespace"))?;
        crate::mount::mount("", "/", "", libc::MS_REC | libc::MS_SLAVE, "").map_err(failed("detach the mount namespace"))?;
        let writable = container::Writable { dir: task.writable_dir(), index: self.index, again: self.again };
        let root = container::mount_overlay(&bundle.layers, &writable, dir)?;
        spec.settle(root.as_fd(), &bundle.bundle)?;
        container::fill_all(root.as_fd(), &bundle.fill)?;
        drop(root);
        gofer::enter(self.room)?;
        let group = container::group(task, self.index);
        let gofer =
            gofer::start(self.runtime, &spec, &bundle.bundle, self.setting.cgroups, &group).map_err(failed("run gVisor's file server"))?;
        spec.set_mounts(gofer.mounts()?);
        if let Some((gate, _)) = self.setting.gate {
            // The sandbox and its network may still be in the making.
            sys::read(gate, &mut [0]).map_err(failed("wait for the task's sandbox"))?;
        }
        let files: Vec<BorrowedFd> = gofer.connections.iter().map(AsFd::as_fd).collect();
        self.start_inside(&spec, &stdio, &files)?;
        Ok(signals)
    }

    fn prepare(&self, status: BorrowedFd) -> io::Result<OwnedFd> {
        sys::set_name(c"berth-keeper");
        sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0)?;
        // The supervisor may have died before that: then nobody reads the status any more.
        let mut reader = [sys::poll_entry(status, 0)];
        sys::poll(&mut reader, 0)?;
        if reader[0].revents & libc::POLLERR != 0 {
            sys::exit_now(127);
        }
        sys::prctl(libc::PR_SET_DUMPABLE, 0, 0)?;
        // The file server is a child of this process: unreaped it would hold up the end of the sandbox's PID namespace.
        // SAFETY: SIG_IGN is a valid disposition; ignoring SIGCHLD makes the kernel reap.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        if let Some((_, other_end)) = self.setting.gate {
            // SAFETY: this copy of the descriptor is used by nobody else in this process.
            unsafe { libc::close(other_end.as_raw_fd()) };
        }
        signals()
    }

    fn start_inside(&self, spec: &Spec, stdio: &Stdio, files: &[BorrowedFd]) -> Result<(), Error> {
        let create = |e: urpc::Error| Error::Create(e.to_string());
        let terminal = if stdio.is_terminal { vec![stdio.input.as_fd()] } else { Vec::new() };
        if stdio.is_terminal {
            give_to_sandbox(stdio.input.as_fd());
        } else {
            give_to_sandbox(stdio.output.as_fd());
            give_to_sandbox(stdio.error.as_fd());
        }
        let mut control = Connection::open(&self.control, Some(START_PATIENCE)).map_err(|e| create(e.into()))?;
        control.call("containerManager.CreateSubcontainer", &json!({ "CID": self.cid }), &terminal).map_err(create)?;
        let mut all = if stdio.is_terminal { Vec::new() } else { vec![stdio.input.as_fd(), stdio.output.as_fd(), stdio.error.as_fd()] };
        all.extend(files);
        // GoferMountConf{Upper: NoOverlay, Lower: Lisafs} for the root and for each mount.
        let mounts: Vec<Value> = files.iter().map(|_| json!({ "upper": 0, "lower": 1 })).collect();
        let args = json!({
            "Spec": spec.value(),
            "Conf": self.runtime.config,
            "CID": self.cid,
            "NumGoferFilestoreFDs": 0,
            "IsDevIoFilePresent": false,
            "GoferMountConfs": mounts,
        });
        control.call("containerManager.StartSubcontainer", &args, &all).map(drop).map_err(|e| {
            Error::Start(match e {
                urpc::Error::Refused(why) => format!("exec: {:?}: {why}", spec.command()),
                broken => broken.to_string(),
            })
        })
    }

    /// Hands on signals, and gives the container's exit code once it has ended. With the sandbox all its containers were killed.
    fn tend(&self, signals: &OwnedFd) -> i32 {
        sys::keep_only(&[signals.as_fd(), self.room.pidfd()]);
        let Ok(mut wait) = Connection::open(&self.control, None) else { return KILLED };
        if wait.send("containerManager.Wait", &json!(self.cid), &[]).is_err() {
            return KILLED;
        }
        let code = until_answer(&mut wait, signals, self.room, |signal| {
            let mode = if signal == libc::SIGKILL { TO_ALL } else { TO_PROCESS };
            self::signal(&self.control, &json!({ "CID": self.cid, "Signo": signal, "PID": 0, "Mode": mode }));
        });
        self.destroy();
        code
    }

    /// Kills what the container left running, and lets go of its files.
    fn destroy(&self) {
        let call = |mut control: Connection| control.call("containerManager.DestroySubcontainer", &json!(self.cid), &[]);
        let _ = Connection::open(&self.control, Some(CALL_PATIENCE)).map(call);
    }
}
