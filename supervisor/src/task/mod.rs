//! The supervisor of one task: a process of its own, forked from the worker, that outlives everything but the machine.
//!
//! It has one thread and one loop. Every turn looks at the whole task and does what can be done now (`advance`), sends the host what
//! there is to send, and waits for the next event. Nothing in it waits for the host.
mod clean;
mod containers;
mod exec;
mod health;
mod host;
mod inside;
mod lanes;
mod memory;
mod order;
mod output;
mod pause;
mod pool;
mod setup;
mod start;
mod stats;
mod turn;

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::time::Duration;

pub use clean::{clean, holder};
pub use host::{Host, Incoming};
pub use pause::main as pause_main;
pub use pool::start as start_pool;
pub(crate) use setup::{become_supervisor, lock};
pub use setup::{rehearse, start, start_in_guest};

use crate::cgroup::Cgroups;
use crate::container::Setting;
use crate::protocol::{CgroupLimits, DiskBundle, FromSupervisor, SupervisorState, TaskBundle, TaskFailure, TaskStage, ToSupervisor};
use crate::runsc::Room;
use crate::{disk, guest, net, signals, sys};
use containers::{kill_groups, monotonic_ms, Container, Ready};
use lanes::Lanes;
use turn::Poll;

/// How long a removal of cgroups may wait for processes that are on their way out.
const RELEASE_PATIENCE: Duration = Duration::from_secs(5);
/// Growing losses of output are told at most this often.
const LOSS_EVERY_MS: u64 = 1000;
/// Without an acknowledgement, a container that waits for room is looked at so often: the disk may have some again.
const ROOM_EVERY_MS: u64 = 1000;

/// The quota begins a period after the first container: a program comes up before it waits for the next one, as all do under emulation.
const QUOTA_AFTER_MS: u64 = 100;

pub struct Task {
    bundle: TaskBundle,
    cgroups: Cgroups,
    containers: Vec<Container>,
    lanes: Lanes,
    /// Where hosts connect; None in a microVM, whose port is all there is.
    listener: Option<UnixListener>,
    signal_fd: OwnedFd,
    host: Option<Host>,
    execs: exec::Execs,
    failure: Option<TaskFailure>,
    stopping: bool,
    /// The gVisor sandbox that the containers run in.
    room: Option<Room>,
    /// A disk that was made ahead.
    ready_disk: Option<disk::Ready>,
    /// The lock on the directory of a sandbox that was in the pool.
    pool_lock: Option<std::fs::File>,
    /// Its processor time is limited.
    has_quota: bool,
    /// When it will be, by the monotonic clock.
    quota_due: Option<u64>,
    memory: memory::Watch,
    /// PID 1 of the namespace that the containers share.
    shared_pids: Option<pause::Pause>,
    /// Containers that stand still while one is being made.
    held: Vec<usize>,
    /// Read and write end: the first containers' commands wait for its end of file while the network is being made.
    gate: Option<(OwnedFd, OwnedFd)>,
    seq: u64,
    state_is_due: bool,
    dropped_told: u64,
    dropped_told_at_ms: u64,
    is_tidy: bool,
    /// Held locked as long as this process lives; a microVM has nobody who could take it.
    lock: Option<std::fs::File>,
}

/// What a descriptor in the poll set is.
#[derive(Clone, Copy)]
enum Event {
    Signal,
    Connection,
    Host,
    Container(usize, Ready),
    Exec(u32, exec::Ready),
}

impl Task {
    /// Makes what the task needs, and tends it to its end.
    fn go(mut self) -> ! {
        if let Err(failure) = setup::bring_up(&mut self) {
            self.failure = Some(failure);
            self.kill();
        }
        self.gate = None;
        self.run()
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Signal => self.on_signals(),
            Event::Connection => {
                if let Some(Ok((stream, _))) = self.listener.as_ref().map(UnixListener::accept) {
                    // What the former one said before still counts.
                    self.on_host();
                    // The newest is the host that lives; an older one is of an agent that was replaced.
                    self.host = Host::new(stream).ok();
                    self.execs.clear();
                }
            }
            Event::Host => self.on_host(),
            Event::Exec(id, ready) => self.on_exec_ready(id, ready),
            Event::Container(index, ready) => {
                let changed = self.containers[index].ready(ready, self.lanes.of_mut(index));
                self.state_is_due |= changed;
            }
        }
    }

    fn on_signals(&mut self) {
        for signal in sys::read_signals(self.signal_fd.as_fd()) {
            if signal != libc::SIGCHLD {
                self.stopping = true;
            }
        }
        while let Some((pid, status)) = sys::reap() {
            if self.room.as_ref().is_some_and(|room| room.pid() == pid) {
                self.sandbox_ended(sys::exit_code(status));
            } else if let Some(index) = self.containers.iter().position(|c| c.pid() == Some(pid)) {
                let setting =
                    Setting { task: &self.bundle, cgroups: &self.cgroups, pid_namespace: None, gate: None, turn: None, room: None };
                self.containers[index].exited(status, &setting, index, self.lanes.of_mut(index));
                self.state_is_due = true;
            } else {
                self.execs.exited(pid, status);
                self.containers.iter_mut().filter_map(Container::health).for_each(|health| health.exited(pid, status));
            }
        }
    }

    /// The gVisor sandbox is no more, and all containers with it.
    fn sandbox_ended(&mut self, code: i32) {
        let is_doomed = self.room.as_ref().is_none_or(|room| room.is_doomed);
        if is_doomed || self.failure.is_some() || self.cgroups.oom_kills(&self.bundle.cgroup.path) > 0 {
            return;
        }
        let how = match code - 128 {
            signal if signal > 0 => format!("it was killed by signal {signal}"),
            _ => format!("it ended with code {code}"),
        };
        self.failure = Some(TaskFailure { stage: TaskStage::Setup, message: format!("the task's gVisor sandbox is gone: {how}") });
        self.state_is_due = true;
        self.kill();
    }

    fn on_host(&mut self) {
        let Some(host) = &mut self.host else { return };
        let over = host.fill().is_err();
        while let Some(incoming) = self.host.as_mut().and_then(Host::take) {
            match incoming {
                Incoming::Json(payload) => match serde_json::from_slice(&payload) {
                    Ok(message) => self.on_message(message),
                    // A newer host may know more.
                    Err(e) => self.complain("message", e.to_string()),
                },
                Incoming::Mark(nonce) => self.on_mark(nonce),
            }
        }
        if over {
            self.lose_host();
        }
    }

    /// In a microVM: a new connection on the port.
    fn on_mark(&mut self, nonce: guest::port::Nonce) {
        if let Some(host) = &mut self.host {
            host.renew(nonce);
        }
        self.execs.clear();
        let task_id = self.bundle.task_id.clone();
        self.send(&guest::hello(Some(&task_id)));
    }

    fn lose_host(&mut self) {
        self.execs.clear();
        if self.host.as_mut().is_some_and(|host| !host.lose()) {
            self.host = None;
        }
    }

    fn on_message(&mut self, message: ToSupervisor) {
        match message {
            ToSupervisor::Attach { from, lanes, runs } => {
                let from = self.lanes.begin(from, &lanes);
                if let Some(host) = &mut self.host {
                    host.attach(from, runs);
                }
                self.state_is_due = true;
            }
            ToSupervisor::Ack { to, lane } => {
                if let Err(e) = self.lanes.acknowledge(lane, to) {
                    self.complain("ack", e.to_string());
                }
            }
            ToSupervisor::Stop => self.stopping = true,
            ToSupervisor::Kill => self.kill(),
            ToSupervisor::Signal { container, signal } => self.signal(&container, &signal),
            ToSupervisor::Stats { id } => {
                let mut stats = stats::read(&self.bundle, &self.cgroups, self.room.as_ref());
                for (told, container) in stats.containers.iter_mut().zip(&self.containers) {
                    told.oom_kills += container.memory_kills();
                }
                self.send(&FromSupervisor::Stats { id, stats });
            }
            ToSupervisor::Latency { id, latency } => {
                let error = net::set_latency(latency.as_ref()).err().map(|e| e.message);
                self.send(&FromSupervisor::Latency { id, error });
            }
            ToSupervisor::Resumed { entropy, time_ns } => {
                let resumed = match self.listener {
                    None => guest::resume(&entropy, &time_ns),
                    Some(_) => Err("only a microVM stands still".to_string()),
                };
                if let Err(why) = resumed {
                    self.complain("resumed", why);
                }
            }
            ToSupervisor::Release => self.release(),
            exec => self.on_exec_message(exec),
        }
    }

    fn signal(&mut self, container: &str, signal: &str) {
        let found = self.containers.iter().zip(&self.bundle.containers).find(|(_, bundle)| bundle.name == container);
        match (found, signals::number(signal)) {
            (Some((container, _)), Some(number)) => container.signal(number),
            (None, _) => self.complain("signal", format!("the task has no container {container:?}")),
            (_, None) => self.complain("signal", format!("{signal:?} is not a signal")),
        }
    }

    fn kill(&mut self) {
        self.stopping = true;
        if let Some(room) = &mut self.room {
            room.is_doomed = true;
        }
        self.containers.iter_mut().filter(|c| c.is_alive()).for_each(Container::kill);
        kill_groups(&self.bundle, &self.cgroups);
    }

    /// The task's limits as its sandbox is made: the processor is its own to start on, and shared out once a container runs.
    fn limits(&self) -> CgroupLimits {
        CgroupLimits { cpu_millis: None, ..self.bundle.cgroup.limits }
    }

    /// Gives the time of the monotonic clock when it is due, until then.
    fn begin_quota(&mut self) -> Option<u64> {
        if self.has_quota || !self.containers.iter().any(Container::has_started) {
            return None;
        }
        let now = monotonic_ms();
        let due = *self.quota_due.get_or_insert(now + QUOTA_AFTER_MS);
        if now < due {
            return Some(due);
        }
        self.has_quota = true;
        let quota = CgroupLimits { cpu_millis: self.bundle.cgroup.limits.cpu_millis, ..CgroupLimits::default() };
        if let Err(e) = self.cgroups.change(&self.bundle.cgroup.path, &quota) {
            self.complain("cgroup", e.to_string());
        }
        None
    }

    /// Does all that can be done now. Gives the time of the monotonic clock when to look again without an event.
    fn advance(&mut self) -> Option<u64> {
        self.let_go();
        let quota = self.begin_quota();
        loop {
            let next = if self.stopping { self.advance_stop() } else { self.advance_start() };
            // What failed or ended on the way may be the reason to stop.
            if !self.stopping && self.must_stop() {
                self.stopping = true;
                continue;
            }
            return [next, quota].into_iter().flatten().min();
        }
    }

    /// An essential container has ended, or one waits for something that will never be.
    fn must_stop(&self) -> bool {
        let pairs = self.containers.iter().zip(&self.bundle.containers);
        let all_ended = self.containers.iter().all(Container::has_ended);
        all_ended || pairs.into_iter().any(|(c, b)| b.essential && c.has_ended() || c.failed_by_dependency())
    }

    fn advance_stop(&mut self) -> Option<u64> {
        let now = monotonic_ms();
        let mut soonest = None;
        self.containers.iter_mut().filter(|c| c.is_ahead()).for_each(Container::kill);
        for container in self.containers.iter_mut().filter(|c| c.is_waiting() || c.is_due()) {
            container.give_up();
            self.state_is_due = true;
        }
        let views: Vec<_> = self.containers.iter().map(Container::view).collect();
        for (index, container) in self.containers.iter_mut().enumerate() {
            if container.is_alive() && order::may_stop(&self.bundle.containers, &views, index) {
                // A log router is there until it has what the others wrote, or takes no more of it.
                if let Some(until) = self.lanes.hold_router(&self.bundle.containers, index, now) {
                    soonest = Some(soonest.unwrap_or(u64::MAX).min(until));
                    continue;
                }
                let again = container.stop(&self.bundle.containers[index], now);
                soonest = [soonest, again].into_iter().flatten().min();
            }
        }
        soonest
    }

    /// What waits for room in a spool is tried again: an acknowledgement may have made some, or the disk has. Gives when to look again.
    fn retry_output(&mut self) -> Option<u64> {
        let mut waits = false;
        for (index, container) in self.containers.iter_mut().enumerate() {
            waits |= container.retry_output(self.lanes.of_mut(index));
        }
        waits.then(|| monotonic_ms() + ROOM_EVERY_MS)
    }

    fn state(&self) -> SupervisorState {
        SupervisorState {
            task_id: self.bundle.task_id.clone(),
            pid: std::process::id() as i32,
            failure: self.failure.clone(),
            containers: self.containers.iter().map(Container::state).collect(),
            dropped_bytes: self.lanes.dropped_bytes(),
            spool_base: self.lanes.shared().base(),
            spool_end: self.lanes.shared().end(),
            lanes: self.lanes.states(),
        }
    }

    fn tell_host(&mut self) {
        let now = monotonic_ms();
        if self.lanes.dropped_bytes() != self.dropped_told && now >= self.dropped_told_at_ms + LOSS_EVERY_MS {
            self.state_is_due = true;
        }
        if self.state_is_due && self.host.as_ref().is_some_and(|h| h.is_attached() && !h.is_blocked()) {
            self.seq += 1;
            self.state_is_due = false;
            (self.dropped_told, self.dropped_told_at_ms) = (self.lanes.dropped_bytes(), now);
            self.send(&FromSupervisor::State { seq: self.seq, state: self.state() });
        }
        if self.host.as_mut().is_some_and(|host| host.flush(self.lanes.all()).is_err()) {
            self.lose_host();
        }
    }

    fn send<T: serde::Serialize>(&mut self, message: &T) {
        if self.host.as_mut().is_some_and(|host| host.send(message).is_err()) {
            self.lose_host();
        }
    }

    fn complain(&mut self, about: &str, message: String) {
        self.send(&FromSupervisor::Error { about: about.to_string(), message });
    }

    /// No container lives, and none will.
    fn is_over(&self) -> bool {
        !self.containers.iter().any(|c| c.is_alive() || !self.stopping && (c.is_waiting() || c.is_due()))
    }

    /// Gives everything back and ends this process; refused while a container lives.
    fn release(&mut self) {
        if !self.is_over() {
            return self.complain("release", "a container of the task still runs".to_string());
        }
        self.shared_pids = None;
        self.execs.clear();
        self.room = None;
        if let Err(e) = self.cgroups.remove(&self.bundle.cgroup.path, RELEASE_PATIENCE) {
            return self.complain("release", e.to_string());
        }
        if let Some(network) = &self.bundle.network {
            if let Err(e) = net::task_leave(network) {
                return self.complain("release", e.message);
            }
        }
        if let Some(DiskBundle { place, model: Some(_), .. }) = &self.bundle.disk {
            // Where it can't be done, all of it is written out before it goes.
            let _ = disk::forget(std::path::Path::new(place));
        }
        if let Some(runtime) = &self.bundle.runtime {
            let _ = std::fs::remove_dir_all(&runtime.room);
        }
        if self.listener.is_some() {
            let _ = std::fs::remove_file(&self.bundle.socket);
        }
        if let Some(lock) = &self.lock {
            let _ = lock.set_len(0);
        }
        if self.listener.is_none() {
            guest::sync_volumes();
            guest::flush_shared();
        }
        if let Some(host) = self.host.take() {
            host.finish(&FromSupervisor::Released);
        }
        if self.listener.is_none() {
            guest::power_off()
        }
        sys::exit_now(0)
    }
}
