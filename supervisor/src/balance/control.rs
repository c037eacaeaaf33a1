//! What the control plane may ask: one JSON line a connection, one JSON line back.
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sockets::Held;

const REQUEST_BYTES: u64 = 4096;
/// The one caller is a local process that has its line ready.
const PATIENCE: Duration = Duration::from_millis(250);

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

/// Answers the one request of a connection. A caller that goes away has lost nothing but its answer.
pub fn serve(stream: &UnixStream, answer: impl FnOnce(Request) -> Answer) {
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let mut line = String::new();
    if BufReader::new(stream.take(REQUEST_BYTES)).read_line(&mut line).is_err() {
        return;
    }
    let answer = match serde_json::from_str(&line) {
        Ok(request) => answer(request),
        Err(error) => Answer::Refused { error: format!("not a request: {error}") },
    };
    if let Ok(text) = serde_json::to_string(&answer) {
        let _ = (&*stream).write_all(format!("{text}\n").as_bytes());
    }
}
