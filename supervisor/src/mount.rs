//! Mounts: the descriptor-based calls (Linux 5.12 on), which need no paths that somebody could change under us.
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use crate::sys::{c_path, c_string, check};

pub const RDONLY: u64 = 0x1;
pub const NOSUID: u64 = 0x2;
pub const NODEV: u64 = 0x4;
pub const NOEXEC: u64 = 0x8;
pub const NOATIME: u64 = 0x10;

const OPEN_TREE_CLONE: libc::c_uint = 1;
const OPEN_TREE_CLOEXEC: libc::c_uint = libc::O_CLOEXEC as libc::c_uint;
const AT_RECURSIVE: libc::c_uint = 0x8000;
const AT_EMPTY_PATH: libc::c_uint = libc::AT_EMPTY_PATH as libc::c_uint;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH: libc::c_uint = 0x40;
const RESOLVE_IN_ROOT: u64 = 0x10;
const RESOLVE_NO_MAGICLINKS: u64 = 0x02;

#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

fn owned(ret: libc::c_long) -> io::Result<OwnedFd> {
    let fd = check(ret)? as RawFd;
    // SAFETY: the kernel just gave this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens `path` as if `root` were `/`: no link, however made, leads out of it. `flags` as of open(2).
pub fn open_in_root(root: BorrowedFd, path: &Path, flags: libc::c_int, mode: u32) -> io::Result<OwnedFd> {
    let text = if path.as_os_str().is_empty() { c_string(b".")? } else { c_path(path)? };
    let how = OpenHow { flags: (flags | libc::O_CLOEXEC) as u64, mode: u64::from(mode), resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    loop {
        // SAFETY: `text` ends with NUL and `how` has the size that is told.
        let opened = owned(unsafe { libc::syscall(libc::SYS_openat2, root.as_raw_fd(), text.as_ptr(), &how, size_of::<OpenHow>()) });
        match opened {
            // The kernel could not rule out a race with a rename or mount elsewhere: look again.
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => {}
            other => return other,
        }
    }
}

/// Opens a path of the host for its place only.
pub fn open_path(path: &Path) -> io::Result<OwnedFd> {
    let text = c_path(path)?;
    // SAFETY: `text` ends with NUL.
    owned(libc::c_long::from(unsafe { libc::open(text.as_ptr(), libc::O_PATH | libc::O_CLOEXEC) }))
}

/// A detached copy of the mount at `at` (or of what lies at it), with its submounts when `recursive`.
pub fn clone_tree(at: BorrowedFd, recursive: bool) -> io::Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty C string.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, at.as_raw_fd(), c"".as_ptr(), flags) })
}

/// Sets attributes and propagation (0: as it is) of a mount.
pub fn set_attributes(mount: BorrowedFd, set: u64, propagation: u64, recursive: bool) -> io::Result<()> {
    if set == 0 && propagation == 0 {
        return Ok(());
    }
    let attr = MountAttr { attr_set: set, attr_clr: 0, propagation, userns_fd: 0 };
    let flags = AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty C string; `attr` has the size that is told.
    let done = unsafe { libc::syscall(libc::SYS_mount_setattr, mount.as_raw_fd(), c"".as_ptr(), flags, &attr, size_of::<MountAttr>()) };
    check(done).map(drop)
}

/// Takes attributes away from a mount.
pub fn clear_attributes(mount: BorrowedFd, clear: u64) -> io::Result<()> {
    let attr = MountAttr { attr_set: 0, attr_clr: clear, propagation: 0, userns_fd: 0 };
    // SAFETY: the path is an empty C string; `attr` has the size that is told.
    let done =
        unsafe { libc::syscall(libc::SYS_mount_setattr, mount.as_raw_fd(), c"".as_ptr(), AT_EMPTY_PATH, &attr, size_of::<MountAttr>()) };
    check(done).map(drop)
}

/// Attaches a detached mount over `target`.
pub fn attach(mount: BorrowedFd, target: BorrowedFd) -> io::Result<()> {
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: both paths are empty C strings.
    let done = unsafe { libc::syscall(libc::SYS_move_mount, mount.as_raw_fd(), c"".as_ptr(), target.as_raw_fd(), c"".as_ptr(), flags) };
    check(done).map(drop)
}

/// A path that leads to `fd` itself, for calls that take only paths. /proc must be there.
pub fn path_of(fd: BorrowedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// mount(2). `target` is a path.
pub fn mount(source: &str, target: &str, kind: &str, flags: libc::c_ulong, data: &str) -> io::Result<()> {
    let (source, target) = (c_string(source.as_bytes())?, c_string(target.as_bytes())?);
    let (kind, data) = (c_string(kind.as_bytes())?, c_string(data.as_bytes())?);
    // SAFETY: all four end with NUL; mount(2) takes `data` as a C string for every file system used here.
    let done = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, data.as_ptr().cast()) };
    check(libc::c_long::from(done)).map(drop)
}

/// A new file system that is mounted nowhere yet. `options` are `key` or `key=value`.
pub fn new_detached(kind: &CStr, options: &[&str], attributes: u64) -> io::Result<OwnedFd> {
    const SET_FLAG: libc::c_uint = 0;
    const SET_STRING: libc::c_uint = 1;
    const CREATE: libc::c_uint = 6;
    const CLOEXEC: libc::c_uint = 1;
    // SAFETY: `kind` ends with NUL.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), CLOEXEC) })?;
    let fd = context.as_raw_fd();
    for option in options {
        let (key, value) = match option.split_once('=') {
            Some((key, value)) => (c_string(key.as_bytes())?, Some(c_string(value.as_bytes())?)),
            None => (c_string(option.as_bytes())?, None),
        };
        let (command, value) = value.as_ref().map_or((SET_FLAG, std::ptr::null()), |v| (SET_STRING, v.as_ptr()));
        // SAFETY: key and value end with NUL (or value is null, as SET_FLAG wants).
        check(unsafe { libc::syscall(libc::SYS_fsconfig, fd, command, key.as_ptr(), value, 0) })?;
    }
    // SAFETY: CREATE takes no key and no value.
    check(unsafe { libc::syscall(libc::SYS_fsconfig, fd, CREATE, std::ptr::null::<u8>(), std::ptr::null::<u8>(), 0) })?;
    // SAFETY: no pointers.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, fd, CLOEXEC, attributes) })
}

/// umount2(2) of a path.
pub fn unmount(path: &str, flags: libc::c_int) -> io::Result<()> {
    let path = c_string(path.as_bytes())?;
    // SAFETY: `path` ends with NUL.
    check(libc::c_long::from(unsafe { libc::umount2(path.as_ptr(), flags) })).map(drop)
}

/// Mount points of this namespace at or below `dir`, innermost first.
pub fn mounts_below(dir: &Path) -> io::Result<Vec<String>> {
    Ok(below(&std::fs::read_to_string("/proc/self/mountinfo")?, dir))
}

fn below(mountinfo: &str, dir: &Path) -> Vec<String> {
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    let mut found: Vec<String> = points.filter(|point| Path::new(point).starts_with(dir)).collect();
    found.reverse();
    found
}

/// mountinfo writes blanks, tabs, newlines and backslashes as three octal digits.
pub fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 4).and_then(|d| std::str::from_utf8(d).ok());
        match digits.filter(|_| bytes[at] == b'\\').and_then(|d| u8::from_str_radix(d, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 4;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_mounts_below_a_directory_only() {
        let info = "1 0 8:1 / / rw - ext4 a rw\n2 1 0:1 / /x/task rw - tmpfs t rw\n3 2 0:2 / /x/task/a\\040b rw - tmpfs t rw\n4 1 0:3 / /x/task2 rw - tmpfs t rw\n";
        assert_eq!(below(info, Path::new("/x/task")), vec!["/x/task/a b".to_string(), "/x/task".to_string()]);
    }
}
