//! The starts of a task's containers: each in its turn, and made beforehand where that is the same to them.
use std::os::fd::AsFd;
use std::time::Duration;

use super::containers::{monotonic_ms, Container};
use super::order::{self, Decision};
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
            } else if self.containers[index].is_waiting() {
                let views: Vec<_> = self.containers.iter().map(Container::view).collect();
                order::may_start(&self.bundle.containers, &views, index)
            } else {
                continue;
            };
            match decision {
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
                Decision::Wait(Some(left)) => soonest = Some(soonest.unwrap_or(u64::MAX).min(now + left)),
                Decision::Wait(None) => {}
            }
        }
        soonest
    }

    fn spawn(&mut self, index: usize) {
        let gate = self.gate.as_ref().map(|(read, write)| (read.as_fd(), write.as_fd()));
        let pid_namespace = self.shared_pids.as_ref().map(pause::Pause::namespace);
        let setting = Setting { task: &self.bundle, cgroups: &self.cgroups, pid_namespace, gate, room: self.room.as_ref() };
        self.containers[index].spawn(&setting, index);
        self.state_is_due |= self.containers[index].has_failed();
        // One that could not be made at all holds nobody up.
        self.let_go();
    }
}
