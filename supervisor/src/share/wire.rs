//! The kernel's side of FUSE (include/uapi/linux/fuse.h), version 7.31: structures in the machine's byte order.
use crate::nfs::files::Stat;

pub type Errno = i32;
pub const IN_HEADER: usize = 40;
pub const OUT_HEADER: usize = 16;
pub const ROOT: u64 = 1;
/// Seconds that the kernel may believe what it was told of a file: other tasks change it, too.
const VALID_SECONDS: u64 = 1;

pub mod op {
    pub const LOOKUP: u32 = 1;
    pub const FORGET: u32 = 2;
    pub const GETATTR: u32 = 3;
    pub const SETATTR: u32 = 4;
    pub const READLINK: u32 = 5;
    pub const SYMLINK: u32 = 6;
    pub const MKNOD: u32 = 8;
    pub const MKDIR: u32 = 9;
    pub const UNLINK: u32 = 10;
    pub const RMDIR: u32 = 11;
    pub const RENAME: u32 = 12;
    pub const LINK: u32 = 13;
    pub const OPEN: u32 = 14;
    pub const READ: u32 = 15;
    pub const WRITE: u32 = 16;
    pub const STATFS: u32 = 17;
    pub const RELEASE: u32 = 18;
    pub const FSYNC: u32 = 20;
    pub const FLUSH: u32 = 25;
    pub const INIT: u32 = 26;
    pub const OPENDIR: u32 = 27;
    pub const READDIR: u32 = 28;
    pub const RELEASEDIR: u32 = 29;
    pub const FSYNCDIR: u32 = 30;
    pub const GETLK: u32 = 31;
    pub const SETLK: u32 = 32;
    pub const SETLKW: u32 = 33;
    pub const ACCESS: u32 = 34;
    pub const CREATE: u32 = 35;
    pub const INTERRUPT: u32 = 36;
    pub const DESTROY: u32 = 38;
    pub const BATCH_FORGET: u32 = 42;
    pub const FALLOCATE: u32 = 43;
    pub const RENAME2: u32 = 45;
    pub const LSEEK: u32 = 46;
}

/// Flags of INIT.
const ASYNC_READ: u32 = 1;
const POSIX_LOCKS: u32 = 1 << 1;
const ATOMIC_O_TRUNC: u32 = 1 << 3;
const BIG_WRITES: u32 = 1 << 5;
const FLOCK_LOCKS: u32 = 1 << 10;
const AUTO_INVAL_DATA: u32 = 1 << 12;
const PARALLEL_DIROPS: u32 = 1 << 18;
const MAX_PAGES: u32 = 1 << 22;
const WANTED: u32 = ASYNC_READ | POSIX_LOCKS | ATOMIC_O_TRUNC | BIG_WRITES | FLOCK_LOCKS | AUTO_INVAL_DATA | PARALLEL_DIROPS | MAX_PAGES;
/// Most bytes of one READ or WRITE.
pub const IO_BYTES: usize = 256 * 1024;
const PAGE_BYTES: usize = 4096;

/// `fuse_in_header`.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    pub opcode: u32,
    pub unique: u64,
    pub node: u64,
}

/// What follows the header. EIO when it is shorter than it must be, which the kernel never sends.
#[derive(Clone, Copy)]
pub struct Input<'a>(&'a [u8]);

pub fn parse(request: &[u8]) -> Option<(Head, Input<'_>)> {
    let mut head = Input(request);
    head.u32().ok()?;
    let (opcode, unique, node) = (head.u32().ok()?, head.u64().ok()?, head.u64().ok()?);
    Some((Head { opcode, unique, node }, Input(request.get(IN_HEADER..)?)))
}

impl<'a> Input<'a> {
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Errno> {
        let (first, rest) = self.0.split_at_checked(count).ok_or(libc::EIO)?;
        self.0 = rest;
        Ok(first)
    }

    pub fn u32(&mut self) -> Result<u32, Errno> {
        self.bytes(4)?.try_into().map(u32::from_ne_bytes).map_err(|_| libc::EIO)
    }

    pub fn u64(&mut self) -> Result<u64, Errno> {
        self.bytes(8)?.try_into().map(u64::from_ne_bytes).map_err(|_| libc::EIO)
    }

    pub fn skip(&mut self, count: usize) -> Result<(), Errno> {
        self.bytes(count).map(drop)
    }

    /// Up to the next NUL.
    pub fn name(&mut self) -> Result<&'a [u8], Errno> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(libc::EIO)?;
        let name = self.bytes(end)?;
        self.skip(1)?;
        Ok(name)
    }
}

#[derive(Default)]
pub struct Output(pub Vec<u8>);

impl Output {
    pub fn u16(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_ne_bytes());
        self
    }

    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_ne_bytes());
        self
    }

    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_ne_bytes());
        self
    }

    pub fn zeroes(mut self, count: usize) -> Self {
        self.0.resize(self.0.len() + count, 0);
        self
    }

    /// `fuse_attr`.
    fn attributes(self, stat: &Stat, mode: u32) -> Self {
        let s = &stat.0;
        let second = |time: &libc::statx_timestamp| time.tv_sec as u64;
        self.u64(s.stx_ino)
            .u64(s.stx_size)
            .u64(s.stx_blocks)
            .u64(second(&s.stx_atime))
            .u64(second(&s.stx_mtime))
            .u64(second(&s.stx_ctime))
            .u32(s.stx_atime.tv_nsec)
            .u32(s.stx_mtime.tv_nsec)
            .u32(s.stx_ctime.tv_nsec)
            .u32(mode)
            .u32(s.stx_nlink)
            .u32(s.stx_uid)
            .u32(s.stx_gid)
            .u32(0)
            .u32(s.stx_blksize)
            .u32(0)
    }

    /// `fuse_attr_out`.
    pub fn attributes_answer(self, stat: &Stat, mode: u32) -> Self {
        self.u64(VALID_SECONDS).zeroes(8).attributes(stat, mode)
    }

    /// `fuse_entry_out`. `keep`: whether the kernel may remember the name.
    pub fn entry(self, node: u64, keep: bool, stat: &Stat, mode: u32) -> Self {
        let valid = if keep { VALID_SECONDS } else { 0 };
        self.u64(node).u64(0).u64(valid).u64(VALID_SECONDS).zeroes(8).attributes(stat, mode)
    }

    /// `fuse_open_out`.
    pub fn opened(self, handle: u64, flags: u32) -> Self {
        self.u64(handle).u32(flags).u32(0)
    }
}

/// The answer to INIT. None: a kernel whose FUSE is another one.
pub fn init(mut input: Input) -> Option<Vec<u8>> {
    let (major, _minor) = (input.u32().ok()?, input.u32().ok()?);
    if major != 7 {
        return None;
    }
    let (read_ahead, offered) = (input.u32().ok()?, input.u32().ok()?);
    let answer = Output::default().u32(7).u32(31).u32(read_ahead).u32(offered & WANTED).u16(16).u16(12);
    Some(answer.u32(IO_BYTES as u32).u32(1).u16((IO_BYTES / PAGE_BYTES) as u16).zeroes(34).0)
}

/// A whole reply.
pub fn reply(unique: u64, outcome: Result<Vec<u8>, Errno>) -> Vec<u8> {
    let (error, body) = match outcome {
        Ok(body) => (0, body),
        Err(error) => (-error, Vec::new()),
    };
    let mut out = Output(Vec::with_capacity(OUT_HEADER + body.len())).u32((OUT_HEADER + body.len()) as u32).u32(error as u32).u64(unique).0;
    out.extend_from_slice(&body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_kernels_sizes() {
        // SAFETY: statx is plain data, for which all zeroes is a value.
        let stat = Stat(unsafe { std::mem::zeroed() });
        assert_eq!(Output::default().attributes(&stat, 0).0.len(), 88);
        assert_eq!(Output::default().attributes_answer(&stat, 0).0.len(), 104);
        assert_eq!(Output::default().entry(1, true, &stat, 0).0.len(), 128);
        assert_eq!(Output::default().opened(1, 0).0.len(), 16);
        let request = Output::default().u32(7).u32(45).u32(4096).u32(u32::MAX).0;
        let answer = init(Input(&request)).expect("version 7");
        assert_eq!(answer.len(), 64);
        assert_eq!(answer[12..16], WANTED.to_ne_bytes());
        assert_eq!(init(Input(&8_u64.to_ne_bytes())), None);
    }

    #[test]
    fn what_is_too_short_is_an_error() {
        assert!(parse(&[0; IN_HEADER - 1]).is_none());
        assert_eq!(Input(b"name without an end").name(), Err(libc::EIO));
        assert_eq!(Input(b"a\0b\0").name(), Ok(&b"a"[..]));
        assert_eq!(Input(&[1, 2, 3]).u32(), Err(libc::EIO));
        assert_eq!(reply(9, Err(libc::ENOENT)), [&16_u32.to_ne_bytes()[..], &(-2_i32).to_ne_bytes(), &9_u64.to_ne_bytes()].concat());
    }
}
