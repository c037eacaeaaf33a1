//! The parent of one QEMU: starts it, keeps the end of its console, and writes down how it ended. Outlives worker and host agent; QEMU
//! does not outlive it.
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::{fchown, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use super::console::Console;
use super::jail::{Jail, HIGHEST_FD};
use super::opens::{self, Opens};
use crate::cgroup::{self, Cgroups};
use crate::protocol::{ErrorCode, FileMode, VmBundle, VmExit, VmFile, WorkerError};
use crate::{net, sys, task};

/// Namespaces of QEMU beside the network's, which the monitor shares: that is how it is found.
const NAMESPACES: libc::c_int = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
/// A guest that floods its console is read this often, a pipe's worth at a time.
const CONSOLE_PAUSE_MS: i32 = 20;
/// Openings that QEMU may ask for at once, and in a second: it takes some hundred to start and a few for each disk that it is given.
/// A QEMU that was taken over must not keep its monitor busy, which lies in nobody's limits.
const OPENINGS: u64 = 2000;
const OPENINGS_A_SECOND: u64 = 200;
/// How long a group may take to get empty when a start failed.
const PATIENCE: Duration = Duration::from_secs(5);

struct Monitor<'a> {
    vm: &'a VmBundle,
    cgroups: Cgroups,
    pid: i32,
    pidfd: OwnedFd,
    output: OwnedFd,
    opens: Opens,
    /// Held locked as long as this process lives.
    lock: File,
}

fn failed(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> WorkerError {
    move |e| {
        let code = match e.raw_os_error() {
            Some(libc::ENOENT) => ErrorCode::NotFound,
            Some(libc::ENOSPC | libc::EDQUOT) => ErrorCode::NoSpace,
            _ => ErrorCode::Failed,
        };
        WorkerError::new(code, format!("cannot {what}: {}", sys::reason(&e)))
    }
}

/// Runs the monitor in the calling, freshly forked process. `answer` is called once, when QEMU is running or when that failed.
pub fn start(vm: &VmBundle, cgroups: Option<Cgroups>, answer: impl FnOnce(Result<serde_json::Value, WorkerError>)) -> ! {
    match prepare(vm, cgroups) {
        Err(e) => {
            answer(Err(e));
            sys::exit_now(1)
        }
        Ok(monitor) => {
            answer(Ok(serde_json::json!({ "pid": std::process::id(), "qemuPid": monitor.pid })));
            sys::trim_memory();
            monitor.watch()
        }
    }
}

fn check(vm: &VmBundle) -> Result<(), WorkerError> {
    let invalid = |what: String| Err(WorkerError::new(ErrorCode::Invalid, what));
    if let Err(e) = cgroup::check_path(&vm.cgroup.path) {
        return invalid(e.to_string());
    }
    if vm.uid == 0 || vm.gid == 0 {
        return invalid("QEMU is not run as root: uid and gid must be another's".to_string());
    }
    let paths =
        [&vm.dir, &vm.room, &vm.program].into_iter().chain(vm.files.iter().map(|f| &f.path)).chain(vm.sockets.iter().map(|s| &s.path));
    for path in paths {
        if !Path::new(path).is_absolute() {
            return invalid(format!("{path:?} is not an absolute path"));
        }
    }
    let mut numbers: Vec<RawFd> =
        vm.files.iter().map(|f| f.fd).chain(vm.sockets.iter().map(|s| s.fd)).chain(vm.tap.iter().map(|t| t.fd)).collect();
    numbers.sort_unstable();
    if let Some(pair) = numbers.windows(2).find(|pair| pair[0] == pair[1]) {
        return invalid(format!("descriptor {} is wanted twice", pair[0]));
    }
    match numbers.iter().find(|n| !(3..=HIGHEST_FD).contains(*n)) {
        Some(number) => invalid(format!("descriptor {number} is not between 3 and {HIGHEST_FD}")),
        None => Ok(()),
    }
}

fn prepare(vm: &VmBundle, cgroups: Option<Cgroups>) -> Result<Monitor<'_>, WorkerError> {
    check(vm)?;
    let lock = task::lock(Path::new(&vm.dir))?;
    task::become_supervisor(c"berth-vm").map_err(failed("set up the monitor's process"))?;
    let cgroups = cgroups.map_or_else(Cgroups::detect, Ok).map_err(|e| WorkerError::new(ErrorCode::Failed, e.to_string()))?;
    let made = bring_up(vm, &cgroups);
    if made.is_err() {
        remove_sockets(vm);
        let _ = cgroups.remove(&vm.cgroup.path, PATIENCE);
        let _ = lock.set_len(0);
    }
    let Started { pid, pidfd, output, opens } = made?;
    Ok(Monitor { vm, cgroups, pid, pidfd, output, opens, lock })
}

struct Started {
    pid: i32,
    pidfd: OwnedFd,
    output: OwnedFd,
    opens: Opens,
}

/// Everything up to QEMU's exec.
fn bring_up(vm: &VmBundle, cgroups: &Cgroups) -> Result<Started, WorkerError> {
    let exit = Path::new(&vm.dir).join("exit.json");
    std::fs::remove_file(&exit).or_else(missing_is_fine).map_err(failed(format!("remove {}", exit.display())))?;
    let mut fds = open_files(vm)?;
    for socket in &vm.sockets {
        fds.push((socket.fd, listen(&socket.path)?));
    }
    let group = |e: cgroup::Error| WorkerError::new(ErrorCode::Failed, e.to_string());
    cgroups.create_whole(&vm.cgroup.path, &vm.cgroup.limits).map_err(group)?;
    let birthplace = cgroups.birthplace(&vm.cgroup.path).map_err(group)?;
    sys::unshare(libc::CLONE_NEWNET).map_err(failed("make the machine's network namespace"))?;
    if let Some(tap) = &vm.tap {
        fds.push((tap.fd, net::tap_create(&tap.name)?));
    }
    let (output, output_write) = sys::pipe().map_err(failed("make a pipe"))?;
    let (status, status_write) = opens::socket_pair().map_err(failed("make a pair of sockets"))?;
    sys::set_nonblocking(output.as_fd()).map_err(failed("prepare a pipe"))?;
    let Some((pid, pidfd)) =
        sys::clone3(NAMESPACES as u64, birthplace.as_ref().map(AsFd::as_fd)).map_err(failed("clone QEMU's process"))?
    else {
        // This copy of the read ends would hide that the monitor is gone.
        drop((output, status));
        Jail { vm, cgroups, fds, output: output_write, status: status_write }.enter()
    };
    drop((output_write, status_write));
    let listener = until_exec(status.as_fd())?;
    // The rest goes, the tap for one, which has to vanish with QEMU.
    let given = vm.files.iter().zip(fds).map(|(file, (number, fd))| (number, fd, file.mode)).collect();
    Ok(Started { pid, pidfd, output, opens: Opens::new(listener, given) })
}

/// Waits for QEMU's exec; gives the listener that came before it, or the reason why there was none.
fn until_exec(status: BorrowedFd) -> Result<OwnedFd, WorkerError> {
    let mut listener = None;
    let mut why = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match opens::receive(status, &mut buffer).map_err(failed("hear of QEMU's process"))? {
            (0, _) => break,
            (_, Some(fd)) => listener = Some(fd),
            (length, None) => why.extend_from_slice(&buffer[..length]),
        }
    }
    match listener {
        Some(listener) if why.is_empty() => Ok(listener),
        _ if why.is_empty() => Err(WorkerError::new(ErrorCode::Failed, "QEMU's process was killed before it began")),
        _ => Err(WorkerError::new(ErrorCode::Failed, String::from_utf8_lossy(&why).into_owned())),
    }
}

/// Opened here, with root's rights, so that QEMU's user needs none of its own.
fn open_files(vm: &VmBundle) -> Result<Vec<(RawFd, OwnedFd)>, WorkerError> {
    let open = |file: &VmFile| {
        let write = !matches!(file.mode, FileMode::Read);
        let opened = OpenOptions::new()
            .read(!matches!(file.mode, FileMode::Write))
            .write(write)
            .create(write && file.create)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&file.path)?;
        if write && file.create {
            // QEMU may have to open it again, by its path.
            fchown(&opened, Some(vm.uid), Some(vm.gid))?;
        }
        Ok(opened)
    };
    let pair = |file: &VmFile| open(file).map(|f| (file.fd, f.into())).map_err(failed(format!("open {}", file.path)));
    vm.files.iter().map(pair).collect()
}

/// Listens before QEMU is there: a connection waits for it.
fn listen(path: &str) -> Result<OwnedFd, WorkerError> {
    let bound = || {
        let path = Path::new(path);
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        std::fs::remove_file(path).or_else(missing_is_fine)?;
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener.into())
    };
    bound().map_err(failed(format!("listen on {path}")))
}

fn remove_sockets(vm: &VmBundle) {
    for socket in &vm.sockets {
        let _ = std::fs::remove_file(&socket.path);
    }
}

fn missing_is_fine(e: io::Error) -> io::Result<()> {
    if e.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(e)
    }
}

impl Monitor<'_> {
    fn watch(self) -> ! {
        let mut console = Console::default();
        let mut is_open = true;
        let mut openings = Allowance::new();
        loop {
            let mut fds = [self.pidfd.as_fd(), self.opens.fd(), self.output.as_fd()].map(|fd| sys::poll_entry(fd, libc::POLLIN));
            let count = if is_open { 3 } else { 2 };
            if sys::poll(&mut fds[..count], -1).is_err() {
                // poll fails only for want of memory.
                std::thread::sleep(Duration::from_millis(10));
            }
            if fds[0].revents != 0 {
                break;
            }
            if fds[1].revents & libc::POLLIN != 0 {
                openings.take(self.pidfd.as_fd());
                self.opens.answer();
                // Its start is all openings; the console can wait.
                continue;
            }
            if fds[1].revents != 0 {
                // Nobody is left who could open anything; the end of QEMU is near.
                let _ = sys::poll(&mut fds[..1], -1);
            } else if is_open && fds[2].revents != 0 {
                is_open = read_some(self.output.as_fd(), &mut console);
                let _ = sys::poll(&mut fds[..2], CONSOLE_PAUSE_MS);
            }
        }
        if is_open {
            read_some(self.output.as_fd(), &mut console);
        }
        self.write_down(&mut console);
        remove_sockets(self.vm);
        let _ = self.lock.set_len(0);
        sys::exit_now(0)
    }

    fn write_down(&self, console: &mut Console) {
        let status = sys::reap().map_or(0, |(_, status)| status);
        let signal = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
        let exit = VmExit {
            code: signal.is_none().then(|| libc::WEXITSTATUS(status)),
            signal,
            oom_killed: signal == Some(libc::SIGKILL) && self.cgroups.oom_kills(&self.vm.cgroup.path) > 0,
            at_ms: sys::realtime_ns() / 1_000_000,
            console: console.text(),
        };
        let dir = Path::new(&self.vm.dir);
        let temp = dir.join("exit.json.new");
        // On a full disk there is no exit.json: then the host sees that nobody holds the directory, and knows no reason.
        let text = serde_json::to_vec(&exit).unwrap_or_default();
        let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temp);
        let _ = written
            .and_then(|mut file| io::Write::write_all(&mut file, &text))
            .and_then(|()| std::fs::rename(&temp, dir.join("exit.json")));
    }
}

/// Reads what is there, a pipe's worth at most; false at its end.
fn read_some(output: BorrowedFd, console: &mut Console) -> bool {
    let mut buffer = [0; 4096];
    for _ in 0..16 {
        match sys::read(output, &mut buffer) {
            Ok(Some(0)) | Err(_) => return false,
            Ok(Some(n)) => console.push(&buffer[..n]),
            Ok(None) => return true,
        }
    }
    true
}

/// So many at once, and so many a second from then on.
struct Allowance {
    left: u64,
    since_ns: u64,
}

impl Allowance {
    fn new() -> Allowance {
        Allowance { left: OPENINGS, since_ns: sys::monotonic_ns() }
    }

    /// Takes one; when there is none, waits for it, or for the end of the process.
    fn take(&mut self, process: BorrowedFd) {
        const EACH_NS: u64 = 1_000_000_000 / OPENINGS_A_SECOND;
        if self.left == 0 {
            let new = (sys::monotonic_ns() - self.since_ns) / EACH_NS;
            self.left = new.min(OPENINGS);
            self.since_ns += new * EACH_NS;
        }
        match self.left {
            0 => drop(sys::poll(&mut [sys::poll_entry(process, libc::POLLIN)], (EACH_NS / 1_000_000) as i32)),
            _ => self.left -= 1,
        }
    }
}
