//! Subcommand `balance`: holds the load balancers' listening sockets and keeps a HAProxy on them.
//!
//! The sockets are this process's own. HAProxy inherits them at the numbers that its configuration names (`bind fd@N`), so they stay open
//! while one HAProxy follows another: a reload refuses nobody, and after a kill connections wait in the backlog for the next one. What is to
//! be held stands in the configuration itself, as comments (`config.rs`): nothing else has to be remembered.
mod config;
mod control;
mod haproxy;
mod sockets;

use std::collections::VecDeque;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::launch::{self, User};
use crate::sys;
use config::Wanted;
use control::{Answer, Caller, Request};
use haproxy::{Haproxy, Program};
use sockets::Sockets;

const USAGE: &str = "usage: berth-supervisor balance --config FILE --socket PATH --front ADDRESS:PORT... --uid N --gid N \
                     [--reachable PATH]... -- HAPROXY";
/// A HAProxy that lived so long is started again at once; one that did not waits, longer each time.
const GOOD_LIFE: Duration = Duration::from_secs(1);
const FIRST_DELAY: Duration = Duration::from_millis(50);
const LONGEST_DELAY: Duration = Duration::from_secs(2);
/// How long HAProxy may take to end when this process is to end.
const STOP_LIMIT: Duration = Duration::from_secs(2);
/// Ends of HAProxys that can still be asked about.
const REMEMBERED: usize = 8;
/// Connections of the control plane at a time; the oldest makes way.
const CALLERS: usize = 16;

struct Options {
    /// HAProxy's configuration; `FILE.new` is the one that a reload tries.
    config: PathBuf,
    socket: PathBuf,
    front: Vec<std::net::SocketAddr>,
    user: User,
    reachable: Vec<PathBuf>,
    program: PathBuf,
}

/// Runs `berth-supervisor balance ARGS` until SIGTERM or SIGINT.
pub fn main(args: &[String]) -> ExitCode {
    let Some(options) = parse(args) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("berth-supervisor: {message}");
            ExitCode::FAILURE
        }
    }
}

fn parse(args: &[String]) -> Option<Options> {
    let split = args.iter().position(|arg| arg == "--")?;
    let [program] = &args[split + 1..] else { return None };
    let (mut config, mut socket, mut uid, mut gid, mut front, mut reachable) = (None, None, None, None, Vec::new(), Vec::new());
    for pair in args[..split].chunks(2) {
        let [name, value] = pair else { return None };
        match name.as_str() {
            "--config" => config = Some(PathBuf::from(value)),
            "--socket" => socket = Some(PathBuf::from(value)),
            "--front" => front.push(value.parse().ok()?),
            "--uid" => uid = Some(value.parse().ok()?),
            "--gid" => gid = Some(value.parse().ok()?),
            "--reachable" => reachable.push(PathBuf::from(value)),
            _ => return None,
        }
    }
    let user = User { uid: uid?, gid: gid? };
    Some(Options { config: config?, socket: socket?, front, user, reachable, program: PathBuf::from(program) })
}

fn run(options: Options) -> Result<(), String> {
    let said = |what: &'static str| move |error: std::io::Error| format!("{what}: {}", sys::reason(&error));
    sys::raise_descriptor_limit().map_err(said("the limit of open files can't be raised"))?;
    let listener = listen(&options).map_err(|error| format!("{}: {}", options.socket.display(), sys::reason(&error)))?;
    if options.user.uid != 0 {
        launch::isolate(Some(options.user), &options.reachable).map_err(said("a mount namespace can't be had"))?;
    }
    let signals = sys::signal_fd(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP]).map_err(said("signals"))?;
    let mut holder = Holder {
        sockets: Sockets::new(options.front),
        program: Program { path: options.program, user: options.user },
        config: options.config,
        current: None,
        candidate: None,
        leaving: Vec::new(),
        ended: VecDeque::new(),
        start_at: Some(Instant::now()),
        delay: FIRST_DELAY,
        callers: VecDeque::new(),
    };
    sys::trim_memory();
    while !holder.turn(&signals, &listener) {}
    holder.stop(&signals);
    Ok(())
}

/// The control plane's way in: its user alone may connect.
fn listen(options: &Options) -> std::io::Result<UnixListener> {
    let _ = std::fs::remove_file(&options.socket);
    let listener = UnixListener::bind(&options.socket)?;
    std::os::unix::fs::chown(&options.socket, Some(options.user.uid), Some(options.user.gid))?;
    std::fs::set_permissions(&options.socket, std::fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

struct Holder {
    sockets: Sockets,
    program: Program,
    config: PathBuf,
    /// The one that runs the configuration `config`.
    current: Option<Haproxy>,
    /// Started for a reload, and not settled yet.
    candidate: Option<Haproxy>,
    /// Those that finish what they have.
    leaving: Vec<Haproxy>,
    /// The last that ended: pid and last words.
    ended: VecDeque<(i32, String)>,
    /// When `current` is to be started.
    start_at: Option<Instant>,
    delay: Duration,
    callers: VecDeque<Caller>,
}

impl Holder {
    /// Waits for something to happen and does what it asks; true when this process shall end.
    fn turn(&mut self, signals: &OwnedFd, listener: &UnixListener) -> bool {
        let now = Instant::now();
        if self.start_at.is_some_and(|at| at <= now) {
            self.start();
        }
        let next = self.start_at.into_iter().chain(self.callers.iter().map(|caller| caller.until)).min();
        let patience = next.map_or(-1, |at| i32::try_from(at.saturating_duration_since(now).as_millis() + 1).unwrap_or(i32::MAX));
        let mut entries: Vec<libc::pollfd> = [signals.as_fd(), listener.as_fd()]
            .into_iter()
            .chain(self.all().filter_map(Haproxy::words_fd))
            .map(|fd: BorrowedFd| sys::poll_entry(fd, libc::POLLIN))
            .chain(self.callers.iter().map(Caller::poll_entry))
            .collect();
        let _ = sys::poll(&mut entries, patience);
        for haproxy in self.current.iter_mut().chain(&mut self.candidate).chain(&mut self.leaving) {
            haproxy.hear();
        }
        let stop = sys::read_signals(signals.as_fd()).iter().any(|signal| *signal != libc::SIGCHLD);
        self.reap();
        while let Ok((stream, _)) = listener.accept() {
            self.callers.extend(Caller::new(stream));
            if self.callers.len() > CALLERS {
                self.callers.pop_front();
            }
        }
        let mut callers = std::mem::take(&mut self.callers);
        callers.retain_mut(|caller| caller.until > now && caller.go_on(|request| self.answer(request)));
        self.callers = callers;
        stop
    }

    fn all(&self) -> impl Iterator<Item = &Haproxy> {
        self.current.iter().chain(&self.candidate).chain(&self.leaving)
    }

    /// Starts a HAProxy on the configuration that is known to be good.
    fn start(&mut self) {
        self.start_at = None;
        let started = config::read(&self.config).and_then(|wanted| {
            self.sockets.take(&wanted)?;
            self.program.start(&self.config, &numbers(&wanted), None)
        });
        match started {
            Ok(haproxy) => self.current = Some(haproxy),
            Err(reason) => {
                say("balance.not-started", &reason);
                self.start_later();
            }
        }
    }

    fn start_later(&mut self) {
        self.start_at = Some(Instant::now() + self.delay);
        self.delay = (self.delay * 2).min(LONGEST_DELAY);
    }

    fn reap(&mut self) {
        while let Some((pid, status)) = sys::reap() {
            if let Some(candidate) = self.candidate.take_if(|one| one.pid == pid) {
                self.bury(candidate, status);
                self.forget_sockets();
            } else if let Some(current) = self.current.take_if(|one| one.pid == pid) {
                let good = current.since.elapsed() >= GOOD_LIFE;
                self.bury(current, status);
                self.current = self.candidate.take();
                match self.current {
                    // It had finished: the candidate has taken over.
                    Some(_) => {}
                    None if good => {
                        self.delay = FIRST_DELAY;
                        self.start();
                    }
                    None => self.start_later(),
                }
            } else if let Some(at) = self.leaving.iter().position(|one| one.pid == pid) {
                self.leaving.swap_remove(at);
            }
        }
    }

    fn bury(&mut self, mut haproxy: Haproxy, status: i32) {
        haproxy.hear();
        say("balance.ended", &format!("HAProxy {} ended with {}", haproxy.pid, sys::exit_code(status)));
        self.ended.push_back((haproxy.pid, haproxy.last_words().to_owned()));
        if self.ended.len() > REMEMBERED {
            self.ended.pop_front();
        }
    }

    fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::Reload => match self.reload() {
                Ok(pid) => Answer::Started { pid },
                Err(error) => Answer::Refused { error },
            },
            Request::Settle => match self.settle() {
                Ok(()) => self.status(None),
                Err(error) => Answer::Refused { error },
            },
            Request::Status { pid } => self.status(pid),
        }
    }

    /// Starts a HAProxy on `FILE.new`. Once it is ready it tells the one before to finish; one that can't read its configuration ends at once,
    /// and nothing has changed.
    fn reload(&mut self) -> Result<i32, String> {
        let path = PathBuf::from(format!("{}.new", self.config.display()));
        let wanted = config::read(&path)?;
        self.sockets.take(&wanted)?;
        // Never settled, but it lives: it has taken over, or will.
        if let Some(candidate) = self.candidate.take() {
            self.leaving.extend(self.current.replace(candidate));
        }
        let former = self.current.as_ref().map(|one| one.pid);
        let started = self.program.start(&path, &numbers(&wanted), former).inspect_err(|_| self.forget_sockets())?;
        let pid = started.pid;
        match self.current {
            Some(_) => self.candidate = Some(started),
            None => {
                self.start_at = None;
                self.current = Some(started);
            }
        }
        Ok(pid)
    }

    /// The candidate answers and its configuration stands in FILE: what FILE does not name is closed.
    fn settle(&mut self) -> Result<(), String> {
        let wanted = config::read(&self.config)?;
        if let Some(candidate) = self.candidate.take() {
            self.leaving.extend(self.current.replace(candidate));
        }
        self.sockets.keep_only(&wanted);
        Ok(())
    }

    /// Those that only a refused configuration wanted: nobody would ever accept there.
    fn forget_sockets(&mut self) {
        if let Ok(wanted) = config::read(&self.config) {
            self.sockets.keep_only(&wanted);
        }
    }

    fn status(&self, pid: Option<i32>) -> Answer {
        let known = |pid: i32| self.all().find(|one| one.pid == pid);
        let words = pid.map(|pid| match known(pid) {
            Some(haproxy) => haproxy.last_words().to_owned(),
            None => self.ended.iter().find(|(one, _)| *one == pid).map(|(_, words)| words.clone()).unwrap_or_default(),
        });
        Answer::Status {
            running: pid.map(|pid| known(pid).is_some()),
            words,
            current: self.current.as_ref().map(|one| one.pid),
            listeners: self.sockets.list(),
        }
    }

    /// Ends every HAProxy: the connections that it has are over.
    fn stop(&mut self, signals: &OwnedFd) {
        for haproxy in self.all() {
            let _ = sys::kill(haproxy.pid, libc::SIGTERM);
        }
        let limit = Instant::now() + STOP_LIMIT;
        let mut left: Vec<i32> = self.all().map(|one| one.pid).collect();
        while !left.is_empty() {
            while let Some((pid, _)) = sys::reap() {
                left.retain(|one| *one != pid);
            }
            if Instant::now() >= limit {
                left.iter().for_each(|pid| drop(sys::kill(*pid, libc::SIGKILL)));
            }
            if !left.is_empty() {
                let _ = sys::poll(&mut [sys::poll_entry(signals.as_fd(), libc::POLLIN)], 50);
                sys::read_signals(signals.as_fd());
            }
        }
    }
}

fn numbers(wanted: &[Wanted]) -> Vec<i32> {
    wanted.iter().map(|one| one.fd).collect()
}

/// One line in the form of the platform's other logs.
fn say(event: &str, message: &str) {
    let line = serde_json::json!({ "timeMs": sys::realtime_ns() / 1_000_000, "level": "warn", "event": event, "message": message });
    let _ = writeln!(std::io::stderr(), "{line}");
}
