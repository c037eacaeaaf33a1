//! The room that a task's gVisor sandbox lives in: namespaces of its own whose first process makes the sandbox, waits for its end, and
//! dies with the supervisor. Whatever happens to the supervisor, nothing of the sandbox outlives it.
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::urpc::{self, Connection};
use crate::cgroup::Cgroups;
use crate::protocol::{RunscBundle, TEXT_BYTES};
use crate::{mount, sys};

/// The sandbox's name in its room; its control socket is `runsc-NAME.sock` there.
pub const SANDBOX: &str = "sandbox";
/// How long a sandbox may take to start; it takes some 150 ms on a quiet machine.
const START_PATIENCE_MS: i32 = 30_000;
const CALL_PATIENCE: Duration = Duration::from_secs(20);
/// What the room's first process says once the sandbox is there; everything else is why it isn't.
const STARTED: u8 = b'+';

/// The namespaces that hold nothing but the sandbox: no network, nobody else's names and processes.
const KINDS: [(&str, libc::c_int); 5] = [
    ("pid", libc::CLONE_NEWPID),
    ("net", libc::CLONE_NEWNET),
    ("ipc", libc::CLONE_NEWIPC),
    ("uts", libc::CLONE_NEWUTS),
    ("mnt", libc::CLONE_NEWNS),
];

pub struct Room {
    pid: i32,
    pidfd: OwnedFd,
    dir: PathBuf,
    /// In the order of `KINDS`.
    namespaces: Vec<OwnedFd>,
    status: Option<OwnedFd>,
    /// Standard input and output of the sandbox's own first container, which takes its host name from there.
    hostname: OwnedFd,
    hostname_set: OwnedFd,
    /// It is being killed: its end is no news.
    pub is_doomed: bool,
    /// How often each container was started again.
    restarts: RefCell<BTreeMap<usize, u64>>,
}

impl Room {
    /// Begins to make a sandbox, whose processes go into `group`; `wait` tells when it is there.
    pub fn start(runtime: &RunscBundle, cgroups: &Cgroups, group: &str) -> io::Result<Room> {
        let dir = PathBuf::from(&runtime.room);
        match DirBuilder::new().recursive(true).mode(0o700).create(&dir) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        let (status, status_write) = sys::pipe()?;
        let (hostname_read, hostname) = sys::pipe()?;
        let (hostname_set, hostname_set_write) = sys::pipe()?;
        let flags = KINDS.iter().fold(0, |flags, (_, kind)| flags | kind);
        let Some((pid, pidfd)) = sys::clone3(flags as u64, None)? else {
            drop(status);
            let stdio = (hostname_read, hostname_set_write);
            live(runtime, cgroups, group, &stdio, &status_write)
        };
        let open = |(name, _): &(&str, libc::c_int)| File::open(format!("/proc/{pid}/ns/{name}")).map(OwnedFd::from);
        let namespaces = KINDS.iter().map(open).collect::<io::Result<Vec<_>>>()?;
        Ok(Room {
            pid,
            pidfd,
            dir,
            namespaces,
            status: Some(status),
            hostname,
            hostname_set,
            is_doomed: false,
            restarts: RefCell::default(),
        })
    }

    /// Waits until the sandbox is there and could `begin`, or gives the reason why it never will.
    pub fn wait(&mut self) -> Result<(), String> {
        let Some(status) = self.status.take() else { return Ok(()) };
        let mut text = Vec::new();
        loop {
            let mut entry = [sys::poll_entry(status.as_fd(), libc::POLLIN)];
            sys::poll(&mut entry, START_PATIENCE_MS).map_err(|e| sys::reason(&e))?;
            if entry[0].revents == 0 {
                return Err(format!("gVisor's sandbox did not start within {} s", START_PATIENCE_MS / 1000));
            }
            let mut buffer = [0; 512];
            match sys::read(status.as_fd(), &mut buffer) {
                Ok(Some(n)) if n > 0 && text.len() < TEXT_BYTES => text.extend_from_slice(&buffer[..n]),
                _ => break,
            }
        }
        match text.as_slice() {
            [STARTED] => Ok(()),
            [] => Err("gVisor's sandbox was killed while it started".to_string()),
            why => Err(String::from_utf8_lossy(why).into_owned()),
        }
    }

    /// Lets the sandbox, which has its network, run its own first container. From then on it makes no system call that it doesn't need any
    /// more, so links can't be given to it later.
    pub fn begin(&self) -> Result<(), urpc::Error> {
        Connection::open(&self.control(), Some(CALL_PATIENCE))?.call("containerManager.StartRoot", &json!(SANDBOX), &[]).map(drop)
    }

    /// Tells the sandbox its host name; it is set when this comes back. Once only.
    pub fn set_hostname(&self, name: &str) -> io::Result<()> {
        sys::write_all(self.hostname.as_fd(), name.as_bytes())?;
        let mut entry = [sys::poll_entry(self.hostname_set.as_fd(), libc::POLLIN)];
        sys::poll(&mut entry, CALL_PATIENCE.as_millis() as i32)?;
        match sys::read(self.hostname_set.as_fd(), &mut [0]) {
            Ok(Some(1)) if entry[0].revents & libc::POLLIN != 0 => Ok(()),
            _ => Err(io::Error::other("the sandbox did not take its host name")),
        }
    }

    /// Reads as ready once the sandbox and all that was in its namespaces have ended.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    pub fn control(&self) -> PathBuf {
        control_socket(&self.dir)
    }

    /// The calling process's children will be in the room's PID namespace, and it itself in all others but that of mounts.
    pub fn enter(&self) -> io::Result<()> {
        let mut kinds = KINDS.iter().zip(&self.namespaces).filter(|((name, _), _)| *name != "mnt");
        kinds.try_for_each(|((_, kind), namespace)| sys::set_namespace(namespace.as_fd(), *kind))
    }
}

impl Room {
    /// Container `index`'s name in the sandbox.
    pub fn cid(&self, index: usize) -> String {
        match self.restarts.borrow().get(&index) {
            None => format!("c{index}"),
            Some(count) => format!("c{index}-{count}"),
        }
    }

    /// Container `index` is started again: the sandbox keeps what belonged to its former name (its control groups).
    pub fn rename(&self, index: usize) {
        *self.restarts.borrow_mut().entry(index).or_default() += 1;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = sys::signal_by_pidfd(self.pidfd.as_fd(), libc::SIGKILL);
    }
}

pub fn control_socket(room: &Path) -> PathBuf {
    room.join(format!("runsc-{SANDBOX}.sock"))
}

/// The life of the room's first process. It ends with the sandbox, and as the sandbox ended.
fn live(runtime: &RunscBundle, cgroups: &Cgroups, group: &str, stdio: &(OwnedFd, OwnedFd), status: &OwnedFd) -> ! {
    sys::set_name(c"berth-room");
    match make(runtime, cgroups, group, stdio) {
        Err(why) => {
            let _ = sys::write_all(status.as_fd(), &why.as_bytes()[..why.len().min(TEXT_BYTES - 1)]);
            sys::exit_now(1)
        }
        Ok(sandbox) => {
            let _ = sys::write_all(status.as_fd(), &[STARTED]);
            sys::close_from(0);
            loop {
                let mut ended = 0;
                // SAFETY: `ended` is writable.
                let pid = unsafe { libc::waitpid(-1, &mut ended, 0) };
                if pid == sandbox || pid < 0 {
                    sys::exit_now(sys::exit_code(ended))
                }
            }
        }
    }
}

/// Gives the sandbox's PID in the room.
fn make(runtime: &RunscBundle, cgroups: &Cgroups, group: &str, stdio: &(OwnedFd, OwnedFd)) -> Result<i32, String> {
    let failed = |what: &'static str| move |e: io::Error| format!("cannot {what}: {}", sys::reason(&e));
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0).map_err(failed("tie the sandbox to its supervisor"))?;
    sys::prctl(libc::PR_SET_DUMPABLE, 0, 0).map_err(failed("shut the room"))?;
    mount::mount("", "/", "", libc::MS_REC | libc::MS_SLAVE, "").map_err(failed("detach the mount namespace"))?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    mount::mount("proc", "/proc", "proc", flags, "").map_err(failed("mount /proc"))?;
    let dir = Path::new(&runtime.room);
    let pid_file = dir.join("pid");
    let (errors, errors_write) = sys::pipe().map_err(failed("make a pipe"))?;
    sys::set_nonblocking(errors.as_fd()).map_err(failed("prepare a pipe"))?;
    let mut args = command(runtime);
    args.extend(["create", "--bundle", &runtime.pause, "--pid-file", &pid_file.to_string_lossy(), SANDBOX].map(str::to_string));
    let streams = [stdio.0.as_fd(), stdio.1.as_fd(), errors_write.as_fd()];
    let program = Program { path: &runtime.binary, args: &args, cgroups, group };
    let pid = spawn(&program, &streams, 0).map_err(failed("run runsc"))?;
    let mut status = 0;
    // SAFETY: `status` is writable.
    if unsafe { libc::waitpid(pid, &mut status, 0) } != pid || status != 0 {
        let mut said = vec![0; 4096];
        let n = sys::read(errors.as_fd(), &mut said).ok().flatten().unwrap_or(0);
        return Err(format!("runsc create: {}", String::from_utf8_lossy(&said[..n]).trim()));
    }
    let text = std::fs::read_to_string(&pid_file).map_err(failed("read the sandbox's PID"))?;
    text.trim().parse().map_err(|_| format!("runsc wrote {text:?} as the sandbox's PID"))
}

/// The program's name and global flags.
pub fn command(runtime: &RunscBundle) -> Vec<String> {
    let mut args = vec!["runsc".to_string()];
    args.extend(runtime.flags.iter().cloned());
    args.push(format!("--root={}", runtime.room));
    args
}

/// A program to run in a cgroup, without an environment.
pub struct Program<'a> {
    pub path: &'a str,
    pub args: &'a [String],
    pub cgroups: &'a Cgroups,
    pub group: &'a str,
}

/// Runs a program with `streams` as its descriptors from 0 on, in new namespaces by `flags` (CLONE_NEW...). It dies with its parent.
pub fn spawn(program: &Program, streams: &[BorrowedFd], flags: libc::c_int) -> io::Result<i32> {
    let path = sys::c_string(program.path.as_bytes())?;
    let args = program.args.iter().map(|arg| sys::c_string(arg.as_bytes())).collect::<io::Result<Vec<CString>>>()?;
    let birthplace = program.cgroups.birthplace(program.group).map_err(io::Error::other)?;
    let Some((pid, _)) = sys::clone3(flags as u64, birthplace.as_ref().map(AsFd::as_fd))? else {
        let _ = become_program(program, &path, &args, streams);
        sys::exit_now(127)
    };
    Ok(pid)
}

fn become_program(program: &Program, path: &CString, args: &[CString], streams: &[BorrowedFd]) -> io::Result<()> {
    program.cgroups.join(program.group).map_err(io::Error::other)?;
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0)?;
    sys::prctl(libc::PR_SET_DUMPABLE, 1, 0)?;
    sys::set_descriptors(streams)?;
    sys::reset_signals();
    std::env::set_current_dir("/")?;
    let mut pointers: Vec<*const libc::c_char> = args.iter().map(|arg| arg.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let none = [std::ptr::null::<libc::c_char>()];
    // SAFETY: both arrays end with null and point at C strings that outlive the call.
    unsafe { libc::execve(path.as_ptr(), pointers.as_ptr(), none.as_ptr()) };
    Err(io::Error::last_os_error())
}
