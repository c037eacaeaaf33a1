//! The process that stands for one command that is run inside a container of a gVisor sandbox.
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{json, Value};

use super::keeper::{self, KILLED, TO_PROCESS};
use super::room::Room;
use super::urpc::{self, Connection};
use crate::container::enter::{self, Entered, Inside, Stdio, BORN};
use crate::container::{self, config::Config, privileges, terminal, Error};
use crate::mount::{open_in_root, open_path};
use crate::protocol::ExecBundle;
use crate::sys;

const PATIENCE: Duration = Duration::from_secs(10);
/// containerManager.SignalArgs.Mode there.
const TO_FOREGROUND: i32 = 2;

/// This program inside the sandbox, in each container of a task that may be entered (src/sandbox/gvisor/render.ts).
const OWN_PROGRAM: &str = "/dev/berth-init";

/// What a terminal sends to whoever is in front of it.
const OF_TERMINAL: [i32; 4] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP, libc::SIGWINCH];

fn failed(what: &'static str) -> impl Fn(io::Error) -> Error + Copy {
    move |e| Error::Create(format!("cannot {what}: {}", sys::reason(&e)))
}

/// Forks the command's keeper.
pub fn enter(inside: &Inside, room: &Room, wanted: &ExecBundle) -> Result<Entered, Error> {
    let ((input, outputs), stdio) = if wanted.tty { own_terminal(wanted)? } else { enter::pipes()? };
    let (status, status_write) = sys::pipe().map_err(failed("make a pipe"))?;
    for fd in outputs.iter().chain([&input, &status]) {
        sys::set_nonblocking(fd.as_fd()).map_err(failed("prepare a pipe"))?;
    }
    match sys::clone3(0, None).map_err(failed("clone a process"))? {
        // It says who it is itself, as the process that was born.
        Some(_) => Ok(Entered { helper: None, status, input, outputs, is_keeper: true }),
        None => {
            let keeper = Keeper { inside, room, wanted, cid: room.cid(inside.index), control: room.control() };
            sys::exit_now(keeper.live(stdio, status_write))
        }
    }
}

/// The machine's: the sandbox has none that both sides know.
fn own_terminal(wanted: &ExecBundle) -> Result<(enter::Ours, Stdio), Error> {
    let made = terminal::open().and_then(|(master, slave)| {
        terminal::resize(master.as_fd(), wanted.cols, wanted.rows)?;
        enter::ends_of(master, slave)
    });
    made.map_err(failed("make a terminal"))
}

struct Keeper<'a> {
    inside: &'a Inside<'a>,
    room: &'a Room,
    wanted: &'a ExecBundle,
    cid: String,
    control: PathBuf,
}

impl Keeper<'_> {
    fn live(&self, stdio: Stdio, status: OwnedFd) -> i32 {
        let mut born = vec![BORN];
        born.extend((std::process::id() as i32).to_ne_bytes());
        let _ = sys::write_all(status.as_fd(), &born);
        match self.start(&stdio, status.as_fd()) {
            Err(error) => {
                container::report(status.as_fd(), &error);
                127
            }
            Ok((signals, pid)) => {
                drop(status);
                // The terminal stays open: this process's signals come from it.
                if self.wanted.tty && sys::dup_to(stdio.input.as_fd(), 0).is_err() {
                    return KILLED;
                }
                sys::keep_only(&[signals.as_fd(), self.room.pidfd()]);
                // What those descriptors' owners think of them doesn't count any more.
                sys::exit_now(self.tend(&signals, pid))
            }
        }
    }

    /// Gives where signals come by, and the command's PID in the sandbox.
    fn start(&self, stdio: &Stdio, status: BorrowedFd) -> Result<(OwnedFd, i64), Error> {
        sys::set_name(c"berth-keeper");
        let signals = keeper::signals().map_err(failed("prepare the process"))?;
        enter::end_with_supervisor(status).map_err(failed("prepare the process"))?;
        sys::prctl(libc::PR_SET_DUMPABLE, 0, 0).map_err(failed("prepare the process"))?;
        // SAFETY: no pointers; a session of its own, with the terminal in front where there is one.
        unsafe {
            libc::setsid();
            if self.wanted.tty {
                libc::ioctl(stdio.input.as_raw_fd(), libc::TIOCSCTTY, 0);
            }
        }
        for fd in [&stdio.input, &stdio.output, &stdio.error] {
            keeper::give_to_sandbox(fd.as_fd());
        }
        let args = self.arguments()?;
        let files = [stdio.input.as_fd(), stdio.output.as_fd(), stdio.error.as_fd()];
        let mut control = Connection::open(&self.control, Some(PATIENCE)).map_err(failed("reach the sandbox"))?;
        let begun = control.call("containerManager.ExecuteAsync", &args, &files);
        let pid = begun.map_err(|e| match e {
            urpc::Error::Refused(why) => Error::Start(format!("exec: {:?}: {why}", self.wanted.command[0])),
            broken => Error::Start(broken.to_string()),
        })?;
        Ok((signals, pid.as_i64().unwrap_or(0)))
    }

    /// control.ExecArgs.
    fn arguments(&self) -> Result<Value, Error> {
        let task = self.inside.task;
        let bundle = &task.containers[self.inside.index].bundle;
        let mut config = Config::load(Path::new(bundle))?;
        enter::adapt(&mut config.process, self.wanted)?;
        if let Some(user) = &self.wanted.user {
            config.annotations.insert(container::USER_ANNOTATION.to_string(), user.clone());
        }
        // The container's keeper has its root mounted where the bundle is.
        let machine = open_path(Path::new(&format!("/proc/{}/root", self.inside.pid)));
        let inside = Path::new(bundle.trim_start_matches('/'));
        let root = machine.and_then(|root| open_in_root(root.as_fd(), inside, libc::O_PATH | libc::O_DIRECTORY, 0));
        let identity = container::identity(&config, root.map_err(failed("open the container's root"))?.as_fd())?;
        let process = &config.process;
        let home = identity.home.as_deref().unwrap_or("/");
        let mut env = process.env.clone();
        if !env.iter().any(|entry| entry.starts_with("HOME=")) {
            env.push(format!("HOME={home}"));
        }
        let set = |names: Option<&Vec<String>>| names.map_or(Ok(0), |names| privileges::mask(names));
        let caps = process.capabilities.as_ref();
        let bounding = set(caps.map(|c| &c.bounding))?;
        let (permitted, effective) = (set(caps.map(|c| &c.permitted))?, set(caps.map(|c| &c.effective))?);
        let own = [OWN_PROGRAM, "copy"].into_iter().filter(|_| self.wanted.copies);
        let argv: Vec<&str> = own.chain(process.args.iter().map(String::as_str)).collect();
        Ok(json!({
            "argv": argv,
            "envv": env,
            "wd": process.cwd,
            "KUID": identity.uid,
            "KGID": identity.gid,
            "ExtraKGIDs": identity.groups,
            "Capabilities": { "PermittedCaps": permitted, "EffectiveCaps": effective, "BoundingCaps": bounding },
            "StdioIsPty": self.wanted.tty,
            "GuestFDs": [0, 1, 2],
            "ContainerID": self.cid,
        }))
    }

    /// Kills the command and all that it started.
    fn kill(&self, pid: i64) {
        let listed = Connection::open(&self.control, Some(PATIENCE))
            .map_err(urpc::Error::from)
            .and_then(|mut control| control.call("containerManager.Processes", &json!(self.cid), &[]));
        for pid in with_descendants(pid, &listed.unwrap_or(Value::Null)) {
            keeper::signal(&self.control, &json!({ "CID": self.cid, "Signo": libc::SIGKILL, "PID": pid, "Mode": TO_PROCESS }));
        }
    }

    /// Hands on signals, and gives the command's exit code once it has ended.
    fn tend(&self, signals: &OwnedFd, pid: i64) -> i32 {
        let Ok(mut wait) = Connection::open(&self.control, None) else { return KILLED };
        let target = json!({ "CID": self.cid, "PID": pid });
        if wait.send("containerManager.WaitPID", &target, &[]).is_err() {
            return KILLED;
        }
        keeper::until_answer(&mut wait, signals, self.room, |signal| {
            if signal == libc::SIGKILL {
                return self.kill(pid);
            }
            let in_front = self.wanted.tty && OF_TERMINAL.contains(&signal);
            let mode = if in_front { TO_FOREGROUND } else { TO_PROCESS };
            keeper::signal(&self.control, &json!({ "CID": self.cid, "Signo": signal, "PID": pid, "Mode": mode }));
        })
    }
}

/// `pid` first, then its children and theirs. `listed`: control.Process of all in the container, in the order of their PIDs.
fn with_descendants(pid: i64, listed: &Value) -> Vec<i64> {
    let mut all = vec![pid];
    let mut at = 0;
    while let Some(parent) = all.get(at).copied() {
        at += 1;
        for process in listed.as_array().into_iter().flatten() {
            let (Some(child), Some(of)) = (process["pid"].as_i64(), process["ppid"].as_i64()) else { continue };
            if of == parent && !all.contains(&child) {
                all.push(child);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_all_that_a_command_started() {
        let process = |pid: i64, ppid: i64| json!({ "pid": pid, "ppid": ppid, "cmd": "sh" });
        let listed = json!([process(1, 0), process(4, 0), process(5, 4), process(6, 1), process(7, 5)]);
        assert_eq!(with_descendants(4, &listed), [4, 5, 7]);
        assert_eq!(with_descendants(9, &Value::Null), [9]);
    }
}
