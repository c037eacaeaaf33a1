//! Subcommand `keep`: starts the platform's processes, starts them again when they end, and stops them in reverse order.
//!
//! What it starts gets SIGTERM when the keeper itself dies: nothing holds a port or a database that nobody tends. Tasks are no children
//! of these processes and go on.
mod pid_file;
mod process;
mod spec;

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::sys;
use pid_file::PidFile;
use process::Process;
use spec::Spec;

const USAGE: &str = "usage: berth-supervisor keep --spec FILE [--daemon]";
/// How long the first start of all processes may take, files that some wait for included.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How often a process that waits for a file looks for it.
const FILE_POLL: Duration = Duration::from_millis(20);
/// How often the logs' sizes are looked at.
const LOG_POLL: Duration = Duration::from_secs(60);

/// Runs `berth-supervisor keep ARGS`. With `--daemon` it returns once every process is started.
pub fn main(args: &[String]) -> ExitCode {
    let Some((path, daemon)) = parse(args) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let result = Spec::read(path).and_then(|spec| if daemon { detach(&spec) } else { run(&spec, || ()) });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("berth-supervisor: {message}");
            ExitCode::FAILURE
        }
    }
}

fn parse(args: &[String]) -> Option<(&str, bool)> {
    let daemon = args.iter().any(|arg| arg == "--daemon");
    let rest: Vec<&str> = args.iter().map(String::as_str).filter(|arg| *arg != "--daemon").collect();
    match rest[..] {
        ["--spec", path] => Some((path, daemon)),
        _ => None,
    }
}

/// Runs the keeper in a session of its own; tells how the start went.
fn detach(spec: &Spec) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("can't start the keeper: {}", sys::reason(&error));
    let (told, tell) = sys::pipe().map_err(failed)?;
    if sys::fork().map_err(failed)?.is_none() {
        drop(told);
        run_detached(spec, tell);
        sys::exit_now(0);
    }
    drop(tell);
    let mut answer = String::new();
    File::from(told).read_to_string(&mut answer).map_err(failed)?;
    match answer.as_str() {
        "ok" => Ok(()),
        "" => Err("the keeper ended before everything was started".into()),
        message => Err(message.into()),
    }
}

fn run_detached(spec: &Spec, tell: OwnedFd) {
    // SAFETY: setsid(2) takes no pointers.
    unsafe { libc::setsid() };
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        for number in 0..=2 {
            let _ = sys::dup_to(null.as_fd(), number);
        }
    }
    let _ = std::env::set_current_dir("/");
    let mut tell = Some(tell);
    let mut say = |text: &str| {
        if let Some(tell) = tell.take() {
            let _ = sys::write_all(tell.as_fd(), text.as_bytes());
        }
    };
    if let Err(message) = run(spec, || say("ok")) {
        say(&message);
    }
}

/// Starts all, calls `started`, and keeps them until SIGTERM, SIGINT or SIGHUP.
fn run(spec: &Spec, mut started: impl FnMut()) -> Result<(), String> {
    let _pid_file = PidFile::take(&spec.pid_file)?;
    let signals = sys::signal_fd(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP]).map_err(|e| sys::reason(&e))?;
    let mut keeper = Keeper { processes: spec.processes.iter().map(Process::new).collect(), signals };
    sys::trim_memory();
    let result = keeper.start_all().map(|all| {
        if all {
            started();
            keeper.keep();
        }
    });
    keeper.stop_all();
    result
}

struct Keeper<'a> {
    /// In the order of the spec.
    processes: Vec<Process<'a>>,
    signals: OwnedFd,
}

impl Keeper<'_> {
    /// Starts each once; false when a signal said to stop before all were.
    fn start_all(&mut self) -> Result<bool, String> {
        let limit = Instant::now() + START_LIMIT;
        for at in 0..self.processes.len() {
            while !self.processes[at].may_start() {
                if Instant::now() >= limit {
                    return Err(self.processes[at].waited_in_vain(START_LIMIT));
                }
                if self.wait(FILE_POLL) {
                    return Ok(false);
                }
                self.tend();
            }
            self.processes[at].start()?;
        }
        Ok(true)
    }

    fn keep(&mut self) {
        let mut logs_due = Instant::now() + LOG_POLL;
        loop {
            let now = Instant::now();
            let next = self.processes.iter().filter_map(|process| process.due()).min().unwrap_or(logs_due).min(logs_due);
            if self.wait(next.saturating_duration_since(now).max(Duration::from_millis(1))) {
                return;
            }
            self.tend();
            if Instant::now() >= logs_due {
                self.processes.iter().for_each(Process::rotate_log);
                logs_due = Instant::now() + LOG_POLL;
            }
        }
    }

    /// Starts again what is due; a process that was never started is left to `start_all`.
    fn tend(&mut self) {
        let now = Instant::now();
        for process in &mut self.processes {
            if process.due().is_some_and(|due| due <= now) {
                process.start_again();
            }
        }
    }

    /// Waits for a signal, and reaps; true when the keeper shall stop.
    fn wait(&mut self, patience: Duration) -> bool {
        // Rounded up: a wait of nothing would spin.
        let timeout = i32::try_from(patience.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let _ = sys::poll(&mut [sys::poll_entry(self.signals.as_fd(), libc::POLLIN)], timeout);
        let signals = sys::read_signals(self.signals.as_fd());
        while let Some((pid, status)) = sys::reap() {
            if let Some(process) = self.processes.iter_mut().find(|process| process.pid() == Some(pid)) {
                process.ended(status);
            }
        }
        signals.iter().any(|signal| *signal != libc::SIGCHLD)
    }

    /// The last that was started is the first that is stopped; each gets its time.
    fn stop_all(&mut self) {
        for at in (0..self.processes.len()).rev() {
            let Some(pid) = self.processes[at].stop() else { continue };
            let limit = Instant::now() + self.processes[at].stop_timeout();
            let mut killed = false;
            while self.processes[at].pid().is_some() {
                let now = Instant::now();
                if now >= limit && !killed {
                    let _ = sys::kill(pid, libc::SIGKILL);
                    killed = true;
                }
                self.wait(if killed { FILE_POLL } else { limit - now });
            }
        }
    }
}
