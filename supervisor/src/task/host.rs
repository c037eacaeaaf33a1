//! The connection to the host: one at a time, never waited for. Output waits in the spool, not here.
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::frames;
use crate::guest::port::{Nonce, Piece, Port, Scanner, MARK};
use crate::protocol::{FromSupervisor, FRAME_BYTES, LANE_WINDOW_BYTES, OUTPUT_FRAME, OUTPUT_RUN_FRAME};
use crate::spool::Spool;
use crate::sys;

/// Output taken from the spool at once.
const WINDOW_BYTES: usize = 64 * 1024;

/// How long the last message may wait for the host to take it.
const FINISH: Duration = Duration::from_secs(2);

pub struct Host {
    line: Line,
    reader: frames::Reader,
    inbox: VecDeque<Incoming>,
    out: Vec<u8>,
    written: usize,
    /// Of each lane, the next offset of its spool to send; None before the host attached.
    next: Option<Vec<u64>>,
    /// Output goes in runs of records.
    runs: bool,
}

/// What carries the bytes.
enum Line {
    /// A connection, which ends.
    Socket(UnixStream),
    /// A microVM's port, which stays while connections come and go.
    Port {
        port: Port,
        scanner: Scanner,
        /// Until the next mark.
        is_deaf: bool,
        /// Nobody was there when the port was last read to its end. A host may be heard before it is seen: its first bytes can come
        /// ahead of the word that it has connected. So this ends no connection, and only output waits.
        is_alone: bool,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// The payload of a JSON frame.
    Json(Vec<u8>),
    /// On a port: a connection begins here. What the former one sent before still counts.
    Mark(Nonce),
}

impl Host {
    pub fn new(stream: UnixStream) -> io::Result<Host> {
        stream.set_nonblocking(true)?;
        Ok(Host::with(Line::Socket(stream)))
    }

    pub fn on_port(port: Port) -> Host {
        Host::with(Line::Port { port, scanner: Scanner::default(), is_deaf: true, is_alone: true })
    }

    fn with(line: Line) -> Host {
        Host { line, reader: frames::Reader::default(), inbox: VecDeque::new(), out: Vec::new(), written: 0, next: None, runs: false }
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        match &self.line {
            Line::Socket(stream) => stream.as_fd(),
            Line::Port { port, .. } => port.fd(),
        }
    }

    pub fn is_attached(&self) -> bool {
        self.next.is_some()
    }

    /// Whether bytes wait for the line to take them.
    pub fn is_blocked(&self) -> bool {
        self.written < self.out.len()
    }

    /// Begins to send output, of each lane from its offset on.
    pub fn attach(&mut self, from: Vec<u64>, runs: bool) {
        self.next = Some(from);
        self.runs = runs;
    }

    /// A new connection on the port: what waits for the former one is dropped, and the mark goes back as the first that the host gets.
    pub fn renew(&mut self, nonce: Nonce) {
        self.forget();
        self.out.extend_from_slice(&MARK);
        self.out.extend_from_slice(&nonce);
    }

    /// Gives up on the connection. True when the port stays, for the next one; a socket is of no more use.
    pub fn lose(&mut self) -> bool {
        self.forget();
        match &mut self.line {
            Line::Socket(_) => false,
            Line::Port { is_deaf, .. } => {
                *is_deaf = true;
                true
            }
        }
    }

    fn forget(&mut self) {
        (self.out, self.written, self.next) = (Vec::new(), 0, None);
    }

    /// Takes all that has come into the inbox; an error when the connection is over or broken, after what it said before.
    pub fn fill(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        if let Line::Port { port, .. } = &self.line {
            port.begin_turn();
        }
        loop {
            let n = match &mut self.line {
                Line::Socket(stream) => match stream.read(&mut buffer) {
                    Ok(n) => n,
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    Err(e) => return Err(e),
                },
                Line::Port { port, is_alone, .. } => {
                    let read = port.read(&mut buffer)?;
                    *is_alone = read == Some(0);
                    match read {
                        None | Some(0) => return Ok(()),
                        Some(n) => n,
                    }
                }
            };
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.sort(&buffer[..n])?;
        }
    }

    /// Cuts what was read into frames and marks.
    fn sort(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (reader, inbox) = (&mut self.reader, &mut self.inbox);
        let Line::Port { scanner, is_deaf, .. } = &mut self.line else {
            inbox.extend(reader.push(bytes).map_err(io::Error::other)?.into_iter().map(Incoming::Json));
            return Ok(());
        };
        scanner.push(bytes, |piece| match piece {
            Piece::Mark(nonce) => {
                *reader = frames::Reader::default();
                *is_deaf = false;
                inbox.push_back(Incoming::Mark(nonce));
            }
            Piece::Bytes(_) if *is_deaf => {}
            Piece::Bytes(bytes) => match reader.push(bytes) {
                Ok(payloads) => inbox.extend(payloads.into_iter().map(Incoming::Json)),
                // Where the next frame begins can't be known: the next mark says it.
                Err(_) => *is_deaf = true,
            },
        });
        Ok(())
    }

    pub fn take(&mut self) -> Option<Incoming> {
        self.inbox.pop_front()
    }

    /// Puts a message in line. An error when the peer asks more than it reads.
    pub fn send<T: serde::Serialize>(&mut self, message: &T) -> io::Result<()> {
        if self.out.len() > FRAME_BYTES {
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, "the host doesn't read its answers"));
        }
        frames::append_json(&mut self.out, message).map_err(io::Error::other)
    }

    /// Bytes that wait for the socket.
    pub fn queued(&self) -> usize {
        self.out.len() - self.written
    }

    /// Puts a frame in line. Who calls it looks at `queued` before.
    pub fn append(&mut self, kind: u8, parts: &[&[u8]]) {
        frames::append(&mut self.out, kind, parts);
    }

    /// Sends what waits and then output, until the socket takes no more or there is none.
    pub fn flush(&mut self, lanes: &[Spool]) -> io::Result<()> {
        let mut is_idle = false;
        while !is_idle {
            is_idle = true;
            for (lane, spool) in lanes.iter().enumerate() {
                self.write()?;
                let Some(next) = self.next.as_ref().and_then(|next| next.get(lane)).copied() else { return Ok(()) };
                let is_alone = matches!(self.line, Line::Port { is_alone: true, .. });
                if self.is_blocked() || is_alone {
                    return Ok(());
                }
                let window = if lane == 0 { u64::MAX } else { LANE_WINDOW_BYTES };
                if next < spool.end() && next - spool.base().min(next) < window {
                    is_idle = false;
                    self.send_output(lane, spool, next)?;
                }
            }
        }
        self.write()
    }

    fn send_output(&mut self, lane: usize, spool: &Spool, from: u64) -> io::Result<()> {
        let out = &mut self.out;
        let read = if self.runs {
            frames::append_with(out, OUTPUT_RUN_FRAME, |out| spool.read_run(from, WINDOW_BYTES, out))
        } else {
            spool.read(from, WINDOW_BYTES, |record| frames::append(out, OUTPUT_FRAME, &[record]))
        };
        let (next, complaint) = match read {
            Ok(after) => (after, None),
            Err(e) if from == spool.base() => return Err(io::Error::other(e)),
            // An offset where no record begins: the host gets all that is left, and knows records by their offsets.
            Err(e) => (spool.base(), Some(e.to_string())),
        };
        if let Some(place) = self.next.as_mut().and_then(|all| all.get_mut(lane)) {
            *place = next;
        }
        complaint.map_or(Ok(()), |message| self.send(&FromSupervisor::Error { about: "attach".to_string(), message }))
    }

    /// Sends what waits, as far as the line takes it.
    pub fn write(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            let rest = &self.out[self.written..];
            let written = match &mut self.line {
                Line::Socket(stream) => stream.write(rest),
                Line::Port { port, .. } => port.write(rest),
            };
            match written {
                Ok(n) => self.written += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        (self.out, self.written) = (Vec::new(), 0);
        Ok(())
    }

    /// Sends the last message, and waits a moment for the host to take it.
    pub fn finish(mut self, message: &FromSupervisor) {
        let until = Instant::now() + FINISH;
        if self.send(message).is_err() {
            return;
        }
        while self.write().is_ok() && self.is_blocked() && Instant::now() < until {
            let events = if matches!(self.line, Line::Socket(_)) { libc::POLLOUT } else { libc::POLLIN };
            let _ = sys::poll(&mut [sys::poll_entry(self.fd(), events)], 20);
            if let Line::Port { port, .. } = &self.line {
                port.begin_turn();
            }
        }
    }
}
