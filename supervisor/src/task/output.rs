//! A container's output: read from its pipe, cut into lines, spooled with the time of reading.
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::spool::{Batch, Source, Spool, TEXT_BYTES};
use crate::sys;

/// What a pipe holds.
const READ_BYTES: usize = 64 * 1024;

pub struct Stream {
    fd: Option<OwnedFd>,
    source: Source,
    /// The beginning of a line whose end has not come yet.
    pending: Vec<u8>,
    /// Something was dropped since the last record.
    gap: bool,
    /// Lines end with CR LF.
    terminal: bool,
    /// The container waits when the spool is full; else what it writes meanwhile is dropped.
    is_blocking: bool,
    /// Of one that waits: what was read and has no room. Nothing more is read before it has.
    held: Batch,
}

impl Stream {
    pub fn new(fd: OwnedFd, source: Source, terminal: bool, is_blocking: bool) -> Stream {
        Stream { fd: Some(fd), source, pending: Vec::new(), gap: false, terminal, is_blocking, held: Batch::default() }
    }

    /// The pipe while it is open and read.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd).filter(|_| !self.is_held())
    }

    /// Its container waits for room.
    pub fn is_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Tries again to find room for what is held.
    pub fn retry(&mut self, spool: &mut Spool) {
        spool.append_most(&mut self.held, &mut self.gap, false);
    }

    fn put(&mut self, spool: &mut Spool, mut batch: Batch, is_last: bool) {
        if !self.is_blocking {
            return spool.append(batch, &mut self.gap);
        }
        spool.append_most(&mut batch, &mut self.gap, is_last);
        if is_last {
            // Only a full disk leaves anything: that is dropped, and counted.
            return spool.append(batch, &mut self.gap);
        }
        self.held = batch;
    }

    /// Reads what is there, about `most` bytes of it. At the end of the pipe the last line is written even without its newline.
    pub fn read(&mut self, spool: &mut Spool, most: usize) {
        self.take(spool, most, false);
    }

    /// The container has ended: what it left is kept, also beyond the spool's capacity where it would have waited.
    pub fn finish(&mut self, spool: &mut Spool, most: usize) {
        let held = std::mem::take(&mut self.held);
        self.put(spool, held, true);
        self.take(spool, most, true);
        self.close(spool);
    }

    fn take(&mut self, spool: &mut Spool, most: usize, is_last: bool) {
        let mut buffer = vec![0; READ_BYTES];
        let mut total = 0;
        let mut ended = false;
        while total < most && !ended && !self.is_held() {
            let Some(fd) = &self.fd else { return };
            match sys::read(fd.as_fd(), &mut buffer) {
                Ok(None) => break,
                // A terminal whose other end is closed gives EIO.
                Ok(Some(0)) | Err(_) => ended = true,
                Ok(Some(n)) => {
                    total += n;
                    let mut batch = Batch::default();
                    let time_ns = sys::realtime_ns();
                    let (source, terminal) = (self.source, self.terminal);
                    cut(&mut self.pending, &buffer[..n], terminal, &mut |parts, continues| {
                        batch.add(source, time_ns, continues, parts);
                    });
                    self.put(spool, batch, is_last);
                }
            }
        }
        if ended {
            self.close(spool);
        }
    }

    /// Writes the line that was begun, and lets go of the pipe.
    fn close(&mut self, spool: &mut Spool) {
        self.fd = None;
        let last = std::mem::take(&mut self.pending);
        if !last.is_empty() {
            let mut batch = Batch::default();
            batch.add(self.source, sys::realtime_ns(), false, &[without_cr(&last, self.terminal)]);
            self.put(spool, batch, true);
        }
    }
}

fn without_cr(line: &[u8], terminal: bool) -> &[u8] {
    line.strip_suffix(b"\r").filter(|_| terminal).unwrap_or(line)
}

/// Cuts `chunk`, which goes on from `pending`, into lines of at most `TEXT_BYTES`; a longer line is given in pieces, all but the last
/// with `continues`. What has no end yet stays in `pending`.
fn cut(pending: &mut Vec<u8>, mut chunk: &[u8], terminal: bool, emit: &mut dyn FnMut(&[&[u8]], bool)) {
    while !chunk.is_empty() {
        let newline = sys::find_byte(chunk, b'\n');
        let room = TEXT_BYTES - pending.len();
        let line = newline.unwrap_or(chunk.len());
        if line > room {
            // The line is known to go on, so the piece can be full.
            emit(&[pending, &chunk[..room]], true);
            *pending = Vec::new();
            chunk = &chunk[room..];
        } else if newline.is_some() {
            let whole = without_cr(&chunk[..line], terminal);
            let begun = if line == 0 { without_cr(pending, terminal) } else { pending.as_slice() };
            emit(&[begun, whole], false);
            *pending = Vec::new();
            chunk = &chunk[line + 1..];
        } else {
            pending.extend_from_slice(chunk);
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]], terminal: bool) -> (Vec<(Vec<u8>, bool)>, Vec<u8>) {
        let (mut pending, mut found) = (Vec::new(), Vec::new());
        for chunk in chunks {
            cut(&mut pending, chunk, terminal, &mut |parts, continues| found.push((parts.concat(), continues)));
        }
        (found, pending)
    }

    #[test]
    fn cuts_lines_wherever_the_chunks_end() {
        let text = b"one\n\ntwo words\nrest";
        for cut_at in 0..text.len() {
            let (found, pending) = lines(&[&text[..cut_at], &text[cut_at..]], false);
            let expected: Vec<(Vec<u8>, bool)> = ["one", "", "two words"].map(|l| (l.as_bytes().to_vec(), false)).to_vec();
            assert_eq!((found, pending.as_slice()), (expected, &b"rest"[..]), "cut at {cut_at}");
        }
    }

    #[test]
    fn long_lines_go_on() {
        let long = vec![b'x'; 2 * TEXT_BYTES + 5];
        let text = [&long[..], b"\n", &long[..TEXT_BYTES], b"\n"].concat();
        for size in [1000, TEXT_BYTES, TEXT_BYTES + 1, text.len()] {
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            let (found, pending) = lines(&chunks, false);
            let shape: Vec<(usize, bool)> = found.iter().map(|(line, continues)| (line.len(), *continues)).collect();
            assert_eq!(shape, [(TEXT_BYTES, true), (TEXT_BYTES, true), (5, false), (TEXT_BYTES, false)], "chunks of {size}");
            assert!(pending.is_empty());
        }
    }

    #[test]
    fn terminals_end_lines_with_cr_lf() {
        let expected = vec![(b"a".to_vec(), false), (b"b\rc".to_vec(), false)];
        assert_eq!(lines(&[b"a\r\nb\rc\r", b"\n"], true).0, expected);
    }
}
