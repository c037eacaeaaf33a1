//! One turn of a task's loop: what it waits on.
use std::os::fd::AsFd;
use std::time::Duration;

use super::containers::monotonic_ms;
use super::{Event, Task};
use crate::sys;

/// Quiet for so long: freed memory goes back to the kernel.
const QUIET_MS: u64 = 200;

/// What a turn waits for; kept, so that a turn allocates nothing.
#[derive(Default)]
pub(super) struct Poll {
    fds: Vec<libc::pollfd>,
    events: Vec<Event>,
}

impl Task {
    pub(super) fn run(mut self) -> ! {
        let mut poll = Poll::default();
        loop {
            self.turn(&mut poll);
        }
    }

    /// Does what can be done, waits for the next event, and takes it.
    pub(super) fn turn(&mut self, poll: &mut Poll) {
        let Poll { fds, events } = poll;
        // Health first: what it tells may be what a container waits for.
        let next =
            [self.tend_health(), self.advance(), self.tend_execs(), self.retry_output(), self.tend_memory()].into_iter().flatten().min();
        self.tell_host();
        self.collect(fds, events);
        if self.wait(fds, next).is_err() {
            // poll fails only for want of memory; the loop looks at everything anyway.
            std::thread::sleep(Duration::from_millis(10));
            return;
        }
        for (fd, event) in fds.iter().zip(events) {
            if fd.revents != 0 {
                self.handle(*event);
            }
        }
    }

    fn collect(&self, fds: &mut Vec<libc::pollfd>, events: &mut Vec<Event>) {
        fds.clear();
        events.clear();
        let mut add = |fd, flags, event| {
            fds.push(sys::poll_entry(fd, flags));
            events.push(event);
        };
        add(self.signal_fd.as_fd(), libc::POLLIN, Event::Signal);
        if let Some(listener) = &self.listener {
            add(listener.as_fd(), libc::POLLIN, Event::Connection);
        }
        if let Some(host) = &self.host {
            let out = if host.is_blocked() { libc::POLLOUT } else { 0 };
            add(host.fd(), libc::POLLIN | out, Event::Host);
        }
        for (index, container) in self.containers.iter().enumerate() {
            for (fd, ready) in container.sources() {
                add(fd, libc::POLLIN, Event::Container(index, ready));
            }
        }
        self.execs.sources(self.host.as_ref()).for_each(|(fd, flags, event)| add(fd, flags, event));
    }

    /// Waits until something is ready, or until `next` of the monotonic clock.
    fn wait(&mut self, fds: &mut [libc::pollfd], next: Option<u64>) -> std::io::Result<()> {
        let left = next.map(|at| i32::try_from(at.saturating_sub(monotonic_ms())).unwrap_or(i32::MAX));
        let quiet = QUIET_MS as i32;
        if self.is_tidy || left.is_some_and(|left| left <= quiet) {
            self.is_tidy = false;
            return sys::poll(fds, left.unwrap_or(-1));
        }
        sys::poll(fds, quiet)?;
        if fds.iter().all(|fd| fd.revents == 0) {
            sys::trim_memory();
            self.is_tidy = true;
        }
        Ok(())
    }
}
