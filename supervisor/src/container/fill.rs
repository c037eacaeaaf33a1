//! A volume's first content: what the image has at its place (Docker's volumes; AWS: "Use bind mounts with Amazon ECS").
//!
//! Other containers of the task may have the volume already, and change it while this goes on: nothing here follows a link of theirs, nor
//! goes by a path.
use std::ffi::{CStr, CString};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::Error;
use crate::mount::open_in_root;
use crate::protocol::FillBundle;
use crate::sys;
use crate::unpack::sys as at;

/// Deeper trees than anybody's; each level holds two descriptors.
const DEPTH: usize = 128;
const XATTR_BYTES: usize = 64 * 1024;

/// `root`: the container's own, before anything is mounted in it.
pub fn fill_all(root: BorrowedFd, fills: &[FillBundle]) -> Result<(), Error> {
    for one in fills {
        fill(root, one)
            .map_err(|e| Error::Create(format!("cannot copy what the image has at {} into its volume: {}", one.path, sys::reason(&e))))?;
    }
    Ok(())
}

fn fill(root: BorrowedFd, one: &FillBundle) -> io::Result<()> {
    // Held by whoever is the first; marked once it is done. The lock goes with its process.
    let mark = format!("{}.filled", one.volume);
    let mut mark = OpenOptions::new().append(true).create(true).mode(0o600).open(mark)?;
    // SAFETY: no pointers.
    sys::check(unsafe { libc::flock(mark.as_raw_fd(), libc::LOCK_EX) }.into())?;
    if mark.metadata()?.len() > 0 {
        return Ok(());
    }
    let volume = File::options().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(&one.volume)?;
    let inside = Path::new(one.path.trim_start_matches('/'));
    match open_in_root(root, inside, libc::O_RDONLY | libc::O_DIRECTORY, 0) {
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP)) => {}
        Err(e) => return Err(e),
        Ok(source) if at::names(volume.as_fd())?.is_empty() => copy_directory(source.as_fd(), volume.as_fd(), DEPTH)?,
        Ok(_) => {}
    }
    mark.write_all(b"1")
}

/// All that is in one directory, and then its own attributes.
fn copy_directory(from: BorrowedFd, to: BorrowedFd, depth: usize) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other("it is nested too deeply"));
    }
    for (name, _) in at::names(from)? {
        match copy_entry(from, to, &name, depth) {
            // Another container has made one of this name meanwhile, which is as good as having been there before.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            copied => copied?,
        }
    }
    give_attributes(&File::from(from.try_clone_to_owned()?), to)
}

fn copy_entry(from: BorrowedFd, to: BorrowedFd, name: &CStr, depth: usize) -> io::Result<()> {
    let place = open_at(from, name, libc::O_PATH | libc::O_NOFOLLOW)?;
    let meta = File::from(place.try_clone()?).metadata()?;
    let kind = meta.file_type();
    if kind.is_dir() {
        at::create_directory(to, name, 0o700)?;
        let (source, made) = (at::open_directory(from, name)?, at::open_directory(to, name)?);
        return copy_directory(source.as_fd(), made.as_fd(), depth - 1);
    }
    if kind.is_file() {
        let source = File::from(open_at(from, name, libc::O_RDONLY | libc::O_NOFOLLOW)?);
        let mut made = File::from(at::create_file(to, name, 0o600)?);
        io::copy(&mut &source, &mut made)?;
        return give_attributes(&source, made.as_fd());
    }
    if kind.is_symlink() {
        at::create_symlink(&link_target(from, name)?, to, name)?;
    } else if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
        let device = (libc::major(meta.rdev()), libc::minor(meta.rdev()));
        // SAFETY: umask(2) takes no pointers.
        let mask = unsafe { libc::umask(0) };
        let made = at::create_node(to, name, meta.mode(), device);
        // SAFETY: as above.
        unsafe { libc::umask(mask) };
        made?;
    }
    at::set_owner_at(to, name, meta.uid(), meta.gid())?;
    at::set_time_at(to, name, (meta.mtime(), meta.mtime_nsec()))
}

fn give_attributes(from: &File, to: BorrowedFd) -> io::Result<()> {
    let meta = from.metadata()?;
    at::set_owner(to, meta.uid(), meta.gid())?;
    // After the owner, which takes set-user-ID and capabilities away.
    at::set_mode(to, meta.mode() & 0o7777)?;
    copy_xattrs(from.as_fd(), to)?;
    at::set_time(to, (meta.mtime(), meta.mtime_nsec()))
}

fn copy_xattrs(from: BorrowedFd, to: BorrowedFd) -> io::Result<()> {
    let mut names = vec![0_u8; XATTR_BYTES];
    // SAFETY: the pointer and length are those of a live, writable buffer.
    let listed = unsafe { libc::flistxattr(from.as_raw_fd(), names.as_mut_ptr().cast(), names.len()) };
    let length = match sys::check(listed as libc::c_long) {
        Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => return Ok(()),
        length => length? as usize,
    };
    let all = names[..length].split(|byte| *byte == 0).filter(|name| name.starts_with(b"user.") || *name == b"security.capability");
    for name in all {
        let name = at::c_string(name)?;
        let mut value = vec![0_u8; XATTR_BYTES];
        // SAFETY: the name ends with NUL; the pointer and length are those of a live, writable buffer.
        let read = unsafe { libc::fgetxattr(from.as_raw_fd(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
        let length = sys::check(read as libc::c_long)? as usize;
        at::set_xattr(to, &name, &value[..length])?;
    }
    Ok(())
}

fn link_target(dir: BorrowedFd, name: &CStr) -> io::Result<CString> {
    let mut text = vec![0_u8; libc::PATH_MAX as usize];
    // SAFETY: the name ends with NUL; the pointer and length are those of a live, writable buffer.
    let read = unsafe { libc::readlinkat(dir.as_raw_fd(), name.as_ptr(), text.as_mut_ptr().cast(), text.len()) };
    let length = sys::check(read as libc::c_long)? as usize;
    at::c_string(&text[..length])
}

fn open_at(dir: BorrowedFd, name: &CStr, flags: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: the name ends with NUL.
    let fd = sys::check(unsafe { libc::openat(dir.as_raw_fd(), name.as_ptr(), flags | libc::O_CLOEXEC) }.into())? as i32;
    // SAFETY: the kernel just gave this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
