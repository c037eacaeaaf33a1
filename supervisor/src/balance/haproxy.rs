//! One HAProxy process.
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::launch::{self, User};
use crate::sys;

/// What is kept of the end of its output.
const WORDS_BYTES: usize = 4096;

pub struct Program {
    pub path: PathBuf,
    /// root only in tests: it is not changed then.
    pub user: User,
}

pub struct Haproxy {
    pub pid: i32,
    pub since: Instant,
    /// Its standard error, until that is closed.
    said: Option<OwnedFd>,
    words: String,
}

impl Program {
    /// Starts it on `config` with the sockets of these numbers and no others. With `former` it tells that process to finish as soon as it is
    /// ready itself.
    pub fn start(&self, config: &Path, sockets: &[i32], former: Option<i32>) -> Result<Haproxy, String> {
        let (said, tell) = sys::pipe().map_err(|error| sys::reason(&error))?;
        sys::set_nonblocking(said.as_fd()).map_err(|error| sys::reason(&error))?;
        let mut command = Command::new(&self.path);
        // In the foreground, one process: a master of its own would die with its worker.
        command.arg("-db").arg("-f").arg(config);
        if let Some(pid) = former {
            command.arg("-sf").arg(pid.to_string());
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(tell).current_dir("/");
        let (user, sockets, holder) = (self.user, sockets.to_vec(), std::process::id());
        // SAFETY: this program has one thread; what runs between fork and exec are system calls.
        unsafe { command.pre_exec(move || prepare(user, &sockets, holder)) };
        let child = command.spawn().map_err(|error| format!("{}: {}", self.path.display(), sys::reason(&error)))?;
        Ok(Haproxy { pid: child.id() as i32, since: Instant::now(), said: Some(said), words: String::new() })
    }
}

fn prepare(user: User, sockets: &[i32], holder: u32) -> io::Result<()> {
    // SAFETY: setsid(2) takes no pointers.
    unsafe { libc::setsid() };
    sys::reset_signals();
    for number in sockets {
        // SAFETY: the caller holds a socket at each number.
        sys::survive_exec(unsafe { BorrowedFd::borrow_raw(*number) })?;
    }
    if user.uid != 0 {
        launch::become_user(user)?;
    }
    // Whoever takes this process's place needs the sockets.
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM as libc::c_ulong, 0)?;
    // SAFETY: getppid(2) takes no pointers.
    if unsafe { libc::getppid() } as u32 != holder {
        return Err(io::Error::other("the holder of the sockets has ended"));
    }
    Ok(())
}

impl Haproxy {
    pub fn words_fd(&self) -> Option<BorrowedFd<'_>> {
        self.said.as_ref().map(AsFd::as_fd)
    }

    /// Passes on what it has said by now.
    pub fn hear(&mut self) {
        let mut buffer = [0; 4096];
        while let Some(said) = &self.said {
            match sys::read(said.as_fd(), &mut buffer) {
                Ok(Some(0)) | Err(_) => self.said = None,
                Ok(Some(n)) => {
                    let _ = io::stderr().write_all(&buffer[..n]);
                    self.words.push_str(&String::from_utf8_lossy(&buffer[..n]));
                    let excess = self.words.len().saturating_sub(WORDS_BYTES);
                    let cut = (excess..self.words.len()).find(|at| self.words.is_char_boundary(*at)).unwrap_or(0);
                    self.words.drain(..cut);
                }
                Ok(None) => return,
            }
        }
    }

    pub fn last_words(&self) -> &str {
        &self.words
    }
}
