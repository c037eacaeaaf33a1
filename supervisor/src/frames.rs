//! Frames of the supervisor's and the worker's sockets: a 32-bit big-endian length of what follows, one byte of kind, the payload.
use crate::protocol::{FRAME_BYTES, JSON_FRAME};

const HEADER: usize = 5;

#[derive(Debug, PartialEq, Eq)]
pub enum Error {
    /// The peer claims a frame of this many bytes.
    Length(usize),
    Json(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Length(n) => write!(f, "a frame claims {n} bytes; the limit is {FRAME_BYTES}"),
            Error::Json(why) => write!(f, "a message that is not of this protocol: {why}"),
        }
    }
}

impl std::error::Error for Error {}

/// Appends one frame to `out`; `parts` are its payload.
pub fn append(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let length: usize = 1 + parts.iter().map(|p| p.len()).sum::<usize>();
    out.reserve(4 + length);
    out.extend_from_slice(&(length as u32).to_be_bytes());
    out.push(kind);
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Appends one frame whose payload `fill` appends; nothing, when that fails.
pub fn append_with<T, E>(out: &mut Vec<u8>, kind: u8, fill: impl FnOnce(&mut Vec<u8>) -> Result<T, E>) -> Result<T, E> {
    let begin = out.len();
    append(out, kind, &[]);
    match fill(out) {
        Ok(done) => {
            let length = (out.len() - begin - 4) as u32;
            out[begin..begin + 4].copy_from_slice(&length.to_be_bytes());
            Ok(done)
        }
        Err(e) => {
            out.truncate(begin);
            Err(e)
        }
    }
}

/// Appends one JSON frame to `out`.
pub fn append_json<T: serde::Serialize>(out: &mut Vec<u8>, message: &T) -> Result<(), Error> {
    let json = serde_json::to_vec(message).map_err(|e| Error::Json(e.to_string()))?;
    append(out, JSON_FRAME, &[&json]);
    Ok(())
}

/// Cuts a byte stream into frames.
#[derive(Default)]
pub struct Reader {
    data: Vec<u8>,
}

impl Reader {
    /// Takes what was read, and gives the payloads of the whole JSON frames so far; frames of other kinds are left out.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        self.data.extend_from_slice(chunk);
        let mut frames = Vec::new();
        let mut at = 0;
        while let Some(head) = self.data.get(at..at + 4) {
            let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
            if length == 0 || length > FRAME_BYTES {
                return Err(Error::Length(length));
            }
            let Some(body) = self.data.get(at + 4..at + 4 + length) else { break };
            if body[0] == JSON_FRAME {
                frames.push(body[HEADER - 4..].to_vec());
            }
            at += 4 + length;
        }
        if at == self.data.len() {
            self.data = Vec::new();
        } else {
            self.data.drain(..at);
        }
        Ok(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_a_stream_at_any_place() {
        let mut stream = Vec::new();
        append(&mut stream, 0, &[b"one"]);
        append(&mut stream, 1, &[b"binary"]);
        append(&mut stream, 0, &[b"", b"two"]);
        for cut in 0..stream.len() {
            let mut reader = Reader::default();
            let mut got = reader.push(&stream[..cut]).unwrap();
            got.extend(reader.push(&stream[cut..]).unwrap());
            assert_eq!(got, vec![b"one".to_vec(), b"two".to_vec()], "cut at {cut}");
        }
    }

    #[test]
    fn refuses_a_length_out_of_bounds() {
        assert_eq!(Reader::default().push(&[0, 0, 0, 0, 0]), Err(Error::Length(0)));
        assert!(matches!(Reader::default().push(&[0xff; 5]), Err(Error::Length(_))));
    }
}
