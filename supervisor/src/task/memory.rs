//! What the containers of a gVisor sandbox take of its memory, where some have a limit of their own. The machine has one group for all of
//! them, so the sandbox's kernel is asked for what each takes, and the supervisor kills the one that is above its limit.
//!
//! This is a look now and then: a container may take more for as long as no look was due, up to what the task has. It is looked at the sooner
//! the less is left to it.
use std::ops::RangeInclusive;

use super::containers::monotonic_ms;
use super::{Container, Task};
use crate::protocol::TaskBundle;
use crate::runsc;

/// So fast a sandbox may be expected to take memory, in bytes per millisecond: 1 GiB/s.
const RATE: u64 = (1 << 30) / 1000;
/// Between two looks at the sandbox's group, which costs some microseconds.
const LOOK_MS: RangeInclusive<u64> = 25..=500;
/// Between two questions to the sandbox's kernel at most, while they could tell anything: one container may give back what another takes.
const ASK_MS: u64 = 1000;

/// After a question that had no answer.
const UNANSWERED_MS: u64 = 200;

#[derive(Default)]
pub struct Watch {
    /// When to look again, by the monotonic clock.
    due: u64,
    asked: Option<Asked>,
}

/// What was found when the sandbox was asked last.
#[derive(Clone, Copy)]
struct Asked {
    at_ms: u64,
    /// The whole sandbox took so much.
    total: u64,
    /// So much was left to the container that was nearest to its limit.
    left: u64,
}

impl Watch {
    /// How much more the sandbox could take before one of its containers can be above its limit; None when that may be so already.
    fn left(&self, total: u64, least_limit: u64, now: u64) -> Option<u64> {
        if total < least_limit {
            return Some(least_limit - total);
        }
        let asked = self.asked.filter(|asked| now < asked.at_ms + ASK_MS)?;
        asked.total.saturating_add(asked.left).checked_sub(total).filter(|left| *left > 0)
    }
}

/// Containers with a limit that live, and their limits.
fn limited<'a>(bundle: &'a TaskBundle, containers: &'a [Container]) -> impl Iterator<Item = (usize, u64)> + 'a {
    let pairs = bundle.containers.iter().zip(containers).enumerate();
    pairs
        .filter(|(_, (_, container))| container.running().is_some())
        .filter_map(|(index, (one, _))| Some((index, one.watched_memory_bytes?)))
}

impl Task {
    /// Kills containers that take more memory than they may. Gives the time of the monotonic clock when to look again.
    pub(super) fn tend_memory(&mut self) -> Option<u64> {
        self.room.as_ref()?;
        let least_limit = limited(&self.bundle, &self.containers).map(|(_, bytes)| bytes).min()?;
        let now = monotonic_ms();
        if now < self.memory.due {
            return Some(self.memory.due);
        }
        let total = self.cgroups.stats(&self.bundle.cgroup.path).memory_bytes;
        let left = self.memory.left(total, least_limit, now).unwrap_or_else(|| self.ask_sandbox(total));
        self.memory.due = monotonic_ms() + (left / RATE).clamp(*LOOK_MS.start(), *LOOK_MS.end());
        Some(self.memory.due)
    }

    /// Gives how much is left to the container that is nearest to its limit.
    fn ask_sandbox(&mut self, total: u64) -> u64 {
        let Some(room) = &self.room else { return 0 };
        let all: Vec<(usize, u64)> = limited(&self.bundle, &self.containers).collect();
        let used: Option<Vec<_>> = all.iter().map(|(index, _)| Some(runsc::usage_of(room, *index)?.memory_bytes)).collect();
        // One that doesn't answer is short of processor time, and so takes no memory fast.
        let Some(used) = used else { return UNANSWERED_MS * RATE };
        let mut least = u64::MAX;
        for ((index, limit), used) in all.into_iter().zip(used) {
            match limit.checked_sub(used) {
                Some(left) => least = least.min(left),
                None => self.containers[index].kill_for_memory(),
            }
        }
        self.memory.asked = Some(Asked { at_ms: monotonic_ms(), total, left: least });
        least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_the_sandbox_only_when_a_container_may_be_above_its_limit() {
        let mut watch = Watch::default();
        assert_eq!(watch.left(60, 100, 0), Some(40));
        // All together are above the least limit: who takes it is not known yet.
        assert_eq!(watch.left(100, 100, 0), None);
        watch.asked = Some(Asked { at_ms: 10, total: 100, left: 30 });
        assert_eq!(watch.left(110, 100, 500), Some(20));
        assert_eq!(watch.left(90, 80, 500), Some(40));
        assert_eq!(watch.left(130, 100, 500), None);
        assert_eq!(watch.left(110, 100, 10 + ASK_MS), None);
        watch.asked = Some(Asked { at_ms: 10, total: 100, left: u64::MAX - 100 });
        assert!(watch.left(110, 100, 500).is_some());
    }
}
