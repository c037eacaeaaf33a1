//! The control protocol of a gVisor sandbox (gvisor pkg/urpc): JSON over a Unix stream socket, descriptors beside the first byte. A
//! connection carries one call at a time.
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{json, Value};

use crate::sys;

/// Longest answer that is read: they hold numbers and short texts.
const ANSWER_BYTES: usize = 1024 * 1024;
/// Descriptors that one call may carry (`maxFiles` there).
const FILES: usize = 128;

/// Why a call failed.
#[derive(Debug)]
pub enum Error {
    /// The sandbox refused it, in its own words.
    Refused(String),
    /// The sandbox is gone, or doesn't answer.
    Broken(io::Error),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Refused(why) => f.write_str(why),
            Error::Broken(e) => write!(f, "the sandbox doesn't answer: {}", sys::reason(e)),
        }
    }
}

impl From<io::Error> for Error {
    fn from(e: io::Error) -> Self {
        Error::Broken(e)
    }
}

pub struct Connection {
    stream: UnixStream,
    answer: Vec<u8>,
}

impl Connection {
    /// `patience`: how long one read or write may take; None waits for ever.
    pub fn open(socket: &Path, patience: Option<Duration>) -> io::Result<Connection> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(patience)?;
        stream.set_write_timeout(patience)?;
        Ok(Connection { stream, answer: Vec::new() })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Sends a call without waiting for its answer.
    pub fn send(&mut self, method: &str, arg: &Value, files: &[BorrowedFd]) -> Result<(), Error> {
        let text = serde_json::to_vec(&json!({ "method": method, "arg": arg })).map_err(|e| Error::Refused(e.to_string()))?;
        let sent = send_with_files(self.stream.as_fd(), &text, files)?;
        sys::write_all(self.stream.as_fd(), &text[sent..]).map_err(Error::Broken)
    }

    /// Reads on; the result once it is whole. Blocks for as long as the connection is patient.
    pub fn receive(&mut self) -> Result<Option<Value>, Error> {
        let mut buffer = [0; 4096];
        let read = self.stream.read(&mut buffer)?;
        if read == 0 || self.answer.len() + read > ANSWER_BYTES {
            return Err(Error::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        self.answer.extend_from_slice(&buffer[..read]);
        let parsed = serde_json::from_slice::<Answer>(&self.answer);
        match parsed {
            Err(e) if e.is_eof() => Ok(None),
            Err(e) => Err(Error::Broken(io::Error::other(e))),
            Ok(answer) => {
                self.answer.clear();
                if answer.success {
                    Ok(Some(answer.result))
                } else {
                    Err(Error::Refused(answer.err))
                }
            }
        }
    }

    /// Calls and waits for the answer.
    pub fn call(&mut self, method: &str, arg: &Value, files: &[BorrowedFd]) -> Result<Value, Error> {
        self.send(method, arg, files)?;
        loop {
            if let Some(result) = self.receive()? {
                return Ok(result);
            }
        }
    }
}

#[derive(serde::Deserialize)]
struct Answer {
    success: bool,
    err: String,
    #[serde(default)]
    result: Value,
}

/// Sends the beginning of `data` with `files`; gives how much of it was sent.
fn send_with_files(socket: BorrowedFd, data: &[u8], files: &[BorrowedFd]) -> io::Result<usize> {
    if files.len() > FILES {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} descriptors in one call", files.len())));
    }
    let numbers: Vec<i32> = files.iter().map(AsRawFd::as_raw_fd).collect();
    let bytes = size_of_val(numbers.as_slice()) as u32;
    let mut iov = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    // SAFETY: CMSG_SPACE computes with numbers only.
    let mut control = vec![0u64; (unsafe { libc::CMSG_SPACE(bytes) } as usize).div_ceil(8)];
    // SAFETY: all zeros is a valid msghdr; `control` is aligned and large enough for one header with `bytes` of data, which is what
    // CMSG_FIRSTHDR and CMSG_DATA point into; `iov` and `control` outlive the call.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &mut iov;
        message.msg_iovlen = 1;
        if !numbers.is_empty() {
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = libc::CMSG_SPACE(bytes) as _;
            let header = libc::CMSG_FIRSTHDR(&message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(bytes) as _;
            std::ptr::copy_nonoverlapping(numbers.as_ptr().cast::<u8>(), libc::CMSG_DATA(header), bytes as usize);
        }
        let sent = libc::sendmsg(socket.as_raw_fd(), &message, libc::MSG_NOSIGNAL);
        sys::check(sent as libc::c_long).map(|n| n as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn pair() -> (Connection, UnixStream) {
        let (stream, peer) = UnixStream::pair().unwrap();
        (Connection { stream, answer: Vec::new() }, peer)
    }

    #[test]
    fn speaks_urpc() {
        let (mut connection, mut peer) = pair();
        let file = std::fs::File::open("/dev/null").unwrap();
        connection.send("containerManager.Wait", &json!("c0"), &[file.as_fd()]).unwrap();
        let mut buffer = [0; 256];
        let n = peer.read(&mut buffer).unwrap();
        let said: Value = serde_json::from_slice(&buffer[..n]).unwrap();
        assert_eq!(said, json!({"method": "containerManager.Wait", "arg": "c0"}));
        // An answer may come in pieces.
        peer.write_all(br#"{"success":true,"err":"","#).unwrap();
        assert!(connection.receive().unwrap().is_none());
        peer.write_all(br#""result":768}"#).unwrap();
        assert_eq!(connection.receive().unwrap(), Some(json!(768)));
        peer.write_all(br#"{"success":false,"err":"no such container","result":null}"#).unwrap();
        assert!(matches!(connection.receive(), Err(Error::Refused(why)) if why == "no such container"));
        drop(peer);
        assert!(matches!(connection.receive(), Err(Error::Broken(_))));
    }
}
