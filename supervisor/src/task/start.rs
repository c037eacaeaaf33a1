//! The starts of a task's containers: each in its turn, and made beforehand where that is the same to them.
use std::os::fd::AsFd;
use std::time::Duration;

use super::containers::{monotonic_ms, Container};
use super::order::{self, Decision, View};
use super::{pause, Task};
use crate::cgroup;
use crate::container::{self, Setting};
use crate::protocol::{ContainerFailure, ContainerStage};

impl Task {
    /// Who may trace could take over a process of the same PID namespace that is about to become a container, and has all rights until
    /// then. So where the PIDs are shared one container is made at a time, while the others stand still. False: not now.
    fn hold_others(&mut self) -> Result<bool, cgroup::Error> {
        const PATIENCE: Duration = Duration::from_secs(2);
        if self.shared_pids.is_none() || self.containers.len() == 1 {
            return Ok(true);
        }
        if self.containers.iter().any(Container::is_in_making) {
            return Ok(false);
        }
        for (index, _) in self.containers.iter().enumerate().filter(|(_, c)| c.is_alive()) {
            self.held.push(index);
            self.cgroups.freeze(&container::group(&self.bundle, index), PATIENCE)?;
        }
        Ok(true)
    }

    /// Lets go on what was held still, once no container is being made.
    pub(super) fn let_go(&mut self) {
        if self.held.is_empty() || self.containers.iter().any(Container::is_in_making) {
            return;
        }
        for index in std::mem::take(&mut self.held) {
            if let Err(e) = self.cgroups.thaw(&container::group(&self.bundle, index)) {
                self.complain("thaw", e.to_string());
            }
        }
    }

    pub(super) fn advance_start(&mut self) -> Option<u64> {
        let mut soonest: Option<u64> = None;
        let now = monotonic_ms();
        for index in 0..self.containers.len() {
            let decision = if self.containers[index].is_due() {
                // What it depends on was there once: that is enough.
                Decision::Start
            } else if self.containers[index].is_waiting() || self.containers[index].is_ahead() {
                order::may_start(&self.bundle.containers, &self.views(), index)
            } else {
                continue;
            };
            match decision {
                Decision::Start if self.containers[index].is_ahead() => self.containers[index].begin(),
                Decision::Start => match self.hold_others() {
                    Ok(false) => {}
                    Err(e) => {
                        let message = format!("cannot hold the task's other containers still: {e}");
                        self.containers[index].fail(ContainerFailure { stage: ContainerStage::Create, message });
                        self.let_go();
                        self.state_is_due = true;
                    }
                    Ok(true) => self.spawn(index),
                },
                Decision::Fail(message) => {
                    self.containers[index].fail(ContainerFailure { stage: ContainerStage::Dependency, message });
                    self.state_is_due = true;
                }
                Decision::Wait(left) => {
                    self.make_ahead(index);
                    soonest = [soonest, left.map(|left| now + left)].into_iter().flatten().min();
                }
            }
        }
        soonest
    }

    fn views(&self) -> Vec<View> {
        self.containers.iter().map(Container::view).collect()
    }

    /// Makes a container beside those whose start it waits for: it then takes its turn at once. Not in gVisor, where the sandbox itself
    /// takes longest, nor where others may trace what is being made.
    fn make_ahead(&mut self, index: usize) {
        let apart = self.room.is_none() && self.shared_pids.is_none();
        if apart && self.containers[index].may_be_ahead() && order::may_be_made(&self.bundle.containers, &self.views(), index) {
            self.with_setting(index, Container::spawn_ahead);
        }
    }

    fn with_setting(&mut self, index: usize, spawn: impl FnOnce(&mut Container, &Setting, usize)) {
        let gate = self.gate.as_ref().map(|(read, write)| (read.as_fd(), write.as_fd()));
        let pid_namespace = self.shared_pids.as_ref().map(pause::Pause::namespace);
        let setting = Setting { task: &self.bundle, cgroups: &self.cgroups, pid_namespace, gate, turn: None, room: self.room.as_ref() };
        spawn(&mut self.containers[index], &setting, index);
    }

    fn spawn(&mut self, index: usize) {
        self.with_setting(index, Container::spawn);
        self.state_is_due |= self.containers[index].has_failed();
        // One that could not be made at all holds nobody up.
        self.let_go();
    }
}
