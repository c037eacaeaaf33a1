//! The blob as a stream of uncompressed bytes: read, decompressed and hashed in a thread of its own, in chunks that come back to be
//! filled again.
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::thread::{Scope, ScopedJoinHandle};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use sha2::{Digest, Sha256};

use crate::protocol::{Compression, ErrorCode, WorkerError};

const CHUNK_BYTES: usize = 256 * 1024;
/// Chunks between the two threads; memory is bounded by this times CHUNK_BYTES.
const CHUNKS: usize = 8;
const BLOB_BUFFER_BYTES: usize = 128 * 1024;

/// What became of the whole stream.
pub struct Summary {
    /// `sha256:...` of the uncompressed bytes.
    pub diff_id: String,
    pub bytes: u64,
}

/// The reading end: consecutive bytes of the tar.
pub struct Stream {
    full: Receiver<Result<Vec<u8>, WorkerError>>,
    empty: SyncSender<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
}

impl Stream {
    /// Starts the thread. More than `limit` uncompressed bytes are an error of the stream.
    pub fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        blob: File,
        compression: Compression,
        limit: u64,
    ) -> (Stream, ScopedJoinHandle<'scope, Option<Summary>>) {
        let (full_in, full) = sync_channel(CHUNKS);
        let (empty, empty_out) = sync_channel(CHUNKS + 2);
        let worker = scope.spawn(move || {
            let reader = decoder(BufReader::with_capacity(BLOB_BUFFER_BYTES, blob), compression);
            match pump(reader, limit, &full_in, &empty_out) {
                Ok(summary) => Some(summary),
                Err(error) => {
                    // Nobody listens any more when the reading end gave up first.
                    let _ = full_in.send(Err(error));
                    None
                }
            }
        });
        (Stream { full, empty, chunk: Vec::new(), at: 0 }, worker)
    }

    /// The bytes at hand, at least one unless the stream is at its end.
    pub fn peek(&mut self) -> Result<&[u8], WorkerError> {
        if self.at == self.chunk.len() {
            let spent = std::mem::take(&mut self.chunk);
            self.at = 0;
            if spent.capacity() > 0 {
                let _ = self.empty.try_send(spent);
            }
            match self.full.recv() {
                Ok(chunk) => self.chunk = chunk?,
                // The thread is done.
                Err(_) => return Ok(&[]),
            }
        }
        Ok(&self.chunk[self.at..])
    }

    /// Takes `count` of the bytes that `peek` showed.
    pub fn advance(&mut self, count: usize) {
        self.at = (self.at + count).min(self.chunk.len());
    }

    /// Fills `buffer`; false when the stream ends before its first byte, an error when it ends in the middle.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<bool, WorkerError> {
        let mut done = 0;
        while done < buffer.len() {
            let bytes = self.peek()?;
            let count = bytes.len().min(buffer.len() - done);
            if count == 0 && done == 0 {
                return Ok(false);
            }
            if count == 0 {
                return Err(truncated());
            }
            buffer[done..done + count].copy_from_slice(&bytes[..count]);
            self.advance(count);
            done += count;
        }
        Ok(true)
    }

    pub fn skip(&mut self, mut count: u64) -> Result<(), WorkerError> {
        while count > 0 {
            let some = (self.peek()?.len() as u64).min(count);
            if some == 0 {
                return Err(truncated());
            }
            self.advance(some as usize);
            count -= some;
        }
        Ok(())
    }

    /// Reads to the end, so that the digest covers what follows the archive.
    pub fn drain(&mut self) -> Result<(), WorkerError> {
        loop {
            let count = self.peek()?.len();
            if count == 0 {
                return Ok(());
            }
            self.advance(count);
        }
    }
}

pub fn truncated() -> WorkerError {
    WorkerError::new(ErrorCode::Failed, "the archive ends in the middle of an entry: it is cut off")
}

fn pump(
    mut reader: Box<dyn Read>,
    limit: u64,
    full: &SyncSender<Result<Vec<u8>, WorkerError>>,
    empty: &Receiver<Vec<u8>>,
) -> Result<Summary, WorkerError> {
    let mut hash = Sha256::new();
    let mut bytes = 0u64;
    loop {
        let mut chunk = empty.try_recv().unwrap_or_default();
        chunk.resize(CHUNK_BYTES, 0);
        let length = read_full(reader.as_mut(), &mut chunk)
            .map_err(|error| WorkerError::new(ErrorCode::Failed, format!("the layer's blob can't be read or decompressed: {error}")))?;
        chunk.truncate(length);
        bytes += length as u64;
        if bytes > limit {
            return Err(WorkerError::new(
                ErrorCode::Limit,
                format!("the layer unpacks to more than {limit} bytes, the most that is allowed"),
            ));
        }
        hash.update(&chunk);
        if length == 0 {
            let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            return Ok(Summary { diff_id: format!("sha256:{digest}"), bytes });
        }
        if full.send(Ok(chunk)).is_err() {
            return Err(WorkerError::new(ErrorCode::Failed, "unpacking was given up"));
        }
    }
}

/// Reads until the buffer is full or the stream ends.
fn read_full(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match reader.read(&mut buffer[done..]) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

fn decoder(blob: BufReader<File>, compression: Compression) -> Box<dyn Read> {
    match compression {
        Compression::None => Box::new(blob),
        // Layers of parallel and seekable compressors have many members.
        Compression::Gzip => Box::new(MultiGzDecoder::new(blob)),
        Compression::Zstd => Box::new(Frames { source: blob, decoder: FrameDecoder::new(), inside: false }),
    }
}

/// All frames of a zstd stream (RFC 8878, section 3), skippable ones left out.
struct Frames {
    source: BufReader<File>,
    decoder: FrameDecoder,
    inside: bool,
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            if self.inside {
                while self.decoder.can_collect() < buffer.len() && !self.decoder.is_finished() {
                    let wanted = buffer.len() - self.decoder.can_collect();
                    self.decoder.decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBytes(wanted)).map_err(io::Error::other)?;
                }
                let count = self.decoder.read(buffer)?;
                if count > 0 {
                    return Ok(count);
                }
                self.inside = false;
            }
            if self.source.fill_buf()?.is_empty() {
                return Ok(0);
            }
            self.enter()?;
        }
        Ok(0)
    }
}

impl Frames {
    /// Reads the next frame's header, or skips the frame.
    fn enter(&mut self) -> io::Result<()> {
        match self.decoder.reset(&mut self.source) {
            Ok(()) => self.inside = true,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                let skipped = io::copy(&mut (&mut self.source).take(length.into()), &mut io::sink())?;
                if skipped < u64::from(length) {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Err(error) => return Err(io::Error::other(error)),
        }
        Ok(())
    }
}
