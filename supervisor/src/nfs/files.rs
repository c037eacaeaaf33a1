//! System calls on files that are named by a descriptor (O_PATH) or by a name in such a directory. No link is ever followed.
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::mount::path_of;
use crate::sys::{c_string, check};

pub const NAME_BYTES: usize = 255;

pub struct Stat(pub libc::statx);

impl Stat {
    pub fn kind(&self) -> u32 {
        u32::from(self.0.stx_mode) & libc::S_IFMT
    }

    pub fn is_directory(&self) -> bool {
        self.kind() == libc::S_IFDIR
    }

    /// Tells a file from a later one with the same number: when it was made.
    pub fn generation(&self) -> u32 {
        let made = self.0.stx_btime;
        (made.tv_sec as u32).wrapping_mul(1_000_000_000).wrapping_add(made.tv_nsec)
    }
}

fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = check(result)?;
    // SAFETY: the kernel just gave this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}

/// A name from the wire. Throws EINVAL for what is no name of one entry.
pub fn entry_name(name: &[u8]) -> io::Result<CString> {
    if name.len() > NAME_BYTES {
        return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
    if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    c_string(name).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

pub fn stat(fd: BorrowedFd) -> io::Result<Stat> {
    stat_at(fd, c"", libc::AT_EMPTY_PATH)
}

pub fn stat_entry(dir: BorrowedFd, name: &CString) -> io::Result<Stat> {
    stat_at(dir, name, libc::AT_SYMLINK_NOFOLLOW)
}

fn stat_at(dir: BorrowedFd, name: &std::ffi::CStr, flags: libc::c_int) -> io::Result<Stat> {
    // SAFETY: statx is plain data, for which all zeroes is a value.
    let mut stat: libc::statx = unsafe { std::mem::zeroed() };
    let mask = libc::STATX_BASIC_STATS | libc::STATX_BTIME;
    // SAFETY: `name` ends with NUL; the pointer is to a live statx.
    check(unsafe { libc::statx(dir.as_raw_fd(), name.as_ptr(), flags, mask, &mut stat) }.into())?;
    Ok(Stat(stat))
}

pub fn open_entry(dir: BorrowedFd, name: &std::ffi::CStr, flags: libc::c_int, mode: u32) -> io::Result<OwnedFd> {
    let flags = flags | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: `name` ends with NUL.
    owned(unsafe { libc::openat(dir.as_raw_fd(), name.as_ptr(), flags, mode) }.into())
}

/// The same file, opened with other flags: an open file description of its own.
pub fn reopen(fd: BorrowedFd, flags: libc::c_int) -> io::Result<OwnedFd> {
    let path = c_string(path_of(fd).as_bytes())?;
    // SAFETY: `path` ends with NUL.
    owned(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY) }.into())
}

/// Which of R_OK, W_OK, X_OK the thread has.
pub fn access(fd: BorrowedFd, wanted: libc::c_int) -> bool {
    let flags = libc::AT_EMPTY_PATH | libc::AT_EACCESS;
    // SAFETY: the path is an empty C string.
    unsafe { libc::syscall(libc::SYS_faccessat2, fd.as_raw_fd(), c"".as_ptr(), wanted, flags) == 0 }
}

pub fn read_link(fd: BorrowedFd) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; libc::PATH_MAX as usize];
    // SAFETY: the path is an empty C string; `buffer` is writable for its length.
    let n = check(unsafe { libc::readlinkat(fd.as_raw_fd(), c"".as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) } as libc::c_long)?;
    buffer.truncate(n as usize);
    Ok(buffer)
}

pub fn set_mode(fd: BorrowedFd, mode: u32) -> io::Result<()> {
    let path = c_string(path_of(fd).as_bytes())?;
    // SAFETY: `path` ends with NUL.
    check(unsafe { libc::chmod(path.as_ptr(), mode) }.into()).map(drop)
}

/// `None` leaves an id as it is.
pub fn set_owner(fd: BorrowedFd, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let (uid, gid) = (uid.unwrap_or(u32::MAX), gid.unwrap_or(u32::MAX));
    // SAFETY: the path is an empty C string.
    check(unsafe { libc::fchownat(fd.as_raw_fd(), c"".as_ptr(), uid, gid, libc::AT_EMPTY_PATH) }.into()).map(drop)
}

/// Access and modification time; UTIME_OMIT and UTIME_NOW stand in `tv_nsec`.
pub fn set_times(fd: BorrowedFd, times: &[libc::timespec; 2]) -> io::Result<()> {
    let path = c_string(path_of(fd).as_bytes())?;
    // SAFETY: `path` ends with NUL; `times` are two timespecs.
    check(unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), times.as_ptr(), 0) }.into()).map(drop)
}

pub fn set_size(fd: BorrowedFd, size: u64) -> io::Result<()> {
    let size = i64::try_from(size).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))?;
    // SAFETY: no pointers.
    check(unsafe { libc::ftruncate(fd.as_raw_fd(), size) }.into()).map(drop)
}

pub fn make_directory(dir: BorrowedFd, name: &CString, mode: u32) -> io::Result<()> {
    // SAFETY: `name` ends with NUL.
    check(unsafe { libc::mkdirat(dir.as_raw_fd(), name.as_ptr(), mode) }.into()).map(drop)
}

/// A FIFO or a socket: what needs no right over devices.
pub fn make_node(dir: BorrowedFd, name: &CString, mode: u32) -> io::Result<()> {
    // SAFETY: `name` ends with NUL.
    check(unsafe { libc::mknodat(dir.as_raw_fd(), name.as_ptr(), mode, 0) }.into()).map(drop)
}

pub fn make_symlink(dir: BorrowedFd, name: &CString, target: &[u8]) -> io::Result<()> {
    let target = c_string(target).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: both end with NUL.
    check(unsafe { libc::symlinkat(target.as_ptr(), dir.as_raw_fd(), name.as_ptr()) }.into()).map(drop)
}

pub fn remove(dir: BorrowedFd, name: &CString, is_directory: bool) -> io::Result<()> {
    let flags = if is_directory { libc::AT_REMOVEDIR } else { 0 };
    // SAFETY: `name` ends with NUL.
    check(unsafe { libc::unlinkat(dir.as_raw_fd(), name.as_ptr(), flags) }.into()).map(drop)
}

pub fn rename(from: (BorrowedFd, &CString), to: (BorrowedFd, &CString)) -> io::Result<()> {
    // SAFETY: both names end with NUL.
    check(unsafe { libc::renameat(from.0.as_raw_fd(), from.1.as_ptr(), to.0.as_raw_fd(), to.1.as_ptr()) }.into()).map(drop)
}

/// By the descriptor's path: AT_EMPTY_PATH would need a right that this process hasn't.
pub fn link(file: BorrowedFd, dir: BorrowedFd, name: &CString) -> io::Result<()> {
    let path = c_string(path_of(file).as_bytes())?;
    let flags = libc::AT_SYMLINK_FOLLOW;
    // SAFETY: both end with NUL.
    check(unsafe { libc::linkat(libc::AT_FDCWD, path.as_ptr(), dir.as_raw_fd(), name.as_ptr(), flags) }.into()).map(drop)
}

pub fn sync(fd: BorrowedFd) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::fsync(fd.as_raw_fd()) }.into()).map(drop)
}

pub fn sync_directory(dir: BorrowedFd) -> io::Result<()> {
    sync(reopen(dir, libc::O_RDONLY | libc::O_DIRECTORY)?.as_fd())
}

pub fn read_at(fd: BorrowedFd, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut at = 0;
    while at < buffer.len() {
        let rest = &mut buffer[at..];
        let position = offset.checked_add(at as u64).and_then(|n| i64::try_from(n).ok());
        let Some(position) = position else { break };
        // SAFETY: `rest` is writable for its length.
        let n = check(unsafe { libc::pread(fd.as_raw_fd(), rest.as_mut_ptr().cast(), rest.len(), position) } as libc::c_long);
        match n {
            Ok(0) => break,
            Ok(n) => at += n as usize,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) if at > 0 => break,
            Err(e) => return Err(e),
        }
    }
    Ok(at)
}

/// All of it, or as much as went before an error.
pub fn write_at(fd: BorrowedFd, data: &[u8], offset: u64) -> io::Result<usize> {
    let mut at = 0;
    while at < data.len() {
        let rest = &data[at..];
        let position = offset.checked_add(at as u64).and_then(|n| i64::try_from(n).ok());
        let position = position.ok_or_else(|| io::Error::from_raw_os_error(libc::EFBIG))?;
        // SAFETY: `rest` is readable for its length.
        let n = check(unsafe { libc::pwrite(fd.as_raw_fd(), rest.as_ptr().cast(), rest.len(), position) } as libc::c_long);
        match n {
            Ok(n) => at += n as usize,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) if at > 0 => break,
            Err(e) => return Err(e),
        }
    }
    Ok(at)
}

pub struct Space {
    pub total: u64,
    pub free: u64,
    pub available: u64,
    pub files: u64,
    pub files_free: u64,
}

pub fn space(fd: BorrowedFd) -> io::Result<Space> {
    // SAFETY: statvfs is plain data, for which all zeroes is a value.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live statvfs.
    check(unsafe { libc::fstatvfs(fd.as_raw_fd(), &mut found) }.into())?;
    let unit = found.f_frsize;
    Ok(Space {
        total: found.f_blocks * unit,
        free: found.f_bfree * unit,
        available: found.f_bavail * unit,
        files: found.f_files,
        files_free: found.f_ffree,
    })
}

/// An entry of a directory as getdents64(2) gives it.
pub struct Entry {
    pub ino: u64,
    /// Where the next one begins.
    pub next: u64,
    pub name: Vec<u8>,
}

/// Entries from `position` on, without `.` and `..`, until `take` says false. True when there are no more.
pub fn list(dir: BorrowedFd, position: u64, mut take: impl FnMut(Entry) -> bool) -> io::Result<bool> {
    let position = i64::try_from(position).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: no pointers.
    check(unsafe { libc::lseek(dir.as_raw_fd(), position, libc::SEEK_SET) })?;
    let mut buffer = vec![0_u8; 32 * 1024];
    loop {
        // SAFETY: `buffer` is writable for its length.
        let n = check(unsafe { libc::syscall(libc::SYS_getdents64, dir.as_raw_fd(), buffer.as_mut_ptr(), buffer.len()) })? as usize;
        if n == 0 {
            return Ok(true);
        }
        let mut rest = &buffer[..n];
        while let Some((entry, after)) = parse_entry(rest) {
            rest = after;
            if entry.name != b"." && entry.name != b".." && !take(entry) {
                return Ok(false);
            }
        }
    }
}

/// struct linux_dirent64: d_ino, d_off, d_reclen, d_type, d_name.
fn parse_entry(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let word = |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_ne_bytes);
    let (ino, next) = (word(0)?, word(8)?);
    let length = usize::from(u16::from_ne_bytes(bytes.get(16..18)?.try_into().ok()?));
    let name = bytes.get(19..length)?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
    Some((Entry { ino, next, name }, &bytes[length..]))
}
