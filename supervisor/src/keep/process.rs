//! One process that is kept.
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use super::spec::ProcessSpec;
use crate::{launch, sys};

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// A process that lived so long begins anew with the first delay.
const GOOD_LIFE: Duration = Duration::from_secs(10);
/// A log is copied to `FILE.1` and emptied when it has grown past this.
const LOG_BYTES: u64 = 32 * 1024 * 1024;

enum State {
    /// Not started yet, or stopped for good.
    Idle,
    Running {
        pid: i32,
        since: Instant,
    },
    Waiting {
        until: Instant,
    },
}

pub struct Process<'a> {
    spec: &'a ProcessSpec,
    state: State,
    delay: Duration,
    /// Its end is what was asked for.
    stopping: bool,
}

impl<'a> Process<'a> {
    pub fn new(spec: &'a ProcessSpec) -> Self {
        Process { spec, state: State::Idle, delay: FIRST_DELAY, stopping: false }
    }

    pub fn pid(&self) -> Option<i32> {
        match self.state {
            State::Running { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// When it is to be started again.
    pub fn due(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } => Some(until),
            _ => None,
        }
    }

    pub fn stop_timeout(&self) -> Duration {
        Duration::from_millis(self.spec.stop_timeout_ms)
    }

    pub fn may_start(&self) -> bool {
        self.spec.start_after_file.as_ref().is_none_or(|file| file.exists())
    }

    pub fn waited_in_vain(&self, limit: Duration) -> String {
        let file = self.spec.start_after_file.as_deref().unwrap_or(Path::new("")).display();
        format!("{} was not started: {file} was not there within {} s; the other processes' logs say why", self.spec.name, limit.as_secs())
    }

    pub fn start(&mut self) -> Result<(), String> {
        match self.spawn() {
            Ok(pid) => {
                self.state = State::Running { pid, since: Instant::now() };
                Ok(())
            }
            Err(reason) => Err(format!("{} can't be started: {reason}", self.spec.name)),
        }
    }

    /// Once more; what goes wrong is written into its log and tried again.
    pub fn start_again(&mut self) {
        if let Err(reason) = self.start() {
            self.log("keep.failed", &reason);
            self.wait_longer();
        }
    }

    /// It has ended.
    pub fn ended(&mut self, status: i32) {
        let State::Running { since, .. } = self.state else { return };
        if self.stopping {
            self.state = State::Idle;
            return;
        }
        if since.elapsed() >= GOOD_LIFE {
            self.delay = FIRST_DELAY;
        }
        let delay = self.delay;
        self.wait_longer();
        let how = match libc::WIFSIGNALED(status) {
            true => format!("was ended by signal {}", libc::WTERMSIG(status)),
            false => format!("ended with status {}", libc::WEXITSTATUS(status)),
        };
        self.log("keep.ended", &format!("{} {how} and is started again in {} ms", self.spec.name, delay.as_millis()));
    }

    fn wait_longer(&mut self) {
        self.state = State::Waiting { until: Instant::now() + self.delay };
        self.delay = (self.delay * 2).min(LONGEST_DELAY);
    }

    /// Asks it to end, and never starts it again; its pid when there is something to wait for.
    pub fn stop(&mut self) -> Option<i32> {
        self.stopping = true;
        let pid = self.pid();
        match pid {
            Some(pid) => drop(sys::kill(pid, libc::SIGTERM)),
            None => self.state = State::Idle,
        }
        pid
    }

    /// Copies a log that has grown too large and empties it: the process goes on writing at its end.
    pub fn rotate_log(&self) {
        let path = &self.spec.log_file;
        if std::fs::metadata(path).is_ok_and(|stat| stat.len() > LOG_BYTES) {
            let former = PathBuf::from(format!("{}.1", path.display()));
            let copied = std::fs::copy(path, former).and_then(|_| File::options().write(true).open(path)).and_then(|file| file.set_len(0));
            if let Err(error) = copied {
                self.log("keep.log", &format!("{} can't be rotated: {}", path.display(), sys::reason(&error)));
            }
        }
    }

    fn open_log(&self) -> io::Result<File> {
        File::options().append(true).create(true).open(&self.spec.log_file)
    }

    /// One line in the form of the platform's other logs.
    fn log(&self, event: &str, message: &str) {
        let line = json!({ "timeMs": sys::realtime_ns() / 1_000_000, "level": "warn", "event": event, "process": self.spec.name, "message": message });
        if let Ok(mut file) = self.open_log() {
            let _ = writeln!(file, "{line}");
        }
    }

    /// Returns once the program runs.
    fn spawn(&self) -> Result<i32, String> {
        let reason = |error: io::Error| sys::reason(&error);
        let log = self.open_log().map_err(|error| format!("{}: {}", self.spec.log_file.display(), sys::reason(&error)))?;
        let (told, tell) = sys::pipe().map_err(reason)?;
        let keeper = std::process::id();
        let Some(pid) = sys::fork().map_err(reason)? else {
            drop(told);
            let error = self.become_program(log.into(), keeper);
            let _ = sys::write_all(tell.as_fd(), error.to_string().as_bytes());
            sys::exit_now(127);
        };
        drop(tell);
        let mut error = String::new();
        // The pipe closes by itself when the program is executed.
        File::from(told).read_to_string(&mut error).map_err(reason)?;
        if error.is_empty() {
            return Ok(pid);
        }
        // SAFETY: the status may be null.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        Err(error)
    }

    /// In the child: returns only when something went wrong.
    fn become_program(&self, log: OwnedFd, keeper: u32) -> io::Error {
        match self.prepare(log, keeper).and_then(|()| self.execute()) {
            Ok(never) => never,
            Err(error) => io::Error::other(sys::reason(&error)),
        }
    }

    fn prepare(&self, log: OwnedFd, keeper: u32) -> io::Result<()> {
        // SAFETY: setsid(2) takes no pointers.
        unsafe { libc::setsid() };
        sys::reset_signals();
        let null = File::open("/dev/null")?;
        sys::dup_to(null.as_fd(), 0)?;
        sys::dup_to(log.as_fd(), 1)?;
        sys::dup_to(log.as_fd(), 2)?;
        let spec = self.spec;
        if spec.user.is_some() || spec.private {
            launch::isolate(spec.user, &spec.reachable)?;
        }
        if let Some(user) = spec.user {
            launch::become_user(user)?;
        }
        std::env::set_current_dir(&spec.cwd)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {}", spec.cwd.display(), sys::reason(&error))))?;
        // After the change of user, which clears it.
        sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM as libc::c_ulong, 0)?;
        // SAFETY: getppid(2) takes no pointers.
        if unsafe { libc::getppid() } as u32 != keeper {
            return Err(io::Error::other("the keeper has ended"));
        }
        Ok(())
    }

    fn execute(&self) -> io::Result<io::Error> {
        let argv = self.spec.argv.iter().map(|arg| sys::c_string(arg.as_bytes())).collect::<io::Result<Vec<_>>>()?;
        let env = self
            .spec
            .env
            .iter()
            .map(|(name, value)| sys::c_string(format!("{name}={value}").as_bytes()))
            .collect::<io::Result<Vec<_>>>()?;
        let pointers = |list: &[CString]| list.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>();
        let (arguments, environment) = (pointers(&argv), pointers(&env));
        // SAFETY: both arrays end with null, and what they point to ends with NUL and lives on.
        unsafe { libc::execve(argv[0].as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
        let error = io::Error::last_os_error();
        Ok(io::Error::other(format!("{}: {}", self.spec.argv[0], sys::reason(&error))))
    }
}
