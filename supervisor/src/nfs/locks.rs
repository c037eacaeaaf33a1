//! Byte ranges, locked by the machine's kernel: so they hold against the same files' users in containers and other microVMs.
//!
//! A client's flock(2) comes as a lock of the whole file and can't be told from one by fcntl(2). Such a lock is therefore both here.
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use super::compound::{Compound, Outcome};
use super::files;
use super::input::{read_state, write_state, OWNER_BYTES};
use super::opens::next_sequence;
use super::state::{Held, Lock, StateId};
use super::status::{self, Failure};
use super::xdr::{Decoder, Encoder};
use crate::sys::check;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
}

#[derive(Clone, Copy)]
struct Range {
    offset: u64,
    /// `u64::MAX`: to the end.
    length: u64,
}

impl Kind {
    /// Whether the client waits for it makes no difference: it asks again.
    fn read(inside: &mut Decoder) -> Result<Kind, Failure> {
        match inside.u32()? {
            1 | 3 => Ok(Kind::Read),
            2 | 4 => Ok(Kind::Write),
            _ => Err(status::BADXDR.into()),
        }
    }
}

impl Range {
    fn read(inside: &mut Decoder) -> Result<Range, Failure> {
        let range = Range { offset: inside.u64()?, length: inside.u64()? };
        if range.length == 0 || (range.length != u64::MAX && range.offset.checked_add(range.length).is_none()) {
            return Err(status::INVAL.into());
        }
        if i64::try_from(range.offset).is_err() {
            return Err(status::BAD_RANGE.into());
        }
        Ok(range)
    }

    fn is_whole(self) -> bool {
        self.offset == 0 && i64::try_from(self.length).is_err()
    }

    fn flock(self, kind: libc::c_int) -> libc::flock {
        // SAFETY: flock is plain data, for which all zeroes is a value.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = kind as libc::c_short;
        lock.l_whence = libc::SEEK_SET as libc::c_short;
        lock.l_start = self.offset as i64;
        // 0: to the end.
        let end = self.offset.checked_add(self.length).and_then(|end| i64::try_from(end).ok());
        lock.l_len = end.map_or(0, |end| end - self.offset as i64);
        lock
    }
}

fn kind_of(kind: Kind) -> libc::c_int {
    if kind == Kind::Read {
        libc::F_RDLCK
    } else {
        libc::F_WRLCK
    }
}

fn set(file: &File, range: Range, kind: libc::c_int) -> io::Result<()> {
    let lock = range.flock(kind);
    // SAFETY: the pointer is to a live flock.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &lock) }.into()).map(drop)
}

fn set_whole(file: &File, operation: libc::c_int) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::flock(file.as_raw_fd(), operation | libc::LOCK_NB) }.into()).map(drop)
}

/// False when somebody else has a lock that is in the way.
fn take(file: &File, range: Range, kind: Kind) -> io::Result<bool> {
    let is_denied = |e: &io::Error| matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES));
    if range.is_whole() {
        let operation = if kind == Kind::Read { libc::LOCK_SH } else { libc::LOCK_EX };
        match set_whole(file, operation) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            done => done?,
        }
    }
    match set(file, range, kind_of(kind)) {
        Ok(()) => Ok(true),
        Err(e) => {
            if range.is_whole() {
                set_whole(file, libc::LOCK_UN)?;
            }
            if is_denied(&e) {
                Ok(false)
            } else {
                Err(e)
            }
        }
    }
}

/// The result of a LOCK or LOCKT that another's lock is in the way of: where it is. Whose it is nobody here knows.
fn denied(file: &File, range: Range, kind: Kind) -> Failure {
    let mut lock = range.flock(kind_of(kind));
    // SAFETY: the pointer is to a live flock.
    let asked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &mut lock) };
    let mut body = Encoder::default();
    if asked == 0 && i32::from(lock.l_type) != libc::F_UNLCK {
        body.u64(lock.l_start as u64);
        body.u64(if lock.l_len == 0 { u64::MAX } else { lock.l_len as u64 });
        body.u32(if i32::from(lock.l_type) == libc::F_RDLCK { 1 } else { 2 });
    } else {
        body.u64(0);
        body.u64(u64::MAX);
        body.u32(2);
    }
    body.u64(0);
    body.opaque(&[]);
    Failure { status: status::DENIED, body: body.bytes }
}

impl Compound<'_> {
    pub(super) fn lock(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let kind = Kind::read(inside)?;
        // What is claimed again after a restart is asked of the kernel like any other: others may have it by now.
        inside.bool()?;
        let range = Range::read(inside)?;
        let (number, file) = if inside.bool()? {
            inside.u32()?;
            let open = self.meant(read_state(inside)?)?;
            inside.u32()?;
            inside.u64()?;
            let owner = inside.opaque(OWNER_BYTES)?;
            self.lock_state(&open, owner)?
        } else {
            let id = self.meant(read_state(inside)?)?;
            inside.u32()?;
            let (number, file) = self.lock_of(&id)?;
            (Some(number), file)
        };
        let taken = {
            let (number, file) = (number, file.0.clone());
            if take(&file, range, kind).map_err(mode_failure)? {
                Ok(number)
            } else {
                Err(denied(&file, range, kind))
            }
        }?;
        let mut state = self.server.state();
        let number = match taken {
            Some(number) => number,
            None => state.hold(Held::Lock(Lock { client: self.client, owner: file.2, open: file.1, sequence: 0, file: file.0 }))?,
        };
        let Some(Held::Lock(lock)) = state.held.get_mut(&number) else { return Err(status::BAD_STATEID.into()) };
        lock.sequence = next_sequence(lock.sequence);
        let sequence = lock.sequence;
        let id = state.id_of(number, sequence);
        write_state(out, &id);
        self.current_state = Some(id);
        Ok(())
    }

    /// The state of this owner's locks on the open file: None and what it will be of, when there is none yet.
    fn lock_state(&self, open: &StateId, owner: &[u8]) -> Result<(Option<u64>, Locked), Failure> {
        let mut state = self.server.state();
        let (number, opened) = state.open(self.client, open)?;
        let (fd, flags) = match (&opened.reader, &opened.writer) {
            (Some(fd), Some(_)) => (fd.clone(), libc::O_RDWR),
            (None, Some(fd)) => (fd.clone(), libc::O_WRONLY),
            (Some(fd), None) => (fd.clone(), libc::O_RDONLY),
            (None, None) => return Err(status::BAD_STATEID.into()),
        };
        let found = state.held.iter().find_map(|(id, held)| match held {
            Held::Lock(lock) if lock.open == number && lock.owner == owner && lock.client == self.client => Some((*id, lock.file.clone())),
            _ => None,
        });
        drop(state);
        if let Some((id, file)) = found {
            return Ok((Some(id), Locked(file, number, owner.to_vec())));
        }
        let file = File::from(files::reopen(fd.as_fd(), flags)?);
        Ok((None, Locked(Arc::new(file), number, owner.to_vec())))
    }

    fn lock_of(&self, id: &StateId) -> Result<(u64, Locked), Failure> {
        match self.server.state().find(self.client, id)? {
            (number, Held::Lock(lock)) => Ok((number, Locked(lock.file.clone(), lock.open, lock.owner.clone()))),
            _ => Err(status::BAD_STATEID.into()),
        }
    }

    pub(super) fn test_lock(&mut self, inside: &mut Decoder) -> Outcome {
        let kind = Kind::read(inside)?;
        let range = Range::read(inside)?;
        inside.u64()?;
        let owner = inside.opaque(OWNER_BYTES)?;
        let node = self.node()?;
        // Its own locks are in nobody's own way: the question is asked by the description that has them.
        let own = {
            let state = self.server.state();
            let mut locks = state.held.values().filter_map(|held| match held {
                Held::Lock(lock) if lock.owner == owner && lock.client == self.client => Some(lock),
                _ => None,
            });
            let is_of = |lock: &&Lock| matches!(state.held.get(&lock.open), Some(Held::Open(open)) if open.key == node.key);
            locks.find(is_of).map(|lock| lock.file.clone())
        };
        let file = match own {
            Some(file) => file,
            None => Arc::new(File::from(files::reopen(node.fd.as_fd(), libc::O_RDONLY)?)),
        };
        let mut lock = range.flock(kind_of(kind));
        // SAFETY: the pointer is to a live flock.
        check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &mut lock) }.into())?;
        if i32::from(lock.l_type) == libc::F_UNLCK {
            return Ok(());
        }
        Err(denied(&file, range, kind))
    }

    pub(super) fn unlock(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        inside.u32()?;
        inside.u32()?;
        let id = self.meant(read_state(inside)?)?;
        let range = Range::read(inside)?;
        let (number, Locked(file, ..)) = self.lock_of(&id)?;
        set(&file, range, libc::F_UNLCK)?;
        set_whole(&file, libc::LOCK_UN)?;
        let mut state = self.server.state();
        let Some(Held::Lock(lock)) = state.held.get_mut(&number) else { return Err(status::BAD_STATEID.into()) };
        lock.sequence = next_sequence(lock.sequence);
        let sequence = lock.sequence;
        let id = state.id_of(number, sequence);
        write_state(out, &id);
        self.current_state = Some(id);
        Ok(())
    }
}

/// The file description, the state that the file is open by, the owner.
struct Locked(Arc<File>, u64, Vec<u8>);

/// A lock to write by what is open to read, and the other way.
fn mode_failure(error: io::Error) -> Failure {
    if error.raw_os_error() == Some(libc::EBADF) {
        return status::OPENMODE.into();
    }
    error.into()
}
