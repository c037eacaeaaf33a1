//! Reads what the kernel asks and answers it, in a few threads.
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use super::locks::{Locks, Wish};
use super::memory::{Meaning, Memory};
use super::nodes::Nodes;
use super::opened::{self, Opened};
use super::wire::{self, op, Errno, Head, Input, Output, IN_HEADER, IO_BYTES};
use crate::nfs::files;
use crate::protocol::{FilesUser, ShareBundle};
use crate::sys;

/// Requests that are worked on at the same time: an fsync holds no read up.
const WORKERS: usize = 4;
const STACK_BYTES: usize = 256 * 1024;
/// The longest request is a write; the kernel wants room for its headers, too.
const REQUEST_BYTES: usize = IO_BYTES + 4096;

pub struct Server {
    pub nodes: Nodes,
    pub opened: Opened,
    locks: Locks,
    /// Who this process is.
    pub user: FilesUser,
    pub spread: bool,
    pub ignores_owners: bool,
}

impl Server {
    /// Goes on with what is in `memory`.
    pub fn new(root: OwnedFd, share: &ShareBundle, memory: Arc<Memory>) -> Server {
        let server = Server {
            nodes: Nodes::new(root, memory.clone()),
            opened: Opened::new(memory.clone()),
            locks: Locks::new(memory.clone()),
            user: share.user.clone(),
            spread: share.spread,
            ignores_owners: share.ignores_owners,
        };
        for (fd, meaning) in memory.recall() {
            match meaning {
                Meaning::Node { node, ino, generation } => server.nodes.recall(fd, node, (ino, generation)),
                Meaning::Opened { handle } => server.opened.recall(fd, handle),
                Meaning::Locks { node, owner } => server.locks.recall(fd, node, owner),
            }
        }
        server
    }

    /// None: nothing is answered.
    fn answer(&self, head: Head, mut input: Input) -> Option<Result<Vec<u8>, Errno>> {
        let node = head.node;
        let outcome = match head.opcode {
            op::FORGET => {
                self.nodes.forget(node, input.u64().ok()?);
                return None;
            }
            op::BATCH_FORGET => {
                let count = input.u32().ok()?;
                input.skip(4).ok()?;
                for _ in 0..count {
                    self.nodes.forget(input.u64().ok()?, input.u64().ok()?);
                }
                return None;
            }
            op::INTERRUPT => {
                self.locks.interrupt(input.u64().ok()?);
                return None;
            }
            op::LOOKUP => self.lookup(node, input),
            op::GETATTR => self.get_attributes(node, input),
            op::SETATTR => self.set_attributes(node, input),
            op::READLINK => self.read_link(node),
            op::SYMLINK => self.make_link(node, input),
            op::MKNOD => self.make_node(node, input),
            op::MKDIR => self.make_directory(node, input),
            op::UNLINK => self.remove(node, input, false),
            op::RMDIR => self.remove(node, input, true),
            op::RENAME => self.rename(node, input, false),
            op::RENAME2 => self.rename(node, input, true),
            op::LINK => self.hard_link(node, input),
            op::STATFS => self.space(node),
            op::ACCESS => self.access(node, input),
            op::CREATE => self.create(node, input),
            op::DESTROY => Ok(Vec::new()),
            _ => self.answer_open(head, input),
        };
        Some(outcome)
    }

    /// What is asked of files that are open, or of their opening. ENOSYS for what this server hasn't: the kernel asks once.
    fn answer_open(&self, head: Head, mut input: Input) -> Result<Vec<u8>, Errno> {
        let node = head.node;
        let nothing = |()| Vec::new();
        match head.opcode {
            op::OPEN => {
                let flags = input.u32()?;
                let file = opened::open_file(&*self.nodes.get(node)?, flags)?;
                Ok(Output::default().opened(self.opened.hold(file), opened::answer_flags(flags)).0)
            }
            op::OPENDIR => {
                let flags = libc::O_RDONLY | libc::O_DIRECTORY;
                let dir = files::reopen(self.nodes.get(node)?.as_fd(), flags).map_err(super::nodes::errno)?;
                Ok(Output::default().opened(self.opened.hold(dir), 0).0)
            }
            op::READ | op::READDIR => {
                let (file, offset, size) = (self.opened.get(input.u64()?)?, input.u64()?, input.u32()?);
                if head.opcode == op::READ {
                    opened::read(&file, offset, size)
                } else {
                    opened::read_directory(&file, offset, size)
                }
            }
            op::WRITE => {
                let (file, offset, size) = (self.opened.get(input.u64()?)?, input.u64()?, input.u32()?);
                input.skip(20)?;
                let data = input.bytes(size as usize)?;
                let written = files::write_at(file.as_fd(), data, offset).map_err(super::nodes::errno)?;
                Ok(Output::default().u32(written as u32).u32(0).0)
            }
            op::FLUSH => {
                input.skip(16)?;
                self.locks.closed(node, input.u64()?);
                Ok(Vec::new())
            }
            op::RELEASE | op::RELEASEDIR => {
                self.opened.release(input.u64()?);
                Ok(Vec::new())
            }
            op::FSYNC | op::FSYNCDIR => {
                let file = self.opened.get(input.u64()?)?;
                opened::sync(&file, input.u32()? & 1 != 0).map(nothing).map_err(super::nodes::errno)
            }
            op::GETLK => {
                let wish = Wish::read(input)?;
                self.locks.test(node, &wish, &*self.opened.get(wish.handle)?)
            }
            op::SETLK => {
                let wish = Wish::read(input)?;
                self.locks.set(node, &wish, &*self.opened.get(wish.handle)?).map(nothing)
            }
            op::FALLOCATE => {
                let (file, offset, length, mode) = (self.opened.get(input.u64()?)?, input.u64()?, input.u64()?, input.u32()?);
                opened::allocate(&file, mode, offset, length).map(nothing)
            }
            op::LSEEK => {
                let (file, offset, whence) = (self.opened.get(input.u64()?)?, input.u64()?, input.u32()?);
                opened::seek(&file, offset, whence).map(|at| Output::default().u64(at).0)
            }
            _ => Err(libc::ENOSYS),
        }
    }

    /// In a thread of its own, which answers when the lock is there.
    fn wait_for_lock(self: &Arc<Self>, head: Head, input: Input, line: &Arc<OwnedFd>) -> Result<(), Errno> {
        let wish = Wish::read(input)?;
        let file = self.opened.get(wish.handle)?;
        let (server, line) = (self.clone(), line.clone());
        let wait = move || {
            let outcome = server.locks.wait(head.unique, head.node, &wish, &file).map(|()| Vec::new());
            let _ = sys::write_all(line.as_fd(), &wire::reply(head.unique, outcome));
        };
        Builder::new().stack_size(STACK_BYTES).spawn(wait).map(drop).map_err(|_| libc::ENOLCK)
    }
}

/// Answers the kernel's first request on the descriptor of the mount.
pub fn greet(line: &OwnedFd) -> io::Result<()> {
    let mut request = vec![0; REQUEST_BYTES];
    let n = sys::read(line.as_fd(), &mut request)?.unwrap_or(0);
    let unknown = || io::Error::other("the kernel's FUSE speaks another version");
    let (head, input) = wire::parse(&request[..n]).filter(|(head, _)| head.opcode == op::INIT).ok_or_else(unknown)?;
    let answer = wire::init(input).ok_or_else(unknown)?;
    sys::write_all(line.as_fd(), &wire::reply(head.unique, Ok(answer)))
}

/// Until nothing is mounted any more. The process ends with it, and nothing is closed before: the next one may go on.
pub fn serve(line: OwnedFd, server: Server) -> ! {
    let (line, server, turn) = (Arc::new(line), Arc::new(server), Arc::new(Mutex::new(())));
    for _ in 1..WORKERS {
        let (line, server, turn) = (line.clone(), server.clone(), turn.clone());
        let begun = Builder::new().stack_size(STACK_BYTES).spawn(move || work(&line, &server, &turn));
        if begun.is_err() {
            sys::exit_now(1);
        }
    }
    work(&line, &server, &turn)
}

/// What ends the process: 0 once nothing is mounted.
fn end(error: &io::Error) -> ! {
    sys::exit_now(i32::from(error.raw_os_error() != Some(libc::ENODEV)))
}

fn work(line: &Arc<OwnedFd>, server: &Arc<Server>, turn: &Mutex<()>) -> ! {
    let mut request = vec![0; REQUEST_BYTES];
    let foreign = || io::Error::other("no request of FUSE");
    loop {
        let (head, length, may_wait) = {
            // One reads at a time, so that who is to wait for a lock is known before the kernel can say that it shall not.
            let _mine = turn.lock().unwrap_or_else(PoisonError::into_inner);
            match sys::read(line.as_fd(), &mut request) {
                Ok(Some(n)) if n >= IN_HEADER => {
                    let Some((head, _)) = wire::parse(&request[..n]) else { end(&foreign()) };
                    (head, n, head.opcode == op::SETLKW && server.locks.begin_wait(head.unique))
                }
                Ok(_) => end(&foreign()),
                // A request that was taken back before it was read.
                Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::EINTR | libc::EAGAIN)) => continue,
                Err(e) => end(&e),
            }
        };
        let Some((_, input)) = wire::parse(&request[..length]) else { end(&foreign()) };
        let outcome = if head.opcode == op::SETLKW {
            let begun = if may_wait { server.wait_for_lock(head, input, line) } else { Err(libc::ENOLCK) };
            begun.err().map(|error| {
                server.locks.end_wait(head.unique);
                Err(error)
            })
        } else {
            server.answer(head, input)
        };
        // A request whose caller is gone takes no answer.
        if let Some(outcome) = outcome {
            let _ = sys::write_all(line.as_fd(), &wire::reply(head.unique, outcome));
        }
    }
}
