//! Runs a command inside a container that runs already, as `docker exec` does.
//!
//! Who may trace in the container must win nothing by it. So the process that goes in (the helper) keeps out of the container's PID
//! namespace: there nobody can name it. It joins everything else, gives up all that the container doesn't have, closes every descriptor
//! that could lead out, and starts this program anew, so that nothing of the supervisor's memory comes along. Only then is the command's
//! own process born into the namespace, with the rights of the container and no others. It is a child of the supervisor, and the helper
//! ends.
use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;

use super::anew::{self, Program};
use super::command::Manner;
use super::config::{Config, Process};
use super::{command, enter_directory, failed_to, group, identity, privileges, report, terminal, Error};
use crate::cgroup::Cgroups;
use crate::mount::open_path;
use crate::protocol::{ExecBundle, TaskBundle};
use crate::{copy, seccomp, sys};

/// First byte of what the helper says when the command's process is born; its PID follows (32 bits, the machine's byte order).
pub const BORN: u8 = b'p';

/// The container to go into.
pub struct Inside<'a> {
    pub task: &'a TaskBundle,
    pub cgroups: &'a Cgroups,
    pub index: usize,
    /// Its first process, which lives and isn't reaped.
    pub pid: i32,
    pub pidfd: BorrowedFd<'a>,
}

/// A command under way.
pub struct Entered {
    /// PID of the process that goes in; None where that is the one that is born.
    pub helper: Option<i32>,
    /// First says `BORN` and the PID, or what `report` writes; ends without more once the command runs.
    pub status: OwnedFd,
    /// Where its input goes; with a terminal the same as its output.
    pub input: OwnedFd,
    pub outputs: Vec<OwnedFd>,
    /// The process only stands for the command's.
    pub is_keeper: bool,
}

/// The command's ends of its standard streams.
pub struct Stdio {
    pub input: OwnedFd,
    pub output: OwnedFd,
    pub error: OwnedFd,
}

/// Clones the helper, which goes on alone from there.
pub fn enter(inside: &Inside, wanted: &ExecBundle) -> Result<Entered, Error> {
    let (ours, theirs) = if wanted.tty { terminal_inside(inside, wanted)? } else { pipes()? };
    let (status, status_write) = sys::pipe().map_err(failed_to("make a pipe"))?;
    let (input, outputs) = ours;
    for fd in outputs.iter().chain([&input, &status]) {
        sys::set_nonblocking(fd.as_fd()).map_err(failed_to("prepare a pipe"))?;
    }
    let group = group(inside.task, inside.index);
    let birthplace = inside.cgroups.birthplace(&group).map_err(|e| Error::Create(e.to_string()))?;
    match sys::clone3(0, birthplace.as_ref().map(AsFd::as_fd)).map_err(failed_to("clone a process"))? {
        Some((helper, _)) => Ok(Entered { helper: Some(helper), status, input, outputs, is_keeper: false }),
        None => {
            let Err(error) = go_in(inside, wanted, &group, &theirs, status_write.as_fd());
            report(status_write.as_fd(), &error);
            sys::exit_now(127)
        }
    }
}

/// The supervisor's ends: of the input, and of the outputs.
pub type Ours = (OwnedFd, Vec<OwnedFd>);

pub fn pipes() -> Result<(Ours, Stdio), Error> {
    let pipe = || sys::pipe().map_err(failed_to("make a pipe"));
    let ((input, in_write), (out_read, output), (err_read, error)) = (pipe()?, pipe()?, pipe()?);
    Ok(((in_write, vec![out_read, err_read]), Stdio { input, output, error }))
}

fn terminal_inside(inside: &Inside, wanted: &ExecBundle) -> Result<(Ours, Stdio), Error> {
    let failed = |e| failed_to("make a terminal in the container")(e);
    let (master, slave) = terminal::open_inside(inside.pid).map_err(failed)?;
    terminal::resize(master.as_fd(), wanted.cols, wanted.rows).map_err(failed)?;
    ends_of(master, slave).map_err(failed)
}

/// A terminal's both ends as standard streams.
pub fn ends_of(master: OwnedFd, slave: OwnedFd) -> io::Result<(Ours, Stdio)> {
    let (input, output) = (slave.try_clone()?, slave.try_clone()?);
    Ok(((master.try_clone()?, vec![master]), Stdio { input, output, error: slave }))
}

/// Everything between the clone and the birth of the command's process. Runs in the helper.
fn go_in(inside: &Inside, wanted: &ExecBundle, group: &str, stdio: &Stdio, status: BorrowedFd) -> Result<Infallible, Error> {
    end_with_supervisor(status).map_err(failed_to("prepare the process"))?;
    sys::prctl(libc::PR_SET_DUMPABLE, 0, 0).map_err(failed_to("prepare the process"))?;
    super::own_keyring();
    for (number, fd) in [(0, &stdio.input), (1, &stdio.output), (2, &stdio.error)] {
        sys::dup_to(fd.as_fd(), number).map_err(failed_to("prepare the process"))?;
    }
    inside.cgroups.join(group).map_err(|e| Error::Create(e.to_string()))?;
    let mut config = Config::load(Path::new(&inside.task.containers[inside.index].bundle))?;
    let oom_score = config.process.oom_score_adj.unwrap_or(0);
    std::fs::write("/proc/self/oom_score_adj", oom_score.to_string()).map_err(failed_to("set the OOM score"))?;
    let filter = config.linux.seccomp.as_ref().map(seccomp::compile).transpose().map_err(|e| Error::Create(e.to_string()))?;
    adapt(&mut config.process, wanted)?;
    if let Some(user) = &wanted.user {
        config.annotations.insert(super::config::USER_ANNOTATION.to_string(), user.clone());
    }

    let program = Program::find().map_err(failed_to("find this program"))?;
    // This process itself stays in its PID namespace: what is forked from here on is in the container's.
    let spaces = libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWNET | libc::CLONE_NEWCGROUP;
    sys::set_namespace(inside.pidfd, spaces | libc::CLONE_NEWPID).map_err(failed_to("join the container's namespaces"))?;
    let root = open_path(Path::new("/")).map_err(failed_to("open the container's root"))?;
    let identity = identity(&config, root.as_fd())?;
    drop(root);
    if wanted.tty {
        std::os::unix::fs::fchown(&stdio.input, Some(identity.uid), None).map_err(failed_to("give the terminal to its user"))?;
    }
    // From here on paths are the image's: no descriptor may offer a way back to the machine (CVE-2024-21626).
    program.close_others(status);
    privileges::drop_to(&config.process, &identity, filter.as_ref())?;
    enter_directory(Path::new(&config.process.cwd))?;
    let (command, manner) = if wanted.copies {
        (command::of_copy(&config.process)?, Manner::Copies)
    } else {
        (command::find(&config.process, identity.home.as_deref())?, Manner::of_terminal(wanted.tty))
    };
    let error = program.begin("enter", status, &command.words(manner), command.env());
    Err(failed_to("start anew")(error))
}

/// Runs `berth-supervisor enter STATUS terminal|pipes|copies PATH NAME [ARG]...`: the helper, started anew with all given up.
pub fn main(args: &[String]) -> ExitCode {
    let Some((status, (command, manner))) =
        args.split_first().and_then(|(status, words)| anew::status(status).zip(command::Command::of_words(words)))
    else {
        return ExitCode::from(2);
    };
    let Err(error) = give_birth(&command, manner, status.as_fd());
    report(status.as_fd(), &error);
    ExitCode::from(127)
}

/// The container's process as the definition has it, with another command and what else is wanted.
pub fn adapt(process: &mut Process, wanted: &ExecBundle) -> Result<(), Error> {
    if wanted.command.first().is_none_or(String::is_empty) {
        return Err(Error::Start("no command specified".to_string()));
    }
    process.args.clone_from(&wanted.command);
    if let Some(cwd) = &wanted.cwd {
        if !cwd.starts_with('/') {
            return Err(Error::Start(format!("the working directory {cwd:?} is not an absolute path")));
        }
        process.cwd.clone_from(cwd);
    }
    let mut set = |name: &str, value: &str| {
        process.env.retain(|entry| entry.strip_prefix(name).is_none_or(|rest| !rest.starts_with('=')));
        process.env.push(format!("{name}={value}"));
    };
    if wanted.tty {
        set("TERM", "xterm");
    }
    wanted.env.iter().for_each(|(name, value)| set(name, value));
    Ok(())
}

/// The supervisor may have died before that: then nobody reads the status any more.
pub fn end_with_supervisor(status: BorrowedFd) -> io::Result<()> {
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0)?;
    let mut reader = [sys::poll_entry(status, 0)];
    sys::poll(&mut reader, 0)?;
    if reader[0].revents & libc::POLLERR != 0 {
        sys::exit_now(127);
    }
    Ok(())
}

/// Forks the command's process, says which it is, and ends. The command begins after that, or its end could be seen before its birth.
fn give_birth(command: &command::Command, manner: Manner, status: BorrowedFd) -> Result<Infallible, Error> {
    let start = |what: &'static str| move |e: io::Error| Error::Start(format!("cannot {what}: {}", sys::reason(&e)));
    let (gate, opener) = sys::pipe().map_err(start("make a pipe"))?;
    match sys::fork_sibling().map_err(start("fork the command"))? {
        Some(pid) => {
            let mut text = vec![BORN];
            text.extend(pid.to_ne_bytes());
            if sys::write_all(status, &text).is_ok() {
                let _ = sys::write_all(opener.as_fd(), &[1]);
            }
            sys::exit_now(0)
        }
        None => {
            drop(opener);
            if !matches!(sys::read(gate.as_fd(), &mut [0]), Ok(Some(1))) {
                sys::exit_now(127);
            }
            drop(gate);
            let Err(error) = become_command(command, manner, status);
            report(status, &error);
            sys::exit_now(127)
        }
    }
}

fn become_command(command: &command::Command, manner: Manner, status: BorrowedFd) -> Result<Infallible, Error> {
    end_with_supervisor(status).map_err(failed_to("prepare the process"))?;
    sys::set_name(c"berth-exec");
    // SAFETY: no pointers; a session of its own, whose terminal is standard input.
    unsafe {
        libc::setsid();
        if manner == Manner::Terminal {
            libc::ioctl(0, libc::TIOCSCTTY, 0);
        }
    }
    sys::reset_signals();
    if manner == Manner::Copies {
        // That it runs is said by the status's end.
        sys::keep_only(&[]);
        sys::exit_now(copy::run(&command.args()))
    }
    command.exec()
}

/// What `Entered::status` said so far about the birth: the command's PID, and where the rest begins.
pub fn parse_birth(text: &[u8]) -> Option<(i32, &[u8])> {
    let (pid, rest) = text.strip_prefix(&[BORN])?.split_first_chunk::<4>()?;
    Some((i32::from_ne_bytes(*pid), rest))
}
