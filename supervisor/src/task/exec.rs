//! Commands that are run inside the task's containers for the host that is attached. They end with its connection.
//!
//! Nothing here waits: output is read only while the host takes it and no more than its window, input is taken as the command reads it.
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::containers::monotonic_ms;
use super::host::Host;
use super::inside::{Run, Started, ENTER_MS};
use super::{Event, Task};
use crate::container::enter::Entered;
use crate::container::terminal;
use crate::protocol::{ExecBundle, FromSupervisor, ToSupervisor, EXECS, EXEC_INPUT_BYTES, EXEC_OUTPUT_FRAME, EXEC_WINDOW_BYTES};
use crate::{base64, signals, sys};

/// Output taken at once from one command.
const TURN_BYTES: usize = 16 * 1024;
/// After less than this its output rests for a moment: what is printed line by line then comes in pieces, of which each costs a message on every stage up to
/// the caller's terminal.
const PIECE_BYTES: usize = 1024;
/// How long it rests at first, and, doubled each time, where even that brings little: an emulated machine prints slowly.
const REST_MS: u64 = 2;
const LONGEST_REST_MS: u64 = 16;
/// No output of commands is read while so much waits for the socket.
const QUEUE_BYTES: usize = 128 * 1024;

/// Which of a command's descriptors is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    Status,
    Input,
    Output(usize),
}

struct Exec {
    id: u32,
    run: Run,
    input: Option<OwnedFd>,
    pending: Vec<u8>,
    input_ends: bool,
    /// Index + 1 is the number of the stream.
    outputs: Vec<Option<OwnedFd>>,
    is_terminal: bool,
    unacknowledged: u64,
    rest: Rest,
}

/// When a command's output is read again, in ms of the monotonic clock.
#[derive(Default)]
struct Rest {
    until: u64,
    ms: u64,
}

impl Rest {
    fn after(&mut self, bytes: usize, now: u64) {
        if bytes >= PIECE_BYTES {
            return;
        }
        // Who prints now and then, as one who types does, has each of it at once.
        let goes_on = now <= self.until + self.ms;
        self.ms = if goes_on { (2 * self.ms).clamp(REST_MS, LONGEST_REST_MS) } else { REST_MS };
        self.until = now + self.ms;
    }
}

impl Exec {
    fn new(id: u32, entered: Entered, is_terminal: bool) -> Exec {
        let (run, input, outputs) = Run::new(entered);
        Exec {
            id,
            run,
            input: Some(input),
            pending: Vec::new(),
            input_ends: false,
            outputs: outputs.into_iter().map(Some).collect(),
            is_terminal,
            unacknowledged: 0,
            rest: Rest::default(),
        }
    }

    /// Gives the command what it takes of its input, and says how much that was.
    fn write_input(&mut self, host: &mut Host) -> io::Result<()> {
        let mut taken = 0;
        while taken < self.pending.len() {
            let Some(fd) = &self.input else { break };
            match sys::write(fd.as_fd(), &self.pending[taken..]) {
                Ok(None) => break,
                Ok(Some(n)) => taken += n,
                // Nobody will ever read it.
                Err(_) => self.input = None,
            }
        }
        if self.input.is_none() {
            taken = self.pending.len();
        }
        self.pending.drain(..taken);
        if self.pending.is_empty() {
            self.pending = Vec::new();
            // A terminal has no end: who sits at it types one.
            if self.input_ends && !self.is_terminal {
                self.input = None;
            }
        }
        if taken > 0 {
            host.send(&FromSupervisor::ExecTaken { id: self.id, bytes: taken as u64 })?;
        }
        Ok(())
    }

    fn may_send(&self, host: &Host) -> bool {
        self.run.status().is_none() && self.unacknowledged < EXEC_WINDOW_BYTES && host.queued() < QUEUE_BYTES
    }

    /// Sends on what one stream has. True when there is nothing more for now.
    fn read_output(&mut self, at: usize, host: &mut Host) -> bool {
        let Some(Some(fd)) = self.outputs.get(at) else { return true };
        let mut buffer = vec![0; TURN_BYTES.min((EXEC_WINDOW_BYTES - self.unacknowledged) as usize)];
        match sys::read(fd.as_fd(), &mut buffer) {
            Ok(None) => true,
            // A terminal whose other end is closed gives EIO.
            Ok(Some(0)) | Err(_) => {
                self.outputs[at] = None;
                true
            }
            Ok(Some(n)) => {
                self.rest.after(n, monotonic_ms());
                self.unacknowledged += n as u64;
                host.append(EXEC_OUTPUT_FRAME, &[&self.id.to_be_bytes(), &[at as u8 + 1], &buffer[..n]]);
                false
            }
        }
    }

    /// What the command left, as far as the host takes it. True when all of it is sent.
    fn drain(&mut self, host: &mut Host) -> bool {
        for at in 0..self.outputs.len() {
            loop {
                if !self.may_send(host) {
                    return false;
                }
                if self.read_output(at, host) {
                    break;
                }
            }
        }
        true
    }
}

#[derive(Default)]
pub struct Execs {
    all: Vec<Exec>,
}

impl Execs {
    /// Kills them all.
    pub fn clear(&mut self) {
        self.all = Vec::new();
    }

    /// What to wait on, and for what.
    pub(super) fn sources<'a>(&'a self, host: Option<&'a Host>) -> impl Iterator<Item = (BorrowedFd<'a>, i16, Event)> {
        let now = monotonic_ms();
        self.all.iter().flat_map(move |exec| {
            let event = move |ready| Event::Exec(exec.id, ready);
            let status = exec.run.status().into_iter().map(move |fd| (fd, libc::POLLIN, event(Ready::Status)));
            let input = exec.input.iter().filter(|_| !exec.pending.is_empty());
            let input = input.map(move |fd| (fd.as_fd(), libc::POLLOUT, event(Ready::Input)));
            let outputs =
                exec.outputs.iter().enumerate().filter(move |_| exec.rest.until <= now && host.is_some_and(|host| exec.may_send(host)));
            let outputs = outputs.filter_map(move |(at, fd)| Some((fd.as_ref()?.as_fd(), libc::POLLIN, event(Ready::Output(at)))));
            status.chain(input).chain(outputs)
        })
    }

    fn find(&mut self, id: u32) -> Option<&mut Exec> {
        self.all.iter_mut().find(|exec| exec.id == id)
    }

    fn remove(&mut self, id: u32) {
        self.all.retain(|exec| exec.id != id);
    }

    /// One of the task's processes has ended, perhaps one of these.
    pub fn exited(&mut self, pid: i32, wait_status: i32) {
        for exec in &mut self.all {
            exec.run.exited(pid, wait_status);
        }
    }
}

impl Task {
    pub(super) fn on_exec_message(&mut self, message: ToSupervisor) {
        let Some(host) = &mut self.host else { return };
        let execs = &mut self.execs;
        let done = match message {
            ToSupervisor::Exec { id, bundle } => return self.begin_exec(id, &bundle),
            ToSupervisor::ExecInput { id, data, eof } => {
                let Some(exec) = execs.find(id) else { return };
                match base64::decode(&data) {
                    Some(data) if exec.pending.len() + data.len() <= EXEC_INPUT_BYTES => {
                        exec.pending.extend(data);
                        exec.input_ends |= eof;
                        exec.write_input(host)
                    }
                    _ => {
                        execs.remove(id);
                        let message = "its input broke the protocol: not base64, or more than was asked for".to_string();
                        host.send(&FromSupervisor::ExecError { id, message })
                    }
                }
            }
            ToSupervisor::ExecResize { id, cols, rows } => {
                let terminal = execs.find(id).filter(|exec| exec.is_terminal).and_then(|exec| exec.input.as_ref());
                // It may just have ended.
                let _ = terminal.map(|fd| terminal::resize(fd.as_fd(), cols, rows));
                Ok(())
            }
            ToSupervisor::ExecSignal { id, signal } => match (execs.find(id), signals::number(&signal)) {
                (_, None) => {
                    let message = format!("{signal:?} is not a signal");
                    host.send(&FromSupervisor::Error { about: "exec-signal".to_string(), message })
                }
                (exec, Some(number)) => {
                    if let Some(exec) = exec {
                        exec.run.signal(number);
                    }
                    Ok(())
                }
            },
            ToSupervisor::ExecAck { id, bytes } => {
                if let Some(exec) = execs.find(id) {
                    exec.unacknowledged = exec.unacknowledged.saturating_sub(bytes);
                }
                Ok(())
            }
            ToSupervisor::ExecClose { id } => {
                execs.remove(id);
                Ok(())
            }
            _ => Ok(()),
        };
        if done.is_err() {
            self.lose_host();
        }
    }

    fn begin_exec(&mut self, id: u32, wanted: &ExecBundle) {
        match self.enter_as(id, wanted) {
            Ok(entered) => self.execs.all.push(Exec::new(id, entered, wanted.tty)),
            Err(message) => self.send(&FromSupervisor::ExecError { id, message }),
        }
    }

    fn enter_as(&self, id: u32, wanted: &ExecBundle) -> Result<Entered, String> {
        let name = &wanted.container;
        if self.execs.all.iter().any(|exec| exec.id == id) {
            return Err(format!("a command with id {id} runs already"));
        }
        if self.execs.all.len() >= EXECS {
            return Err(format!("{EXECS} commands run in the task's containers already"));
        }
        let index = self.bundle.containers.iter().position(|bundle| bundle.name == *name);
        let index = index.ok_or_else(|| format!("the task has no container {name:?}"))?;
        self.enter(index, wanted)
    }

    pub(super) fn on_exec_ready(&mut self, id: u32, ready: Ready) {
        let (Some(host), Some(exec)) = (&mut self.host, self.execs.find(id)) else { return };
        let done = match ready {
            Ready::Input => exec.write_input(host),
            Ready::Output(at) => {
                if exec.may_send(host) {
                    exec.read_output(at, host);
                }
                Ok(())
            }
            Ready::Status => match exec.run.read_status() {
                Started::NotYet => Ok(()),
                Started::Yes => host.send(&FromSupervisor::ExecStarted { id }),
                Started::Failed(message) => {
                    self.execs.remove(id);
                    host.send(&FromSupervisor::ExecError { id, message })
                }
            },
        };
        if done.is_err() {
            self.lose_host();
        }
    }

    /// Tells the ends of commands and gives up on those that don't start. Gives the time of the monotonic clock when to look again.
    pub(super) fn tend_execs(&mut self) -> Option<u64> {
        let Some(host) = &mut self.host else {
            self.execs.clear();
            return None;
        };
        let now = monotonic_ms();
        let mut over = Vec::new();
        for exec in &mut self.execs.all {
            match (exec.run.start_due(), exec.run.code()) {
                (Some(until), _) if now >= until => {
                    let message = format!("it could not be started within {} s", ENTER_MS / 1000);
                    over.push(FromSupervisor::ExecError { id: exec.id, message });
                }
                (None, Some(code)) if exec.drain(host) => over.push(FromSupervisor::ExecExit { id: exec.id, code }),
                _ => {}
            }
        }
        let mut sent = Ok(());
        for message in over {
            if let FromSupervisor::ExecError { id, .. } | FromSupervisor::ExecExit { id, .. } = message {
                self.execs.remove(id);
            }
            sent = sent.and_then(|()| host.send(&message));
        }
        if sent.is_err() {
            self.lose_host();
        }
        let rests = |exec: &Exec| Some(exec.rest.until).filter(|until| *until > now);
        self.execs.all.iter().flat_map(|exec| [exec.run.start_due(), rests(exec)]).flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_little_pieces_rests_ever_longer_and_what_comes_seldom_hardly() {
        let mut rest = Rest::default();
        let mut now = 1000;
        let mut rests = Vec::new();
        for bytes in [8, 100, 8, 8, 8, 8] {
            rest.after(bytes, now);
            rests.push(rest.until - now);
            now = rest.until;
        }
        assert_eq!(rests, [2, 4, 8, 16, 16, 16]);
        let until = rest.until;
        rest.after(PIECE_BYTES, now);
        assert_eq!(rest.until, until);
        now += 100;
        rest.after(1, now);
        assert_eq!(rest.until - now, REST_MS);
    }
}
