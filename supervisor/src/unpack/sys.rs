//! The system calls of unpacking and removing: all relative to an open directory, none follows a symbolic link.
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// What a name in a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Directory,
    /// overlayfs's mark for "deleted here": a character device 0/0.
    Whiteout,
    Other,
}

pub fn c_string(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn owned(fd: i32) -> io::Result<OwnedFd> {
    check(fd)?;
    // SAFETY: the kernel just gave this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens a directory below `dir` by openat2(2). `links`: symbolic links on the way may be followed, but never out of `dir`.
pub fn open_below(dir: BorrowedFd, path: &CStr, links: bool) -> io::Result<OwnedFd> {
    // SAFETY: open_how is plain data, for which all zeroes is a value.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC) as u64;
    how.resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS | libc::RESOLVE_NO_XDEV;
    if !links {
        how.resolve |= libc::RESOLVE_NO_SYMLINKS;
    }
    // SAFETY: the path ends with NUL; the pointer and size are those of a live open_how.
    let fd = unsafe { libc::syscall(libc::SYS_openat2, dir.as_raw_fd(), path.as_ptr(), &how, std::mem::size_of_val(&how)) };
    owned(fd as i32)
}

/// Opens the directory `name` itself, one step down.
pub fn open_directory(dir: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: the path ends with NUL.
    owned(unsafe { libc::openat(dir.as_raw_fd(), name.as_ptr(), flags) })
}

pub fn create_file(dir: BorrowedFd, name: &CStr, mode: u32) -> io::Result<OwnedFd> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: the path ends with NUL.
    owned(unsafe { libc::openat(dir.as_raw_fd(), name.as_ptr(), flags, mode) })
}

pub fn create_directory(dir: BorrowedFd, name: &CStr, mode: u32) -> io::Result<()> {
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::mkdirat(dir.as_raw_fd(), name.as_ptr(), mode) })
}

pub fn create_symlink(target: &CStr, dir: BorrowedFd, name: &CStr) -> io::Result<()> {
    // SAFETY: both paths end with NUL.
    check(unsafe { libc::symlinkat(target.as_ptr(), dir.as_raw_fd(), name.as_ptr()) })
}

pub fn create_hard_link(from: BorrowedFd, target: &CStr, dir: BorrowedFd, name: &CStr) -> io::Result<()> {
    // SAFETY: both paths end with NUL. Without AT_SYMLINK_FOLLOW a symbolic link is linked itself.
    check(unsafe { libc::linkat(from.as_raw_fd(), target.as_ptr(), dir.as_raw_fd(), name.as_ptr(), 0) })
}

/// `mode` has the kind of node in it.
pub fn create_node(dir: BorrowedFd, name: &CStr, mode: u32, device: (u32, u32)) -> io::Result<()> {
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::mknodat(dir.as_raw_fd(), name.as_ptr(), mode, libc::makedev(device.0, device.1)) })
}

pub fn find(dir: BorrowedFd, name: &CStr) -> io::Result<Option<Found>> {
    // SAFETY: stat is plain data, for which all zeroes is a value.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends with NUL and the pointer is to a live stat.
    let result = unsafe { libc::fstatat(dir.as_raw_fd(), name.as_ptr(), &mut stat, libc::AT_SYMLINK_NOFOLLOW) };
    match check(result) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
        result => result?,
    }
    Ok(Some(match stat.st_mode & libc::S_IFMT {
        libc::S_IFDIR => Found::Directory,
        libc::S_IFCHR if stat.st_rdev == 0 => Found::Whiteout,
        _ => Found::Other,
    }))
}

pub fn unlink(dir: BorrowedFd, name: &CStr) -> io::Result<()> {
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::unlinkat(dir.as_raw_fd(), name.as_ptr(), 0) })
}

pub fn remove_directory(dir: BorrowedFd, name: &CStr) -> io::Result<()> {
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::unlinkat(dir.as_raw_fd(), name.as_ptr(), libc::AT_REMOVEDIR) })
}

pub fn rename(from: BorrowedFd, name: &CStr, to: BorrowedFd, new: &CStr) -> io::Result<()> {
    // SAFETY: both paths end with NUL.
    check(unsafe { libc::renameat(from.as_raw_fd(), name.as_ptr(), to.as_raw_fd(), new.as_ptr()) })
}

pub fn set_owner(fd: BorrowedFd, uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: fchown(2) takes no pointers.
    check(unsafe { libc::fchown(fd.as_raw_fd(), uid, gid) })
}

pub fn set_owner_at(dir: BorrowedFd, name: &CStr, uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::fchownat(dir.as_raw_fd(), name.as_ptr(), uid, gid, libc::AT_SYMLINK_NOFOLLOW) })
}

pub fn set_mode(fd: BorrowedFd, mode: u32) -> io::Result<()> {
    // SAFETY: fchmod(2) takes no pointers.
    check(unsafe { libc::fchmod(fd.as_raw_fd(), mode) })
}

fn both_times(mtime: (i64, i64)) -> [libc::timespec; 2] {
    let time = libc::timespec { tv_sec: mtime.0, tv_nsec: mtime.1 };
    [time, time]
}

pub fn set_time(fd: BorrowedFd, mtime: (i64, i64)) -> io::Result<()> {
    // SAFETY: the pointer is to two live timespecs.
    check(unsafe { libc::futimens(fd.as_raw_fd(), both_times(mtime).as_ptr()) })
}

pub fn set_time_at(dir: BorrowedFd, name: &CStr, mtime: (i64, i64)) -> io::Result<()> {
    // SAFETY: the path ends with NUL and the pointer is to two live timespecs.
    check(unsafe { libc::utimensat(dir.as_raw_fd(), name.as_ptr(), both_times(mtime).as_ptr(), libc::AT_SYMLINK_NOFOLLOW) })
}

pub fn set_xattr(fd: BorrowedFd, name: &CStr, value: &[u8]) -> io::Result<()> {
    // SAFETY: the name ends with NUL; the pointer and length are those of a live slice.
    check(unsafe { libc::fsetxattr(fd.as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) })
}

/// For what can't be opened (links, devices): changes the process's working directory, which nothing else here uses.
pub fn set_xattr_at(dir: BorrowedFd, file: &CStr, name: &CStr, value: &[u8]) -> io::Result<()> {
    // SAFETY: fchdir(2) takes no pointers.
    check(unsafe { libc::fchdir(dir.as_raw_fd()) })?;
    // SAFETY: both strings end with NUL; the pointer and length are those of a live slice.
    check(unsafe { libc::lsetxattr(file.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) })
}

/// Makes the directory the root of this process.
pub fn change_root(dir: BorrowedFd) -> io::Result<()> {
    // SAFETY: fchdir(2) takes no pointers.
    check(unsafe { libc::fchdir(dir.as_raw_fd()) })?;
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::chroot(c".".as_ptr()) })
}

/// Names in a directory, without `.` and `..`, each with whether it is known to be a directory.
pub fn names(dir: BorrowedFd) -> io::Result<Vec<(CString, bool)>> {
    let own = owned({
        // SAFETY: the path ends with NUL. A fresh descriptor: its offset is its own.
        unsafe { libc::openat(dir.as_raw_fd(), c".".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC) }
    })?;
    let mut names = Vec::new();
    let mut buffer = vec![0u8; 32 * 1024];
    loop {
        // SAFETY: the pointer and length are those of a live, writable buffer.
        let length = unsafe { libc::syscall(libc::SYS_getdents64, own.as_raw_fd(), buffer.as_mut_ptr(), buffer.len()) };
        check(length as i32)?;
        if length == 0 {
            return Ok(names);
        }
        let mut rest = &buffer[..length as usize];
        // struct linux_dirent64: inode u64, offset i64, record length u16, type u8, name.
        while rest.len() > 19 {
            let record = usize::from(u16::from_ne_bytes([rest[16], rest[17]]));
            let Some(entry) = rest.get(..record).filter(|entry| entry.len() > 19) else { break };
            if let Ok(name) = CStr::from_bytes_until_nul(&entry[19..]) {
                if name != c"." && name != c".." {
                    names.push((name.to_owned(), entry[18] == libc::DT_DIR));
                }
            }
            rest = &rest[record..];
        }
    }
}
