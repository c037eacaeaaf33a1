//! One container of a task from the supervisor's side: its life from waiting to exited.
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::health::{self, Health};
use super::order::View;
use super::output::Stream;
use crate::cgroup::Cgroups;
use crate::container::{self, Setting};
use crate::protocol::{
    ContainerBundle, ContainerFailure, ContainerStage, ContainerState, ContainerStatus, PidMode, RestartBundle, TaskBundle, TEXT_BYTES,
};
use crate::spool::{Source, Spool};
use crate::{runsc, signals, sys};

/// Output taken from one pipe before others get their turn.
const TURN_BYTES: usize = 256 * 1024;
/// More than a pipe can hold: what a dead container left is read to its end.
const REST_BYTES: usize = 2 * 1024 * 1024;

/// How far the stopping of a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopping {
    Not,
    /// Signalled; killed at this time of the monotonic clock.
    Until(u64),
    Killed,
}

/// The process and its pipes.
struct Process {
    pid: i32,
    pidfd: OwnedFd,
    /// Open until the command was started.
    status: Option<OwnedFd>,
    report: Vec<u8>,
    streams: Vec<Stream>,
    /// The process stands for the container's, and hands signals on.
    is_keeper: bool,
    /// It was made ahead of its turn, and waits for it here.
    turn: Option<OwnedFd>,
}

impl Process {
    fn is_ahead(&self) -> bool {
        self.turn.is_some()
    }
}

pub struct Container {
    name: String,
    status: ContainerStatus,
    process: Option<Process>,
    started_at_ms: Option<u64>,
    started_monotonic_ms: u64,
    finished_at_ms: Option<u64>,
    exit_code: Option<i32>,
    oom_killed: bool,
    failure: Option<ContainerFailure>,
    stopping: Stopping,
    /// None when nothing is checked.
    health: Option<Health>,
    restart: Option<RestartBundle>,
    restart_count: u64,
    /// It has ended, and is to be started again.
    is_due: bool,
    /// Kills for want of memory in its group before it was started last.
    former_oom_kills: u64,
    /// It is being killed since it took more memory than it may, where no group of its own sees to that.
    took_too_much: bool,
    /// How often that was.
    memory_kills: u64,
    /// It waits where its output has no room.
    is_blocking: bool,
    /// It is not made ahead of its turn: that failed, and in its turn it will be seen why.
    in_turn_only: bool,
}

fn now_ms() -> u64 {
    sys::realtime_ns() / 1_000_000
}

pub fn monotonic_ms() -> u64 {
    sys::monotonic_ns() / 1_000_000
}

impl Container {
    pub fn new(bundle: &ContainerBundle) -> Container {
        Container {
            name: bundle.name.clone(),
            status: ContainerStatus::Waiting,
            process: None,
            started_at_ms: None,
            started_monotonic_ms: 0,
            finished_at_ms: None,
            exit_code: None,
            oom_killed: false,
            failure: None,
            stopping: Stopping::Not,
            health: bundle.health.as_ref().map(Health::new),
            restart: bundle.restart.clone(),
            restart_count: 0,
            is_due: false,
            former_oom_kills: 0,
            took_too_much: false,
            memory_kills: 0,
            is_blocking: bundle.lane.as_ref().is_some_and(|lane| lane.blocking),
            in_turn_only: false,
        }
    }

    pub fn state(&self) -> ContainerState {
        ContainerState {
            name: self.name.clone(),
            status: self.status,
            pid: self.process.as_ref().map(|p| p.pid),
            started_at_ms: self.started_at_ms,
            finished_at_ms: self.finished_at_ms,
            exit_code: self.exit_code,
            oom_killed: self.oom_killed,
            failure: self.failure.clone(),
            health: self.health.as_ref().map(Health::status).unwrap_or_default(),
            health_reason: self.health.as_ref().and_then(Health::reason),
            health_exit_code: self.health.as_ref().and_then(Health::exit_code),
            restart_count: self.restart_count,
        }
    }

    pub fn view(&self) -> View {
        View {
            // One that is being made counts as running for what depends on its end.
            status: if self.process.is_some() { ContainerStatus::Running } else { self.status },
            started: self.started_at_ms.is_some(),
            exit_code: self.exit_code,
            health: self.health.as_ref().map(Health::status),
            age_ms: monotonic_ms().saturating_sub(self.started_monotonic_ms),
            is_in_making: self.is_in_making(),
        }
    }

    /// Waits for its turn: nothing was done yet.
    pub fn is_waiting(&self) -> bool {
        self.status == ContainerStatus::Waiting && self.process.is_none()
    }

    /// It was made ahead, and waits for its turn.
    pub fn is_ahead(&self) -> bool {
        self.status == ContainerStatus::Waiting && self.process.as_ref().is_some_and(Process::is_ahead)
    }

    pub fn may_be_ahead(&self) -> bool {
        self.is_waiting() && !self.in_turn_only
    }

    /// It has ended, and waits to be started again.
    pub fn is_due(&self) -> bool {
        self.is_due
    }

    /// It has ended, and will not run again.
    pub fn has_ended(&self) -> bool {
        self.status == ContainerStatus::Exited && self.process.is_none()
    }

    /// A process of it lives, or its end was not seen yet.
    pub fn is_alive(&self) -> bool {
        self.process.is_some()
    }

    /// Its process is still the supervisor's own, with all its rights.
    pub fn is_in_making(&self) -> bool {
        self.process.as_ref().is_some_and(|p| p.status.is_some())
    }

    pub fn has_started(&self) -> bool {
        self.started_at_ms.is_some()
    }

    pub fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    pub fn failed_by_dependency(&self) -> bool {
        self.failure.as_ref().is_some_and(|f| f.stage == ContainerStage::Dependency)
    }

    pub fn pid(&self) -> Option<i32> {
        self.process.as_ref().map(|p| p.pid)
    }

    pub fn health(&mut self) -> Option<&mut Health> {
        self.health.as_mut()
    }

    /// Its first process, once the command runs.
    pub fn running(&self) -> Option<(i32, BorrowedFd<'_>)> {
        self.process.as_ref().filter(|p| p.status.is_none()).map(|p| (p.pid, p.pidfd.as_fd()))
    }

    /// Makes it, and leaves it to `begin` to start it. Where that fails nothing has happened.
    pub fn spawn_ahead(&mut self, setting: &Setting, index: usize) {
        let Ok((read, write)) = sys::pipe() else { return };
        self.in_turn_only = true;
        self.spawn(&Setting { turn: Some(read.as_fd()), ..*setting }, index);
        match &mut self.process {
            Some(process) => process.turn = Some(write),
            None => self.wait_again(),
        }
    }

    /// It is the turn of one that was made ahead.
    pub fn begin(&mut self) {
        if let Some(turn) = self.process.as_mut().and_then(|p| p.turn.take()) {
            // One that is gone by now is seen by its end.
            let _ = sys::write_all(turn.as_fd(), b"1");
        }
    }

    /// As if it had never been made.
    fn wait_again(&mut self) {
        (self.status, self.failure, self.finished_at_ms) = (ContainerStatus::Waiting, None, None);
    }

    pub fn spawn(&mut self, setting: &Setting, index: usize) {
        self.former_oom_kills = setting.cgroups.oom_kills(&container::group(setting.task, index));
        self.restart_count += u64::from(std::mem::take(&mut self.is_due));
        self.took_too_much = false;
        let spawned = match (&setting.task.runtime, setting.room) {
            (Some(runtime), Some(room)) => runsc::spawn(setting, runtime, room, index, self.has_started()),
            _ => container::spawn(setting, index, self.has_started()),
        };
        match spawned {
            Ok(spawned) => {
                let source = |stream| Source { container: index as u8, stream };
                let mut streams = vec![Stream::new(spawned.stdout, source(1), spawned.terminal, self.is_blocking)];
                streams.extend(spawned.stderr.map(|fd| Stream::new(fd, source(2), false, self.is_blocking)));
                let (pid, pidfd, is_keeper) = (spawned.pid, spawned.pidfd, spawned.is_keeper);
                self.process =
                    Some(Process { pid, pidfd, status: Some(spawned.status), report: Vec::new(), streams, is_keeper, turn: None });
            }
            Err(error) => self.fail(error.into()),
        }
    }

    /// It will never run.
    pub fn fail(&mut self, failure: ContainerFailure) {
        if self.is_ahead() {
            self.signal(libc::SIGKILL);
        }
        self.failure = Some(failure);
        self.end();
    }

    /// It is not needed any more: it never was started, or has ended and is not started again.
    pub fn give_up(&mut self) {
        if !std::mem::take(&mut self.is_due) {
            self.finished_at_ms = Some(now_ms());
        }
        self.status = ContainerStatus::Exited;
    }

    /// Whether its end with this code is followed by another start: it ran long enough, and nobody stops it.
    fn may_restart(&self, code: i32) -> bool {
        let ran_ms = monotonic_ms().saturating_sub(self.started_monotonic_ms);
        let policy = self.restart.as_ref().filter(|_| self.stopping == Stopping::Not && self.failure.is_none());
        policy.is_some_and(|policy| !policy.ignored_exit_codes.contains(&code) && ran_ms >= policy.attempt_period_ms)
    }

    fn end(&mut self) {
        self.status = ContainerStatus::Exited;
        if let Some(health) = &mut self.health {
            health.stop();
        }
        self.finished_at_ms = Some(now_ms());
    }

    /// The descriptors to wait on, each with what to do when it is ready.
    pub fn sources(&self) -> impl Iterator<Item = (BorrowedFd<'_>, Ready)> {
        // What the silence of one that was killed, or waits for its turn, means is known once it has ended.
        let tells = self.process.iter().filter(|p| self.stopping != Stopping::Killed && !p.is_ahead());
        let status = tells.filter_map(|p| p.status.as_ref()).map(|fd| (fd.as_fd(), Ready::Status));
        let streams = self.process.iter().flat_map(|p| p.streams.iter().enumerate());
        let health = self.health.iter().flat_map(Health::sources).map(|(fd, what)| (fd, Ready::Health(what)));
        status.chain(streams.filter_map(|(at, stream)| stream.fd().map(|fd| (fd, Ready::Output(at))))).chain(health)
    }

    /// Takes what a descriptor has. True when the state changed.
    pub fn ready(&mut self, what: Ready, spool: &mut Spool) -> bool {
        match (what, &mut self.process) {
            (Ready::Health(what), _) => self.health.as_mut().is_some_and(|health| health.ready(what)),
            (Ready::Output(at), Some(process)) => {
                if let Some(stream) = process.streams.get_mut(at) {
                    stream.read(spool, TURN_BYTES);
                }
                false
            }
            (Ready::Status, Some(_)) => self.read_status(),
            (_, None) => false,
        }
    }

    /// Tries again to find room for output that waits; true when some waits on.
    pub fn retry_output(&mut self, spool: &mut Spool) -> bool {
        let streams = self.process.iter_mut().flat_map(|p| &mut p.streams).filter(|stream| stream.is_held());
        streams.fold(false, |waits, stream| {
            stream.retry(spool);
            waits | stream.is_held()
        })
    }

    fn read_status(&mut self) -> bool {
        let Some(process) = &mut self.process else { return false };
        let Some(fd) = &process.status else { return false };
        let mut buffer = [0; 512];
        loop {
            match sys::read(fd.as_fd(), &mut buffer) {
                Ok(None) => return false,
                Ok(Some(n)) if n > 0 && process.report.len() < TEXT_BYTES => process.report.extend_from_slice(&buffer[..n]),
                _ => break,
            }
        }
        process.status = None;
        if process.report.is_empty() {
            self.status = ContainerStatus::Running;
            (self.exit_code, self.finished_at_ms, self.oom_killed) = (None, None, false);
            self.started_at_ms = Some(now_ms());
            self.started_monotonic_ms = monotonic_ms();
            if let Some(health) = &mut self.health {
                health.begin(self.started_monotonic_ms);
            }
        }
        true
    }

    /// Its first process has ended. It stays RUNNING while it waits to be started again.
    pub fn exited(&mut self, wait_status: i32, setting: &Setting, index: usize, spool: &mut Spool) {
        if self.process.as_ref().is_some_and(Process::is_ahead) {
            self.process = None;
            return;
        }
        let killed_before_start = self.stopping == Stopping::Killed && libc::WIFSIGNALED(wait_status);
        let in_making = self.is_in_making();
        if in_making && killed_before_start {
            // Its silence doesn't mean that the command was started.
            if let Some(process) = &mut self.process {
                process.status = None;
            }
        }
        self.read_status();
        let group = container::group(setting.task, index);
        if setting.task.pid_mode == PidMode::Task && setting.task.runtime.is_none() {
            // No PID namespace died with it.
            match self.restart {
                Some(_) => setting.cgroups.kill_listed(&group),
                None => drop(setting.cgroups.kill(&group)),
            }
        }
        let Some(mut process) = self.process.take() else { return };
        for stream in &mut process.streams {
            stream.finish(spool, REST_BYTES);
        }
        self.failure = container::parse_report(&process.report).map(ContainerFailure::from);
        let code = sys::exit_code(wait_status);
        // What could not be started again keeps the exit code of its last run.
        let ran = self.status == ContainerStatus::Running && self.failure.is_none();
        if ran && self.started_at_ms.is_some() {
            self.exit_code = Some(code);
            let wanted_memory = self.took_too_much || setting.cgroups.oom_kills(&group) > self.former_oom_kills;
            self.oom_killed = code == 128 + libc::SIGKILL && wanted_memory;
        }
        self.is_due = ran && self.may_restart(code);
        self.end();
        if self.is_due {
            self.status = ContainerStatus::Running;
        }
    }

    /// Goes on with stopping; `now` and the answer, when to look again, are of the monotonic clock. Stopping twice is fine.
    pub fn stop(&mut self, bundle: &ContainerBundle, now: u64) -> Option<u64> {
        match self.stopping {
            // Until exec the signal would be lost on a process that can't act on it.
            Stopping::Not if self.process.as_ref().is_some_and(|p| p.status.is_none()) => {
                let signal = signals::number(&bundle.stop_signal).unwrap_or(libc::SIGTERM);
                self.signal(signal);
                let until = now.saturating_add(bundle.stop_timeout_ms);
                self.stopping = Stopping::Until(until);
                Some(until)
            }
            Stopping::Until(until) if now >= until => {
                self.kill();
                None
            }
            Stopping::Until(until) => Some(until),
            Stopping::Not | Stopping::Killed => None,
        }
    }

    pub fn kill(&mut self) {
        self.stopping = Stopping::Killed;
        self.signal(libc::SIGKILL);
    }

    /// Kills it for the memory that it takes; its end may be followed by another start.
    pub fn kill_for_memory(&mut self) {
        if !std::mem::replace(&mut self.took_too_much, true) {
            self.memory_kills += 1;
            self.signal(libc::SIGKILL);
        }
    }

    /// How often it was killed so.
    pub fn memory_kills(&self) -> u64 {
        self.memory_kills
    }

    /// Sends a signal to its first process; gone is fine.
    pub fn signal(&self, signal: i32) {
        if let Some(process) = &self.process {
            // A keeper that has nothing to keep yet is killed itself.
            let handed_on = process.is_keeper && process.status.is_none();
            let signal = if handed_on { runsc::carried(signal) } else { signal };
            let _ = sys::signal_by_pidfd(process.pidfd.as_fd(), signal);
        }
    }
}

/// Which of a container's descriptors is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    Status,
    Output(usize),
    Health(health::Ready),
}

/// The whole group at once, for what a signal to the first process doesn't reach.
pub fn kill_groups(task: &TaskBundle, cgroups: &Cgroups) {
    let _ = cgroups.kill(&task.cgroup.path);
}
