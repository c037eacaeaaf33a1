//! What the control plane may ask: one JSON line a connection, one JSON line back.
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::sockets::Held;
use crate::sys;

const REQUEST_BYTES: usize = 4096;
/// For a caller that says nothing, or doesn't take its answer: nobody waits for it meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Request {
    Reload,
    Settle,
    Status { pid: Option<i32> },
}

#[derive(Debug, Serialize)]
#[serde(untagged, rename_all = "camelCase")]
pub enum Answer {
    Started {
        pid: i32,
    },
    Status {
        /// Whether the process that was asked about lives.
        running: Option<bool>,
        /// The last that it wrote.
        words: Option<String>,
        current: Option<i32>,
        listeners: Vec<Held>,
    },
    Refused {
        error: String,
    },
}

/// A connection. On a busy machine its caller may come to its line long after it connected.
pub struct Caller {
    stream: UnixStream,
    pub until: Instant,
    said: Vec<u8>,
    /// What is left of the answer, once there is one.
    answer: Option<Vec<u8>>,
}

impl Caller {
    pub fn new(stream: UnixStream) -> io::Result<Caller> {
        stream.set_nonblocking(true)?;
        Ok(Caller { stream, until: Instant::now() + PATIENCE, said: Vec::new(), answer: None })
    }

    pub fn poll_entry(&self) -> libc::pollfd {
        sys::poll_entry(self.stream.as_fd(), if self.answer.is_none() { libc::POLLIN } else { libc::POLLOUT })
    }

    /// Goes on as far as the other end has come; false when it is over. A caller that goes away has lost nothing but its answer.
    pub fn go_on(&mut self, answer: impl FnOnce(Request) -> Answer) -> bool {
        if self.answer.is_none() {
            match self.hear() {
                Ok(true) => self.answer = Some(line_for(&self.said, answer)),
                Ok(false) => return true,
                Err(_) => return false,
            }
        }
        self.tell().unwrap_or(false)
    }

    /// True once the request is whole.
    fn hear(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 512];
        while !self.said.contains(&b'\n') && self.said.len() < REQUEST_BYTES {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(n) => self.said.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// True while some of the answer waits.
    fn tell(&mut self) -> io::Result<bool> {
        let left = self.answer.get_or_insert_default();
        while !left.is_empty() {
            match self.stream.write(left) {
                Ok(n) => drop(left.drain(..n)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

fn line_for(said: &[u8], answer: impl FnOnce(Request) -> Answer) -> Vec<u8> {
    let line = said.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let answer = match serde_json::from_slice(line) {
        Ok(request) => answer(request),
        Err(error) => Answer::Refused { error: format!("not a request: {error}") },
    };
    let mut text = serde_json::to_vec(&answer).unwrap_or_default();
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_waited_for_by_nobody_and_heard_whenever_it_speaks() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let mut caller = Caller::new(theirs).unwrap();
        let nobody = |_: Request| -> Answer { panic!("nothing was asked for") };
        assert!(caller.go_on(nobody));
        ours.write_all(br#"{"op":"#).unwrap();
        assert!(caller.go_on(nobody));
        ours.write_all(b"\"reload\"}\nmore").unwrap();
        // More than a socket takes at once.
        let words = "x".repeat(1 << 20);
        let mut answered = 0;
        while caller.go_on(|request| {
            assert!(matches!(request, Request::Reload));
            answered += 1;
            Answer::Refused { error: words.clone() }
        }) {
            let mut buffer = [0; 4096];
            let _ = ours.read(&mut buffer).unwrap();
        }
        assert_eq!(answered, 1);
    }

    #[test]
    fn nonsense_and_an_early_end_are_answered_and_who_goes_away_is_let_go() {
        for said in ["{\"op\":\"dance\"}\n", "", "{"] {
            let (mut ours, theirs) = UnixStream::pair().unwrap();
            let mut caller = Caller::new(theirs).unwrap();
            ours.write_all(said.as_bytes()).unwrap();
            ours.shutdown(std::net::Shutdown::Write).unwrap();
            assert!(!caller.go_on(|_| panic!("nothing was asked for")));
            drop(caller);
            let mut heard = String::new();
            ours.read_to_string(&mut heard).unwrap();
            assert!(heard.starts_with("{\"error\":\"not a request: ") && heard.ends_with('\n'), "{heard}");
        }
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut caller = Caller::new(theirs).unwrap();
        drop(ours);
        assert!(!caller.go_on(|_| panic!("nothing was asked for")));
    }
}
