//! Output on disk until the host has it safe elsewhere.
//!
//! A task has one for the containers that share a lane, `DIR/spool`, and one for each container that has a lane of its own, `DIR/spool-N`:
//! so one log destination that takes nothing holds up no other. It holds records one behind the other: u32 length of what follows, the 19 bytes of head of `protocol.ts`, the text. All
//! integers are big-endian. A record's place in the file is its offset for good: what was acknowledged is punched out of the file, so
//! the blocks are free while offsets go on growing. `DIR/spool.base` holds the acknowledged offset in decimal. Neither is there before
//! there is something to write in it: a task's start waits for no file that it may never need.
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub const HEAD_BYTES: usize = 19;
const LENGTH_BYTES: usize = 4;
/// Longest text of one record; a longer line goes on in the next.
pub const TEXT_BYTES: usize = 16 * 1024;
/// The line goes on in the next record.
pub const CONTINUES: u8 = 1;
/// Bytes were dropped before this record.
pub const DROPPED: u8 = 2;

const BLOCK: u64 = 4096;
/// Where the flags of a batch's first record stand.
const FIRST_FLAGS: usize = LENGTH_BYTES + HEAD_BYTES - 1;

#[derive(Debug)]
pub enum Error {
    Io {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// No record begins at this offset.
    Offset(u64),
    /// The task has no such lane.
    Lane(usize),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Io { what, path, source } => write!(f, "cannot {what} {}: {source}", path.display()),
            Error::Lane(lane) => write!(f, "the task has no lane {lane}"),
            Error::Offset(at) => write!(f, "no record of the spool begins at {at}"),
        }
    }
}

impl std::error::Error for Error {}

/// Where a record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    pub container: u8,
    /// 1 stdout, 2 stderr.
    pub stream: u8,
}

/// Records to be written in one go.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
}

impl Batch {
    /// Adds one record; its offset is filled in when the batch is written.
    pub fn add(&mut self, source: Source, time_ns: u64, continues: bool, text: &[&[u8]]) {
        let length: usize = text.iter().map(|t| t.len()).sum();
        self.bytes.reserve(LENGTH_BYTES + HEAD_BYTES + length);
        self.bytes.extend_from_slice(&((HEAD_BYTES + length) as u32).to_be_bytes());
        self.bytes.extend_from_slice(&[0; 8]);
        self.bytes.extend_from_slice(&time_ns.to_be_bytes());
        self.bytes.extend_from_slice(&[source.container, source.stream]);
        self.bytes.push(if continues { CONTINUES } else { 0 });
        for part in text {
            self.bytes.extend_from_slice(part);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            let length = LENGTH_BYTES + be32(rest.get(..LENGTH_BYTES)?) as usize;
            let (record, after) = rest.split_at_checked(length)?;
            rest = after;
            Some(record)
        })
    }
}

pub struct Spool {
    /// None before the first record.
    file: Option<File>,
    /// `spool.base`, from the first acknowledgement on.
    base_file: Option<File>,
    path: PathBuf,
    base: u64,
    end: u64,
    capacity: u64,
    dropped_bytes: u64,
}

impl Spool {
    /// An empty spool in `dir`, of the lane of that number; a former one is thrown away.
    pub fn create(dir: &Path, lane: usize, capacity: u64) -> Result<Spool, Error> {
        let path = if lane == 0 { dir.join("spool") } else { dir.join(format!("spool-{lane}")) };
        for former in [&path, &path.with_extension("base")] {
            match std::fs::remove_file(former) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::Io { what: "remove", path: former.clone(), source });
                }
                _ => {}
            }
        }
        Ok(Spool { file: None, base_file: None, path, base: 0, end: 0, capacity, dropped_bytes: 0 })
    }

    fn open(&mut self) -> io::Result<&File> {
        if self.file.is_none() {
            let mut options = OpenOptions::new();
            self.file = Some(options.read(true).write(true).create_new(true).mode(0o600).open(&self.path)?);
        }
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// First offset that is not acknowledged.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Offset of the next record to come.
    pub fn end(&self) -> u64 {
        self.end
    }

    pub fn dropped_bytes(&self) -> u64 {
        self.dropped_bytes
    }

    /// Writes a batch of one source. What doesn't fit, here or on the disk, is dropped from the first record on that has no room, and
    /// counted. `gap` says that something of this source was dropped before; it is kept up to date.
    pub fn append(&mut self, mut batch: Batch, gap: &mut bool) {
        self.append_most(&mut batch, gap, false);
        let dropped: usize = batch.records().map(|record| record.len() - LENGTH_BYTES - HEAD_BYTES).sum();
        self.dropped_bytes += dropped as u64;
        *gap |= !batch.is_empty();
    }

    /// Writes as much of a batch as has room, and leaves the rest in it. `beyond`: all of it, whatever the capacity; only the disk is
    /// the limit then.
    pub fn append_most(&mut self, batch: &mut Batch, gap: &mut bool, beyond: bool) {
        let room = if beyond { u64::MAX } else { self.capacity.saturating_sub(self.end - self.base) };
        self.write(batch, gap, room);
    }

    fn write(&mut self, batch: &mut Batch, gap: &mut bool, room: u64) {
        let fits = self.place(batch, room);
        if *gap && fits > 0 {
            batch.bytes[FIRST_FLAGS] |= DROPPED;
        }
        // After a failed write the bytes lie behind the end and are written over next time.
        let end = self.end;
        if fits > 0 && self.open().and_then(|file| file.write_all_at(&batch.bytes[..fits], end)).is_ok() {
            *gap = false;
            self.end += fits as u64;
            batch.bytes.drain(..fits);
        }
    }

    /// Tells the records that have room where they will stand; gives how many bytes they are.
    fn place(&self, batch: &mut Batch, room: u64) -> usize {
        let mut at = 0;
        while at < batch.bytes.len() {
            let next = at + LENGTH_BYTES + be32(&batch.bytes[at..]) as usize;
            if next as u64 > room {
                break;
            }
            let offset = self.end + at as u64;
            batch.bytes[at + LENGTH_BYTES..at + LENGTH_BYTES + 8].copy_from_slice(&offset.to_be_bytes());
            at = next;
        }
        at
    }

    /// Frees everything below `to`.
    pub fn acknowledge(&mut self, to: u64) -> Result<(), Error> {
        let to = to.min(self.end);
        if to <= self.base {
            return Ok(());
        }
        let from = self.base / BLOCK * BLOCK;
        self.base = to;
        self.write_base()?;
        let Some(file) = &self.file else { return Ok(()) };
        if to == self.end {
            // Nothing is left: works on file systems that can't punch holes, too.
            let emptied = file.set_len(0).and_then(|()| file.set_len(self.end));
            return emptied.map_err(|source| Error::Io { what: "free", path: self.path.clone(), source });
        }
        let until = to / BLOCK * BLOCK;
        if until > from {
            let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
            // SAFETY: plain numbers on a live descriptor. A file system that can't do it frees when all is acknowledged.
            unsafe { libc::fallocate(file.as_raw_fd(), mode, from as libc::off_t, (until - from) as libc::off_t) };
        }
        Ok(())
    }

    /// In place: a decimal that grows never gets shorter, and emptying the file each time would make it go to the disk at once.
    fn write_base(&mut self) -> Result<(), Error> {
        let path = self.path.with_extension("base");
        let wrong = |source| Error::Io { what: "write", path: path.clone(), source };
        if self.base_file.is_none() {
            let mut options = OpenOptions::new();
            self.base_file = Some(options.write(true).create(true).truncate(true).mode(0o600).open(&path).map_err(wrong)?);
        }
        self.base_file.as_ref().map_or(Ok(()), |file| file.write_all_at(self.base.to_string().as_bytes(), 0)).map_err(wrong)
    }

    /// Whole records from `at` on, about `most` bytes of them but one at least: each one's head and text go to `each`. Gives the
    /// offset behind the last.
    pub fn read(&self, at: u64, most: usize, mut each: impl FnMut(&[u8])) -> Result<u64, Error> {
        let mut run = Vec::new();
        let next = self.read_run(at, most, &mut run)?;
        let mut rest = run.as_slice();
        while !rest.is_empty() {
            let length = LENGTH_BYTES + be32(rest) as usize;
            each(&rest[LENGTH_BYTES..length]);
            rest = &rest[length..];
        }
        Ok(next)
    }

    /// The same as they stand in the spool, appended to `out`.
    pub fn read_run(&self, at: u64, most: usize, out: &mut Vec<u8>) -> Result<u64, Error> {
        let Some(file) = &self.file else { return Ok(at) };
        let left = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX);
        let begin = out.len();
        out.resize(begin + left.min(most.max(LENGTH_BYTES + HEAD_BYTES + TEXT_BYTES)), 0);
        let read = file.read_exact_at(&mut out[begin..], at);
        read.map_err(|source| Error::Io { what: "read", path: self.path.clone(), source })?;
        let whole = whole_records(&out[begin..], at)?;
        out.truncate(begin + whole);
        Ok(at + whole as u64)
    }
}

/// Bytes of the whole records that `bytes` begins with, which stand at `at` of the spool.
fn whole_records(bytes: &[u8], at: u64) -> Result<usize, Error> {
    let mut done = 0;
    while let Some(head) = bytes.get(done..done + LENGTH_BYTES + HEAD_BYTES) {
        let length = be32(head) as usize;
        let offset = at + done as u64;
        if !(HEAD_BYTES..=HEAD_BYTES + TEXT_BYTES).contains(&length) || head[LENGTH_BYTES..LENGTH_BYTES + 8] != offset.to_be_bytes() {
            return Err(Error::Offset(offset));
        }
        if done + LENGTH_BYTES + length > bytes.len() {
            break;
        }
        done += LENGTH_BYTES + length;
    }
    Ok(done)
}

fn be32(bytes: &[u8]) -> u32 {
    bytes.get(..4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Dir {
            let path = std::env::temp_dir().join(format!("berth-spool-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Dir(path)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    const OUT: Source = Source { container: 3, stream: 1 };

    fn one(text: &[u8], continues: bool) -> Batch {
        let mut batch = Batch::default();
        batch.add(OUT, 42, continues, &[text]);
        batch
    }

    fn texts(spool: &Spool, mut at: u64) -> Vec<(u8, Vec<u8>)> {
        let mut found = Vec::new();
        while at < spool.end() {
            at = spool.read(at, 100, |r| found.push((r[18], r[HEAD_BYTES..].to_vec()))).unwrap();
        }
        found
    }

    #[test]
    fn heads_are_as_the_protocol_says() {
        let dir = Dir::new("head");
        let mut spool = Spool::create(&dir.0, 0, 1 << 20).unwrap();
        spool.append(one(b"first", false), &mut false);
        spool.append(one(b"second", true), &mut false);
        assert_eq!(spool.end(), 5 + 6 + 2 * 23);
        let mut heads = Vec::new();
        spool.read(0, 1000, |r| heads.push(r.to_vec())).unwrap();
        let expected = [&28u64.to_be_bytes()[..], &42u64.to_be_bytes()[..], &[3, 1, CONTINUES], b"second"].concat();
        assert_eq!(heads[1], expected);
        assert!(matches!(spool.read(5, 1000, |_| ()), Err(Error::Offset(5))));
    }

    #[test]
    fn a_run_is_whole_records_as_they_stand() {
        let dir = Dir::new("run");
        let mut spool = Spool::create(&dir.0, 0, 1 << 20).unwrap();
        for text in [&b"first"[..], b"second", &[b'x'; TEXT_BYTES], b"last"] {
            spool.append(one(text, false), &mut false);
        }
        let (mut out, mut at) = (b"before".to_vec(), 0);
        while at < spool.end() {
            let begin = out.len();
            at = spool.read_run(at, 60, &mut out).unwrap();
            assert!(out.len() > begin);
        }
        assert_eq!(out[6..], std::fs::read(dir.0.join("spool")).unwrap());
        assert!(matches!(spool.read_run(5, 60, &mut out), Err(Error::Offset(5))));
    }

    #[test]
    fn full_drops_counts_and_marks() {
        let dir = Dir::new("full");
        let mut spool = Spool::create(&dir.0, 0, 100).unwrap();
        let mut gap = false;
        spool.append(one(&[b'a'; 60], false), &mut gap);
        spool.append(one(&[b'b'; 60], false), &mut gap);
        assert!(gap);
        assert_eq!((spool.dropped_bytes(), spool.end()), (60, 83));
        spool.acknowledge(83).unwrap();
        spool.append(one(b"c", false), &mut gap);
        assert!(!gap);
        assert_eq!(texts(&spool, 83), vec![(DROPPED, b"c".to_vec())]);

        // Of a batch that is too large as a whole, what has room is kept.
        let mut batch = Batch::default();
        for text in [&b"dddddddddd"[..], b"eeeeeeeeee", &[b'f'; 60]] {
            batch.add(Source { container: 0, stream: 1 }, 0, false, &[text]);
        }
        spool.append(batch, &mut gap);
        assert!(gap);
        assert_eq!(spool.dropped_bytes(), 120);
        assert_eq!(texts(&spool, 107), vec![(0, vec![b'd'; 10]), (0, vec![b'e'; 10])]);
    }

    #[test]
    fn what_has_no_room_can_wait_or_go_beyond() {
        let dir = Dir::new("wait");
        let mut spool = Spool::create(&dir.0, 2, 100).unwrap();
        let mut batch = Batch::default();
        for text in [[b'a'; 40], [b'b'; 40], [b'c'; 40]] {
            batch.add(OUT, 0, false, &[&text]);
        }
        let mut gap = false;
        spool.append_most(&mut batch, &mut gap, false);
        assert_eq!((spool.end(), batch.is_empty()), (63, false));
        spool.acknowledge(63).unwrap();
        spool.append_most(&mut batch, &mut gap, false);
        assert_eq!((spool.end(), batch.is_empty()), (126, false));
        spool.append_most(&mut batch, &mut gap, true);
        assert_eq!((spool.end(), batch.is_empty(), gap, spool.dropped_bytes()), (189, true, false, 0));
        assert_eq!(texts(&spool, 63), vec![(0, vec![b'b'; 40]), (0, vec![b'c'; 40])]);
        assert!(dir.0.join("spool-2").exists());
        // More is in it than its capacity: what may be dropped is.
        spool.append(one(b"d", false), &mut gap);
        assert!(gap);
    }

    /// Any order of appends, acknowledgements and reads gives every record back once, in order, at steady offsets.
    #[test]
    fn nothing_is_lost_or_moved() {
        for seed in 1..=40u64 {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut random = |below: u64| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state % below
            };
            let dir = Dir::new(&format!("property-{seed}"));
            let mut spool = Spool::create(&dir.0, 0, 200_000).unwrap();
            let (mut written, mut seen, mut at, mut gap) = (Vec::new(), Vec::new(), 0, false);
            for step in 0..120 {
                if random(3) > 0 {
                    let text = vec![step as u8; random(TEXT_BYTES as u64 + 1) as usize];
                    let before = spool.end();
                    spool.append(one(&text, false), &mut gap);
                    if spool.end() > before {
                        written.push(text);
                    }
                } else if at < spool.end() {
                    at = spool.read(at, random(50_000) as usize, |r| seen.push(r[HEAD_BYTES..].to_vec())).unwrap();
                    if random(2) == 0 {
                        spool.acknowledge(at).unwrap();
                        assert_eq!(std::fs::read_to_string(dir.0.join("spool.base")).unwrap(), at.to_string());
                    }
                }
                assert!(spool.end() - spool.base() <= 200_000);
            }
            while at < spool.end() {
                at = spool.read(at, 1, |r| seen.push(r[HEAD_BYTES..].to_vec())).unwrap();
            }
            assert_eq!(seen, written, "seed {seed}");
            spool.acknowledge(at).unwrap();
            assert_eq!(std::fs::metadata(dir.0.join("spool")).unwrap().blocks(), 0, "seed {seed}");
        }
    }
}
