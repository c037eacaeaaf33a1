//! Commands that are run inside the task's containers for the host that is attached. They end with its connection.
//!
//! Nothing here waits: output is read only while the host takes it and no more than its window, input is taken as the command reads it.
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::containers::monotonic_ms;
use super::host::Host;
use super::{Event, Task};
use crate::container::enter::{self, Entered, Inside};
use crate::container::{self, terminal, Error};
use crate::protocol::{
    ExecBundle, FromSupervisor, ToSupervisor, EXECS, EXEC_INPUT_BYTES, EXEC_OUTPUT_FRAME, EXEC_WINDOW_BYTES, TEXT_BYTES,
};
use crate::{base64, runsc, signals, sys};

/// Output taken at once from one command.
const TURN_BYTES: usize = 16 * 1024;
/// No output of commands is read while so much waits for the socket.
const QUEUE_BYTES: usize = 128 * 1024;
/// How long going in may take: what it waits for is in the container's hands (a file system of its own, a frozen group).
const ENTER_MS: u64 = 10_000;

/// Which of a command's descriptors is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    Status,
    Input,
    Output(usize),
}

/// Until the command runs: what is said of it, by whom, and how long that may take.
struct Making {
    status: OwnedFd,
    report: Vec<u8>,
    /// None once reaped.
    helper: Option<i32>,
    until_ms: u64,
    /// The status came to its end.
    is_over: bool,
}

impl Making {
    /// Takes what was said so far; gives the command's PID once that is known.
    fn learn(&mut self) -> Option<i32> {
        let mut buffer = [0; 512];
        while !self.is_over {
            match sys::read(self.status.as_fd(), &mut buffer) {
                Ok(None) => break,
                Ok(Some(n)) if n > 0 && self.report.len() < TEXT_BYTES => self.report.extend_from_slice(&buffer[..n]),
                _ => self.is_over = true,
            }
        }
        enter::parse_birth(&self.report).map(|(pid, _)| pid)
    }
}

struct Exec {
    id: u32,
    making: Option<Making>,
    /// The command's process, leader of its session; None before it is known and once it is reaped.
    pid: Option<i32>,
    code: Option<i32>,
    input: Option<OwnedFd>,
    pending: Vec<u8>,
    input_ends: bool,
    /// Index + 1 is the number of the stream.
    outputs: Vec<Option<OwnedFd>>,
    is_terminal: bool,
    /// The process stands for the command's, and hands signals on.
    is_keeper: bool,
    unacknowledged: u64,
}

/// What became of the start.
enum Started {
    NotYet,
    Yes,
    Failed(String),
}

impl Exec {
    fn new(id: u32, entered: Entered, is_terminal: bool) -> Exec {
        let until_ms = monotonic_ms() + ENTER_MS;
        let making = Making { status: entered.status, report: Vec::new(), helper: entered.helper, until_ms, is_over: false };
        Exec {
            id,
            making: Some(making),
            pid: None,
            code: None,
            input: Some(entered.input),
            pending: Vec::new(),
            input_ends: false,
            outputs: entered.outputs.into_iter().map(Some).collect(),
            is_terminal,
            is_keeper: entered.is_keeper,
            unacknowledged: 0,
        }
    }

    fn learn(&mut self) {
        let pid = self.making.as_mut().and_then(Making::learn);
        if self.code.is_none() {
            self.pid = self.pid.or(pid);
        }
    }

    /// Reads what is said of the start.
    fn read_status(&mut self) -> Started {
        self.learn();
        let Some(making) = self.making.take_if(|making| making.is_over) else { return Started::NotYet };
        let (born, rest) = enter::parse_birth(&making.report).map_or((false, making.report.as_slice()), |(_, rest)| (true, rest));
        match container::parse_report(rest) {
            Some(Error::Create(why) | Error::Start(why)) => Started::Failed(why),
            None if born => Started::Yes,
            None => Started::Failed("it was killed before it was started".to_string()),
        }
    }

    /// What signals go to, and whether it hands them on.
    fn target(&mut self) -> Option<(i32, bool)> {
        self.pid.map(|pid| (pid, self.is_keeper))
    }

    /// Kills it with all of its process group.
    fn kill(&mut self) {
        self.learn();
        if let Some(helper) = self.making.as_ref().and_then(|making| making.helper) {
            let _ = sys::kill(helper, libc::SIGKILL);
        }
        if let Some(pid) = self.pid.filter(|_| self.is_keeper) {
            let _ = sys::kill(pid, runsc::carried(libc::SIGKILL));
        } else if let Some(pid) = self.pid {
            let _ = sys::kill(-pid, libc::SIGKILL);
            let _ = sys::kill(pid, libc::SIGKILL);
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
        self.making.is_none() && self.unacknowledged < EXEC_WINDOW_BYTES && host.queued() < QUEUE_BYTES
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

impl Drop for Exec {
    fn drop(&mut self) {
        self.kill();
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
        self.all.iter().flat_map(move |exec| {
            let event = move |ready| Event::Exec(exec.id, ready);
            let status = exec.making.iter().map(move |making| (making.status.as_fd(), libc::POLLIN, event(Ready::Status)));
            let input = exec.input.iter().filter(|_| !exec.pending.is_empty());
            let input = input.map(move |fd| (fd.as_fd(), libc::POLLOUT, event(Ready::Input)));
            let outputs = exec.outputs.iter().enumerate().filter(move |_| host.is_some_and(|host| exec.may_send(host)));
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
            // Its PID was said before it began, so now that it ended it is known.
            exec.learn();
            if let Some(making) = exec.making.as_mut().filter(|making| making.helper == Some(pid)) {
                making.helper = None;
            } else if exec.pid == Some(pid) {
                exec.pid = None;
                exec.code = Some(sys::exit_code(wait_status));
            }
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
            ToSupervisor::ExecSignal { id, signal } => match (execs.find(id).and_then(Exec::target), signals::number(&signal)) {
                (_, None) => {
                    let message = format!("{signal:?} is not a signal");
                    host.send(&FromSupervisor::Error { about: "exec-signal".to_string(), message })
                }
                (Some((pid, is_keeper)), Some(number)) => {
                    // Not reaped, so it is still that one; gone is fine.
                    let _ = sys::kill(pid, if is_keeper { runsc::carried(number) } else { number });
                    Ok(())
                }
                (None, _) => Ok(()),
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
        match self.enter(id, wanted) {
            Ok(entered) => self.execs.all.push(Exec::new(id, entered, wanted.tty)),
            Err(message) => self.send(&FromSupervisor::ExecError { id, message }),
        }
    }

    fn enter(&self, id: u32, wanted: &ExecBundle) -> Result<Entered, String> {
        let name = &wanted.container;
        if self.execs.all.iter().any(|exec| exec.id == id) {
            return Err(format!("a command with id {id} runs already"));
        }
        if self.execs.all.len() >= EXECS {
            return Err(format!("{EXECS} commands run in the task's containers already"));
        }
        let index = self.bundle.containers.iter().position(|bundle| bundle.name == *name);
        let index = index.ok_or_else(|| format!("the task has no container {name:?}"))?;
        let (pid, pidfd) = self.containers[index].running().ok_or_else(|| format!("container {name:?} is not running"))?;
        let inside = Inside { task: &self.bundle, cgroups: &self.cgroups, index, pid, pidfd };
        let entered = match &self.room {
            Some(room) => runsc::enter(&inside, room, wanted),
            None => enter::enter(&inside, wanted),
        };
        entered.map_err(|(Error::Create(why) | Error::Start(why))| why)
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
            Ready::Status => match exec.read_status() {
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
            match (exec.making.as_ref().map(|making| making.until_ms), exec.code) {
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
        self.execs.all.iter().filter_map(|exec| exec.making.as_ref()).map(|making| making.until_ms).min()
    }
}
