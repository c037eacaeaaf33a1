//! The virtio-serial port that a guest's supervisor speaks to its host through: bytes only, and the MARK that begins a connection.
//!
//! The port has no connections of its own: the host's end may go away at any byte and come back at any time. A host that comes first
//! writes MARK and 8 bytes of its own (the nonce). Nothing else that a host sends holds these bytes.
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::sys;

/// Begins a connection; followed by the nonce.
pub const MARK: [u8; 8] = *b"\xffberth\xff\x01";
pub type Nonce = [u8; 8];
const MARK_AND_NONCE: usize = MARK.len() + size_of::<Nonce>();

/// The port, opened for good.
///
/// While no host is there, poll(2) on it is always ready (POLLHUP); an edge-triggered epoll descriptor in between is ready only when
/// something has changed, so that an idle guest sleeps.
pub struct Port {
    file: File,
    edge: OwnedFd,
    waits_for_room: bool,
}

impl Port {
    pub fn open(path: &Path) -> io::Result<Port> {
        Port::new(OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)?)
    }

    fn new(file: File) -> io::Result<Port> {
        // SAFETY: no pointers.
        let edge = sys::check(libc::c_long::from(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }))? as RawFd;
        // SAFETY: the kernel just gave this descriptor to us alone.
        let port = Port { file, edge: unsafe { OwnedFd::from_raw_fd(edge) }, waits_for_room: false };
        port.control(libc::EPOLL_CTL_ADD, libc::EPOLLIN)?;
        Ok(port)
    }

    fn control(&self, operation: libc::c_int, events: libc::c_int) -> io::Result<()> {
        let mut event = libc::epoll_event { events: (events | libc::EPOLLET) as u32, u64: 0 };
        // SAFETY: `event` is a live epoll_event; both descriptors are open.
        let done = unsafe { libc::epoll_ctl(self.edge.as_raw_fd(), operation, self.file.as_raw_fd(), &mut event) };
        sys::check(libc::c_long::from(done)).map(drop)
    }

    /// Ready to be read (poll's POLLIN) when there may be something to do.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.edge.as_fd()
    }

    /// Forgets the change that made `fd` ready. What it was shows when the port is read to its end.
    pub fn begin_turn(&self) {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: room for one event.
        unsafe { libc::epoll_wait(self.edge.as_raw_fd(), &mut event, 1, 0) };
    }

    /// Some(0): nobody is there. None: nothing more for now.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.file.read(buffer) {
                Ok(n) => return Ok(Some(n)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// WouldBlock: `fd` gets ready when there is room again.
    pub fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.file.write(data);
        let blocked = matches!(&written, Err(e) if e.kind() == io::ErrorKind::WouldBlock);
        if blocked != self.waits_for_room {
            self.waits_for_room = blocked;
            self.control(libc::EPOLL_CTL_MOD, libc::EPOLLIN | if blocked { libc::EPOLLOUT } else { 0 })?;
        }
        written
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Bytes(&'a [u8]),
    Mark(Nonce),
}

/// Finds marks in a stream that comes in pieces of any size.
#[derive(Default)]
pub struct Scanner {
    /// What may turn out to be the beginning of a mark.
    held: Vec<u8>,
}

impl Scanner {
    /// Gives everything that has come, marks apart, in order; what may become a mark waits for the next call.
    pub fn push(&mut self, chunk: &[u8], mut each: impl FnMut(Piece)) {
        let joined;
        let mut data = chunk;
        if !self.held.is_empty() {
            self.held.extend_from_slice(chunk);
            joined = std::mem::take(&mut self.held);
            data = &joined;
        }
        loop {
            let at = find(data);
            if at > 0 {
                each(Piece::Bytes(&data[..at]));
            }
            data = &data[at..];
            let Some((mark, rest)) = data.split_at_checked(MARK_AND_NONCE) else { break };
            let mut nonce = Nonce::default();
            nonce.copy_from_slice(&mark[MARK.len()..]);
            each(Piece::Mark(nonce));
            data = rest;
        }
        self.held.extend_from_slice(data);
    }
}

/// Where a mark begins, or may begin when more comes; the length when nowhere.
fn find(data: &[u8]) -> usize {
    let mut from = 0;
    while let Some(offset) = data[from..].iter().position(|byte| *byte == MARK[0]) {
        let at = from + offset;
        let known = (data.len() - at).min(MARK.len());
        if data[at..at + known] == MARK[..known] {
            return at;
        }
        from = at + 1;
    }
    data.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Vec<(usize, Nonce)>) {
        let (mut scanner, mut bytes, mut marks) = (Scanner::default(), Vec::new(), Vec::new());
        for chunk in chunks {
            scanner.push(chunk, |piece| match piece {
                Piece::Bytes(b) => bytes.extend_from_slice(b),
                Piece::Mark(nonce) => marks.push((bytes.len(), nonce)),
            });
        }
        bytes.extend_from_slice(&scanner.held);
        (bytes, marks)
    }

    /// Any stream of frames' bytes, near-marks and marks, cut anywhere, gives the same bytes and marks.
    #[test]
    fn finds_marks_at_any_cut() {
        for seed in 1..=200u64 {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut random = |below: u64| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state % below) as usize
            };
            let (mut stream, mut bytes, mut marks) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..12 {
                let part: Vec<u8> = match random(4) {
                    0 => vec![0xff; random(5)],
                    // All of a mark but its last bytes: followed by 0 it is none.
                    1 => [&MARK[..random(8)], &[0]].concat(),
                    2 => (0..random(40)).map(|n| n as u8).collect(),
                    _ => {
                        let nonce = [random(256) as u8; 8];
                        marks.push((bytes.len(), nonce));
                        stream.extend_from_slice(&MARK);
                        stream.extend_from_slice(&nonce);
                        continue;
                    }
                };
                stream.extend_from_slice(&part);
                bytes.extend_from_slice(&part);
            }
            for cut in 0..=stream.len() {
                let second = cut + random((stream.len() - cut) as u64 + 1);
                let cuts = [&stream[..cut], &stream[cut..second], &stream[second..]];
                assert_eq!(scan(cuts), (bytes.clone(), marks.clone()), "seed {seed}, cuts at {cut} and {second}");
            }
            assert_eq!(scan(stream.chunks(1)), (bytes, marks), "seed {seed}, byte by byte");
        }
    }
}
