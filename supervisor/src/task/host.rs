//! The connection to the host: one at a time, never waited for. Output waits in the spool, not here.
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use crate::frames;
use crate::protocol::{FromSupervisor, ToSupervisor, FRAME_BYTES, OUTPUT_FRAME};
use crate::spool::Spool;

/// Output taken from the spool at once.
const WINDOW_BYTES: usize = 64 * 1024;

pub struct Host {
    stream: UnixStream,
    reader: frames::Reader,
    out: Vec<u8>,
    written: usize,
    /// Next offset of the spool to send; None before the host attached.
    next: Option<u64>,
}

impl Host {
    pub fn new(stream: UnixStream) -> io::Result<Host> {
        stream.set_nonblocking(true)?;
        Ok(Host { stream, reader: frames::Reader::default(), out: Vec::new(), written: 0, next: None })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    pub fn is_attached(&self) -> bool {
        self.next.is_some()
    }

    /// Whether bytes wait for the socket to take them.
    pub fn is_blocked(&self) -> bool {
        self.written < self.out.len()
    }

    /// Begins to send output from `from` on.
    pub fn attach(&mut self, from: u64) {
        self.next = Some(from);
    }

    /// Messages that have come, or why one can't be read (a newer host may know more); an error when the connection is over or broken.
    pub fn receive(&mut self) -> io::Result<Vec<Result<ToSupervisor, String>>> {
        let mut messages = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) if messages.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(0) => return Ok(messages),
                Ok(n) => {
                    let payloads = self.reader.push(&buffer[..n]).map_err(io::Error::other)?;
                    messages.extend(payloads.iter().map(|payload| serde_json::from_slice(payload).map_err(|e| e.to_string())));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(messages),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Puts a message in line. An error when the peer asks more than it reads.
    pub fn send(&mut self, message: &FromSupervisor) -> io::Result<()> {
        if self.out.len() > FRAME_BYTES {
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, "the host doesn't read its answers"));
        }
        frames::append_json(&mut self.out, message).map_err(io::Error::other)
    }

    /// Sends what waits and then output, until the socket takes no more or there is none.
    pub fn flush(&mut self, spool: &Spool) -> io::Result<()> {
        loop {
            self.write()?;
            let Some(next) = self.next else { return Ok(()) };
            if self.is_blocked() || next >= spool.end() {
                return Ok(());
            }
            let out = &mut self.out;
            let read = spool.read(next, WINDOW_BYTES, |record| frames::append(out, OUTPUT_FRAME, &[record]));
            match read {
                Ok(after) => self.next = Some(after),
                // An offset where no record begins: the host gets all that is left, and knows records by their offsets.
                Err(e) => {
                    if next == spool.base() {
                        return Err(io::Error::other(e));
                    }
                    self.next = Some(spool.base());
                    self.send(&FromSupervisor::Error { about: "attach".to_string(), message: e.to_string() })?;
                }
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(n) => self.written += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        (self.out, self.written) = (Vec::new(), 0);
        Ok(())
    }

    /// Sends the last message, and waits a moment for the socket to take it.
    pub fn finish(mut self, message: &FromSupervisor) {
        let _ = self.stream.set_nonblocking(false);
        let _ = self.stream.set_write_timeout(Some(std::time::Duration::from_secs(2)));
        if self.send(message).is_ok() {
            let _ = self.write();
        }
    }
}
