//! Control groups of tasks and containers, in both layouts: v1 hierarchies (hybrid), and the v2 tree alone.
mod detail;
mod layout;
mod limits;

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use layout::{check_path, Controller, Layout};

use crate::protocol::{CgroupLimits, CgroupStats};
use crate::sys;

#[derive(Debug)]
pub enum Error {
    /// Neither cgroup v2 nor a v1 memory hierarchy is mounted.
    NoHierarchy,
    /// Not a path that a group may have.
    Path(String),
    Io {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Processes are left after everything was tried.
    Busy(PathBuf),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::NoHierarchy => f.write_str("no cgroup hierarchy with a memory controller is mounted"),
            Error::Path(path) => write!(f, "{path:?} is not a cgroup path: plain names between slashes are wanted"),
            Error::Io { what, path, source } => write!(f, "cannot {what} {}: {}", path.display(), sys::reason(source)),
            Error::Busy(path) => write!(f, "the cgroup {} doesn't get empty", path.display()),
        }
    }
}

impl std::error::Error for Error {}

fn io_error<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error::Io { what, path: path.to_path_buf(), source }
}

/// This machine's groups.
#[derive(Debug, Clone)]
pub struct Cgroups {
    layout: Layout,
}

/// cgroup.kill came with Linux 5.14.
fn has_cgroup_kill() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-', '\n']).map_while(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (5, 14)
}

impl Cgroups {
    pub fn detect() -> Result<Cgroups, Error> {
        let path = Path::new("/proc/self/mountinfo");
        let text = std::fs::read_to_string(path).map_err(io_error("read", path))?;
        let layout = Layout::from_mountinfo(&text)?;
        let kills = layout.unified("x").is_some() && has_cgroup_kill();
        Ok(Cgroups { layout: if kills { layout.lean() } else { layout } })
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Makes the group of a task, below which its containers' groups go.
    pub fn create_task(&self, path: &str, limits: &CgroupLimits) -> Result<(), Error> {
        self.create_whole(path, limits)?;
        if let Layout::V2 { root } = &self.layout {
            enable_controllers(&root.join(path))?;
        }
        Ok(())
    }

    /// Makes the group of a task with one container, whose processes are in it.
    pub fn create_whole(&self, path: &str, limits: &CgroupLimits) -> Result<(), Error> {
        check_path(path)?;
        if let Layout::V2 { root } = &self.layout {
            // Controllers reach a group only through all those above it, and a group that hands them on may hold no process.
            let mut at = root.clone();
            for part in path.split('/') {
                enable_controllers(&at)?;
                at.push(part);
                make(&at)?;
            }
        } else {
            for dir in self.layout.directories(path) {
                std::fs::create_dir_all(&dir).map_err(io_error("make the cgroup", &dir))?;
            }
        }
        self.limit(path, limits)
    }

    /// Makes the group of one container below its task's.
    pub fn create_container(&self, path: &str, limits: &CgroupLimits) -> Result<(), Error> {
        check_path(path)?;
        for dir in self.layout.directories(path) {
            make(&dir)?;
        }
        self.limit(path, limits)
    }

    /// Changes limits of a group that is there; what is not given stays as it is.
    pub fn change(&self, path: &str, limits: &CgroupLimits) -> Result<(), Error> {
        check_path(path)?;
        if let (Some(bytes), Some(dir)) = (limits.memory_bytes, self.layout.directory(path, Controller::Memory)) {
            // In v1 memory with swap is never less than without: to raise both, this one has to go first. To lower them, it can't.
            let _ = write_file(&dir.join("memory.memsw.limit_in_bytes"), &bytes.to_string());
        }
        self.limit(path, limits)
    }

    fn limit(&self, path: &str, limits: &CgroupLimits) -> Result<(), Error> {
        for write in limits::writes(&self.layout, limits) {
            let Some(dir) = self.layout.directory(path, write.controller) else {
                if write.required {
                    return Err(Error::NoHierarchy);
                }
                continue;
            };
            let file = dir.join(write.file);
            match write_file(&file, &write.value) {
                Err(source) if write.required => return Err(Error::Io { what: "set", path: file, source }),
                _ => {}
            }
        }
        Ok(())
    }

    /// The v2 directory into which a process can be born.
    pub fn birthplace(&self, path: &str) -> Result<Option<OwnedFd>, Error> {
        let Some(dir) = self.layout.unified(path) else { return Ok(None) };
        File::open(&dir).map(|f| Some(f.into())).map_err(io_error("open", &dir))
    }

    /// Moves the calling, single-threaded process into the v1 parts of the group; its v2 part it was born into.
    ///
    /// Writing 0 to `tasks` moves one thread that is the caller itself: the kernel then needs no lock over all forks of the machine,
    /// which costs milliseconds.
    pub fn join(&self, path: &str) -> Result<(), Error> {
        let Layout::V1 { hierarchies, .. } = &self.layout else { return Ok(()) };
        for hierarchy in hierarchies {
            let file = hierarchy.mountpoint.join(path).join("tasks");
            write_file(&file, "0").map_err(io_error("join", &file))?;
        }
        Ok(())
    }

    /// How often the kernel killed a process of this group for want of memory.
    pub fn oom_kills(&self, path: &str) -> u64 {
        let Some(dir) = self.layout.directory(path, Controller::Memory) else { return 0 };
        let file = if matches!(self.layout, Layout::V2 { .. }) { "memory.events" } else { "memory.oom_control" };
        keyed(&dir.join(file), "oom_kill")
    }

    pub fn stats(&self, path: &str) -> CgroupStats {
        let at = |controller, file: &str| self.layout.directory(path, controller).map(|dir| dir.join(file));
        let read = |file: Option<PathBuf>| file.map_or(0, |f| number(&f));
        let read_key = |file: Option<PathBuf>, key| file.map_or(0, |f| keyed(&f, key));
        let (cpu_ns, used, inactive) = match self.layout {
            Layout::V1 { .. } => (
                match at(Controller::Cpuacct, "cpuacct.usage") {
                    Some(file) => number(&file),
                    None => read_key(self.layout.unified(path).map(|dir| dir.join("cpu.stat")), "usage_usec") * 1000,
                },
                read(at(Controller::Memory, "memory.usage_in_bytes")),
                read_key(at(Controller::Memory, "memory.stat"), "total_inactive_file"),
            ),
            Layout::V2 { .. } => (
                read_key(at(Controller::Cpu, "cpu.stat"), "usage_usec") * 1000,
                read(at(Controller::Memory, "memory.current")),
                read_key(at(Controller::Memory, "memory.stat"), "inactive_file"),
            ),
        };
        let pids = read(at(Controller::Pids, "pids.current"));
        // Page cache that can be dropped any time is not counted, as Docker and Kubernetes do it.
        CgroupStats { cpu_ns, memory_bytes: used.saturating_sub(inactive), pids }
    }

    /// SIGKILL to every process of the group and those below it.
    pub fn kill(&self, path: &str) -> Result<(), Error> {
        check_path(path)?;
        if let Some(dir) = self.layout.unified(path) {
            let file = dir.join("cgroup.kill");
            match write_file(&file, "1") {
                Ok(()) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(io_error("kill by", &file)(e)),
            }
        }
        self.kill_listed(path);
        Ok(())
    }

    /// As `kill`, of a group that is used again: some kernels (seen with 6.18) kill all that is cloned into a group in which
    /// `cgroup.kill` was ever written.
    pub fn kill_listed(&self, path: &str) {
        // Frozen processes cannot fork away from the list; the signal reaches them when they thaw, if not before.
        let freezer = self.freezer(path);
        if let Some((file, frozen, _)) = &freezer {
            let _ = write_file(file, frozen);
        }
        for dir in self.layout.directories(path) {
            kill_listed(&dir);
        }
        if let Some((file, _, thawed)) = &freezer {
            let _ = write_file(file, thawed);
        }
    }

    /// Holds every process of the group still, and comes back when all are; Busy when that takes longer than `patience`.
    pub fn freeze(&self, path: &str, patience: Duration) -> Result<(), Error> {
        check_path(path)?;
        let Some((file, frozen, _)) = self.freezer(path) else { return Err(Error::NoHierarchy) };
        let until = Instant::now() + patience;
        loop {
            // The v1 freezer wants to be told again when a process could not be stopped at once.
            write_file(&file, frozen).map_err(io_error("freeze by", &file))?;
            let dir = file.parent().unwrap_or(&file);
            let state = std::fs::read_to_string(dir.join("freezer.state")).unwrap_or_default();
            if state.trim() == "FROZEN" || keyed(&dir.join("cgroup.events"), "frozen") == 1 {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(Error::Busy(file));
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Lets the group go on. One that is gone is fine.
    pub fn thaw(&self, path: &str) -> Result<(), Error> {
        check_path(path)?;
        let Some((file, _, thawed)) = self.freezer(path) else { return Ok(()) };
        match write_file(&file, thawed) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error("thaw by", &file)(e)),
            _ => Ok(()),
        }
    }

    /// The file that freezes a group, and what to write into it.
    fn freezer(&self, path: &str) -> Option<(PathBuf, &'static str, &'static str)> {
        let v2 = self.layout.unified(path).map(|dir| (dir.join("cgroup.freeze"), "1", "0"));
        v2.or_else(|| self.layout.directory(path, Controller::Freezer).map(|dir| (dir.join("freezer.state"), "FROZEN", "THAWED")))
    }

    /// Kills what is left in the group and removes it with all below it. Missing is fine.
    pub fn remove(&self, path: &str, patience: Duration) -> Result<(), Error> {
        check_path(path)?;
        let until = Instant::now() + patience;
        let mut pause = Duration::from_micros(200);
        loop {
            let mut left = None;
            for dir in self.layout.directories(path) {
                if let Err(e) = remove_tree(&dir) {
                    left = Some((dir, e));
                }
            }
            let Some((dir, e)) = left else { return Ok(()) };
            if e.raw_os_error() != Some(libc::EBUSY) {
                return Err(io_error("remove the cgroup", &dir)(e));
            }
            if Instant::now() >= until {
                return Err(Error::Busy(dir));
            }
            self.kill(path)?;
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Removes an instance's own parent groups; NotEmpty (as Busy) when a task is left in one.
    pub fn remove_empty(&self, path: &str) -> Result<(), Error> {
        check_path(path)?;
        for dir in self.layout.directories(path) {
            match std::fs::remove_dir(&dir) {
                Err(e) if e.raw_os_error() == Some(libc::EBUSY) => return Err(Error::Busy(dir)),
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io_error("remove the cgroup", &dir)(e)),
                _ => {}
            }
        }
        Ok(())
    }
}

fn make(dir: &Path) -> Result<(), Error> {
    match std::fs::create_dir(dir) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(io_error("make the cgroup", dir)(e)),
        _ => Ok(()),
    }
}

fn enable_controllers(dir: &Path) -> Result<(), Error> {
    const WANTED: [&str; 3] = ["cpu", "memory", "pids"];
    let file = dir.join("cgroup.subtree_control");
    let enabled = std::fs::read_to_string(&file).map_err(io_error("read", &file))?;
    let missing: Vec<String> = WANTED.iter().filter(|c| !enabled.split_whitespace().any(|e| e == **c)).map(|c| format!("+{c}")).collect();
    if missing.is_empty() {
        return Ok(());
    }
    write_file(&file, &missing.join(" ")).map_err(io_error("enable controllers by", &file))
}

fn write_file(path: &Path, value: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
}

fn number(path: &Path) -> u64 {
    std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// The number behind `key` in a file of lines `key number`.
fn keyed(path: &Path, key: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    value.and_then(|v| v.trim().parse().ok()).unwrap_or(0)
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect()
}

fn kill_listed(dir: &Path) {
    for child in children(dir) {
        kill_listed(&child);
    }
    let procs = std::fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    for pid in procs.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 1) {
        let _ = sys::kill(pid, libc::SIGKILL);
    }
}

fn remove_tree(dir: &Path) -> io::Result<()> {
    for child in children(dir) {
        remove_tree(&child)?;
    }
    match std::fs::remove_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
