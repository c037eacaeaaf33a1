//! Health checks: commands that are run inside containers again and again, whoever looks.
//!
//! Nothing here waits or has a thread of its own: a check is a process like any other that is run inside, and the loop looks after it.
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::containers::monotonic_ms;
use super::inside::{Run, Started};
use super::Task;
use crate::container::enter::Entered;
use crate::protocol::{ExecBundle, HealthBundle, HealthStatus};
use crate::sys;

/// From a container's start to its first check. Until one passes the next comes when the container is twice as old, so that a container
/// that is well is soon known to be; what fails of these extra checks doesn't count, so that a slow one has the time that it has in Docker.
const FIRST_MS: u64 = 500;
/// Of what a check writes, what is kept to be told.
const SAID_BYTES: usize = 256;
/// Output taken at once from one check; the rest of what it left behind is not looked at.
const TURN_BYTES: usize = 16 * 1024;

/// Which of a check's descriptors is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    Status,
    Output(usize),
}

/// How a check failed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    why: String,
    exit_code: i32,
}

/// The exit code of a check that has none of its own, as Docker has it.
const NO_CODE: i32 = -1;

/// What the checks of one container tell. Times are of the monotonic clock. Pure.
struct Course {
    spec: HealthBundle,
    status: HealthStatus,
    /// Of one that is unhealthy: the failure that made it so.
    reason: Option<Failure>,
    /// In a row, of those that count.
    failures: u64,
    has_passed: bool,
    started_ms: u64,
    next_ms: u64,
}

impl Course {
    fn new(spec: HealthBundle, now: u64) -> Course {
        let next_ms = now + FIRST_MS.min(spec.interval_ms);
        Course { spec, status: HealthStatus::Unknown, reason: None, failures: 0, has_passed: false, started_ms: now, next_ms }
    }

    /// How old the container is when failures begin to count.
    fn grace_ms(&self) -> u64 {
        self.spec.start_period_ms.max(self.spec.interval_ms)
    }

    fn plan(&mut self, now: u64) {
        let (age, grace) = (now - self.started_ms, self.grace_ms());
        self.next_ms = if self.has_passed || age >= grace {
            now + self.spec.interval_ms
        } else {
            (now + age.max(FIRST_MS).min(self.spec.interval_ms)).min(self.started_ms + grace)
        };
    }

    /// True when that changed something.
    fn passed(&mut self, now: u64) -> bool {
        let changed = self.status != HealthStatus::Healthy;
        (self.status, self.reason, self.failures, self.has_passed) = (HealthStatus::Healthy, None, 0, true);
        self.plan(now);
        changed
    }

    /// The check that began at `began` failed. True when that changed something.
    fn failed(&mut self, began: u64, now: u64, why: String, exit_code: i32) -> bool {
        self.plan(now);
        if !self.has_passed && began - self.started_ms < self.grace_ms() {
            return false;
        }
        self.failures += 1;
        if self.failures < self.spec.retries || self.status == HealthStatus::Unhealthy {
            return false;
        }
        (self.status, self.reason) = (HealthStatus::Unhealthy, Some(Failure { why, exit_code }));
        true
    }
}

/// One check under way.
struct Check {
    run: Run,
    outputs: Vec<Option<OwnedFd>>,
    said: Vec<u8>,
    began_ms: u64,
    until_ms: u64,
    /// It has failed, and what is left of it was killed.
    is_over: bool,
}

impl Check {
    fn new(entered: Entered, spec: &HealthBundle, now: u64) -> Check {
        // Without its other end the command's input is empty.
        let (run, _, outputs) = Run::new(entered);
        let outputs = outputs.into_iter().map(Some).collect();
        Check { run, outputs, said: Vec::new(), began_ms: now, until_ms: now + spec.timeout_ms, is_over: false }
    }

    fn read_output(&mut self, at: usize) {
        let Some(Some(fd)) = self.outputs.get(at) else { return };
        let mut buffer = [0; TURN_BYTES];
        match sys::read(fd.as_fd(), &mut buffer) {
            Ok(None) => {}
            Ok(Some(n)) if n > 0 => {
                let kept = n.min(SAID_BYTES - self.said.len());
                self.said.extend_from_slice(&buffer[..kept]);
            }
            _ => self.outputs[at] = None,
        }
    }

    fn describe(&self, what: &str) -> String {
        let said = String::from_utf8_lossy(&self.said);
        match said.trim() {
            "" => what.to_string(),
            said => format!("{what}: {said}"),
        }
    }

    fn end(&mut self) {
        self.run.kill();
        self.is_over = true;
    }
}

/// The health of one container, from its start to its end.
pub struct Health {
    course: Course,
    /// None while the container doesn't run.
    is_on: bool,
    check: Option<Check>,
}

impl Health {
    pub fn new(spec: &HealthBundle) -> Health {
        Health { course: Course::new(spec.clone(), 0), is_on: false, check: None }
    }

    /// The container has started: whatever was known is forgotten.
    pub fn begin(&mut self, now: u64) {
        *self = Health { course: Course::new(self.course.spec.clone(), now), is_on: true, check: None };
    }

    /// No more checks; what is known stays.
    pub fn stop(&mut self) {
        (self.is_on, self.check) = (false, None);
    }

    pub fn status(&self) -> HealthStatus {
        self.course.status
    }

    pub fn reason(&self) -> Option<String> {
        self.course.reason.as_ref().map(|failure| failure.why.clone())
    }

    /// Of the check that made it unhealthy.
    pub fn exit_code(&self) -> Option<i32> {
        self.course.reason.as_ref().map(|failure| failure.exit_code)
    }

    /// What to wait on.
    pub fn sources(&self) -> impl Iterator<Item = (BorrowedFd<'_>, Ready)> {
        let check = self.check.iter();
        check.flat_map(|check| {
            let status = check.run.status().into_iter().map(|fd| (fd, Ready::Status));
            let outputs = check.outputs.iter().enumerate();
            status.chain(outputs.filter_map(|(at, fd)| Some((fd.as_ref()?.as_fd(), Ready::Output(at)))))
        })
    }

    /// Takes what a descriptor has. True when the state changed.
    pub fn ready(&mut self, what: Ready) -> bool {
        let Some(check) = &mut self.check else { return false };
        match what {
            Ready::Output(at) => check.read_output(at),
            Ready::Status => {
                if let Started::Failed(why) = check.run.read_status() {
                    return self.give_up(&format!("its health check could not be started: {why}"), NO_CODE);
                }
            }
        }
        false
    }

    pub fn exited(&mut self, pid: i32, wait_status: i32) {
        if let Some(check) = &mut self.check {
            check.run.exited(pid, wait_status);
        }
    }

    /// The check that is under way has failed.
    fn give_up(&mut self, what: &str, exit_code: i32) -> bool {
        let Some(check) = self.check.as_mut().filter(|check| !check.is_over) else { return false };
        check.end();
        let why = check.describe(what);
        self.course.failed(check.began_ms, monotonic_ms(), why, exit_code)
    }

    /// Takes the end of a check, or ends one that takes too long. True when the state changed.
    fn settle(&mut self, now: u64) -> bool {
        let Some(check) = &mut self.check else { return false };
        if check.is_over {
            if check.run.is_gone() {
                self.check = None;
            }
            return false;
        }
        match check.run.code() {
            Some(0) => {
                self.check = None;
                self.course.passed(now)
            }
            Some(code) => {
                (0..check.outputs.len()).for_each(|at| check.read_output(at));
                let changed = self.give_up(&format!("its health check ended with exit code {code}"), code);
                self.check = None;
                changed
            }
            None if now >= check.until_ms => {
                let what = format!("its health check took longer than {} ms", self.course.spec.timeout_ms);
                self.give_up(&what, NO_CODE)
            }
            None => false,
        }
    }

    /// A check should begin. One that was killed and doesn't end is in its place, which is a failure of its own.
    fn is_due(&mut self, now: u64, changed: &mut bool) -> bool {
        if now < self.course.next_ms {
            return false;
        }
        match &self.check {
            None => true,
            Some(check) if check.is_over => {
                *changed |= self.course.failed(now, now, "its last health check was killed, and still has not ended".to_string(), NO_CODE);
                false
            }
            Some(_) => false,
        }
    }

    /// When to look again, by the monotonic clock.
    fn again(&self) -> u64 {
        match &self.check {
            Some(check) if !check.is_over => check.until_ms,
            _ => self.course.next_ms,
        }
    }
}

impl Task {
    /// Begins the checks that are due and ends those that take too long. Gives the time of the monotonic clock when to look again.
    pub(super) fn tend_health(&mut self) -> Option<u64> {
        (0..self.containers.len()).filter_map(|index| self.tend_health_of(index)).min()
    }

    fn tend_health_of(&mut self, index: usize) -> Option<u64> {
        let health = self.containers[index].health()?;
        if self.stopping {
            health.stop();
        }
        if !health.is_on {
            return None;
        }
        let now = monotonic_ms();
        let mut changed = health.settle(now);
        if health.is_due(now, &mut changed) {
            let wanted = command_of(&self.bundle.containers[index].name, &health.course.spec);
            let entered = self.enter(index, &wanted);
            let health = self.containers[index].health()?;
            match entered {
                Ok(entered) => health.check = Some(Check::new(entered, &health.course.spec, now)),
                Err(why) => changed |= health.course.failed(now, now, format!("its health check could not be started: {why}"), NO_CODE),
            }
        }
        self.state_is_due |= changed;
        self.containers[index].health().map(|health| health.again())
    }
}

fn command_of(container: &str, spec: &HealthBundle) -> ExecBundle {
    ExecBundle {
        container: container.to_string(),
        command: spec.command.clone(),
        tty: false,
        cols: 0,
        rows: 0,
        env: BTreeMap::new(),
        user: None,
        cwd: None,
        copies: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(start_period_ms: u64) -> Course {
        let spec = HealthBundle { command: Vec::new(), interval_ms: 10_000, timeout_ms: 2_000, retries: 3, start_period_ms };
        Course::new(spec, 1_000)
    }

    /// Runs checks of no length that all end so, and gives the container's ages at which they were made.
    fn ages(course: &mut Course, checks: usize, is_well: bool) -> Vec<u64> {
        let one = |_| {
            let now = course.next_ms;
            if is_well {
                course.passed(now);
            } else {
                course.failed(now, now, "no".to_string(), 3);
            }
            now - 1_000
        };
        (0..checks).map(one).collect()
    }

    #[test]
    fn the_first_checks_come_soon_and_count_only_when_they_pass() {
        let mut one = course(0);
        assert_eq!(ages(&mut one, 7, false), [500, 1_000, 2_000, 4_000, 8_000, 10_000, 20_000]);
        assert_eq!((one.status, one.failures), (HealthStatus::Unknown, 2));
        assert_eq!(ages(&mut one, 1, false), [30_000]);
        let failure = |why: &str, exit_code| Some(Failure { why: why.to_string(), exit_code });
        assert_eq!((one.status, one.reason.clone()), (HealthStatus::Unhealthy, failure("no", 3)));

        let mut well = course(0);
        assert_eq!(ages(&mut well, 3, true), [500, 10_500, 20_500]);
        assert_eq!(well.status, HealthStatus::Healthy);
    }

    #[test]
    fn failures_within_the_start_period_count_only_after_a_check_has_passed() {
        let mut slow = course(25_000);
        assert_eq!(ages(&mut slow, 8, false), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 25_000, 35_000]);
        assert_eq!((slow.status, slow.failures), (HealthStatus::Unknown, 2));

        let mut broke = course(300_000);
        ages(&mut broke, 2, false);
        assert!(broke.passed(broke.next_ms));
        ages(&mut broke, 2, false);
        assert_eq!(broke.status, HealthStatus::Healthy);
        assert_eq!(ages(&mut broke, 1, false), [32_000]);
        assert_eq!(broke.status, HealthStatus::Unhealthy);
    }

    #[test]
    fn a_check_that_passes_makes_it_healthy_again_and_says_so_once() {
        let mut one = course(0);
        ages(&mut one, 8, false);
        assert_eq!(one.status, HealthStatus::Unhealthy);
        assert!(!one.failed(one.next_ms, one.next_ms, "again".to_string(), 4));
        assert_eq!(one.reason.as_ref().map(|failure| failure.exit_code), Some(3));
        assert!(one.passed(one.next_ms));
        assert!(!one.passed(one.next_ms));
        assert_eq!((one.status, one.reason.clone(), one.failures), (HealthStatus::Healthy, None, 0));
    }
}
