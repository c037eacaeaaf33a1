//! An empty ext4 to write on. mkfs.ext4 runs once for each size; every further disk is a copy of the few blocks that it wrote.
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{fchown, FileExt, OpenOptionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{failed, tool};
use crate::protocol::{ErrorCode, ScratchRequest, WorkerError};
use crate::sys::check;

const PROGRAM: &str = "/sbin/mkfs.ext4";
const TIME: Duration = Duration::from_secs(60);
/// Smaller ones have no room for anything.
const LEAST_BYTES: u64 = 16 << 20;
/// linux/fs.h: shares the blocks where the file system can (XFS, btrfs).
const FICLONE: libc::c_ulong = 0x4004_9409;

/// Makes the file `path`, an ext4 of exactly `bytes` that belongs to `uid`. Nothing is left when it fails.
pub fn make(request: &ScratchRequest) -> Result<(), WorkerError> {
    let model = model(Path::new(&request.model), request.bytes)?;
    let path = Path::new(&request.path);
    // What a worker that was killed over it left, perhaps half of one: a new file, since somebody may have that one open.
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(format!("remove {}", request.path))(e)),
        _ => {}
    }
    let made = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
    let made = made.map_err(failed(format!("make {}", request.path)))?;
    let filled = copy(&model, &made).and_then(|()| fchown(&made, Some(request.uid), Some(request.gid)));
    filled.map_err(|e| {
        let _ = fs::remove_file(path);
        failed(format!("write {}", request.path))(e)
    })
}

/// The file that all disks of a size are copied from.
pub(super) fn model(path: &Path, bytes: u64) -> Result<File, WorkerError> {
    if bytes < LEAST_BYTES || bytes % 4096 != 0 {
        let message = format!("a disk has at least {LEAST_BYTES} bytes in blocks of 4096, not {bytes}");
        return Err(WorkerError::new(ErrorCode::Invalid, message));
    }
    match File::open(path) {
        Ok(file) if file.metadata().is_ok_and(|meta| meta.len() == bytes) => return Ok(file),
        Ok(_) => {
            return Err(WorkerError::new(ErrorCode::Invalid, format!("{} is the model of another size", path.display())));
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(failed(format!("open {}", path.display()))(e)),
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(failed(format!("make {}", dir.display())))?;
    }
    // By this process's own name: two may make it at the same time, and either will do.
    let temp = path.with_extension(format!("{}.new", std::process::id()));
    let made = format_at(&temp, bytes).and_then(|()| fs::rename(&temp, path).map_err(failed(format!("name {}", path.display()))));
    if made.is_err() {
        let _ = fs::remove_file(&temp);
    }
    made?;
    File::open(path).map_err(failed(format!("open {}", path.display())))
}

fn format_at(path: &Path, bytes: u64) -> Result<(), WorkerError> {
    let what = || format!("make {}", path.display());
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(failed(what()))?;
    file.set_len(bytes).map_err(failed(what()))?;
    let mut command = Command::new(PROGRAM);
    // No journal: it is thrown away with its machine. Inode tables are holes, which read as zeros, and are marked so: nobody has to write
    // them. Nothing is kept back for root, nor for growing.
    command.args(["-q", "-F", "-b", "4096", "-I", "256", "-i", "32768", "-m", "0", "-O", "^has_journal,^resize_inode,metadata_csum"]);
    command.args(["-E", "lazy_itable_init=0,assume_storage_prezeroed=1,nodiscard,root_owner=0:0"]).arg(path);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    tool::run(command, "e2fsprogs", tool::nothing()?, TIME, || {
        crate::sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0).map(drop)
    })?;
    file.sync_all().map_err(failed(what()))
}

/// Data only; holes stay holes.
pub(super) fn copy(from: &File, to: &File) -> io::Result<()> {
    // SAFETY: no pointers.
    if unsafe { libc::ioctl(to.as_raw_fd(), FICLONE as _, from.as_raw_fd()) } == 0 {
        return Ok(());
    }
    let size = from.metadata()?.len() as i64;
    to.set_len(size as u64)?;
    let seek = |at: i64, whence| {
        // SAFETY: no pointers.
        match check(unsafe { libc::lseek(from.as_raw_fd(), at, whence) }) {
            Err(e) if e.raw_os_error() == Some(libc::ENXIO) => Ok(None),
            other => other.map(Some),
        }
    };
    let mut at = 0;
    while let Some(start) = seek(at, libc::SEEK_DATA)? {
        let end = seek(start, libc::SEEK_HOLE)?.unwrap_or(size);
        copy_range(from, to, start, end)?;
        at = end;
    }
    Ok(())
}

fn copy_range(from: &File, to: &File, mut at: i64, end: i64) -> io::Result<()> {
    while at < end {
        let (mut read_at, mut write_at) = (at, at);
        let length = (end - at) as usize;
        // SAFETY: both offsets are writable.
        let copied = unsafe { libc::copy_file_range(from.as_raw_fd(), &mut read_at, to.as_raw_fd(), &mut write_at, length, 0) };
        at += match check(copied as libc::c_long) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(copied) => copied,
            // Not between these two file systems.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EXDEV | libc::EINVAL | libc::EOPNOTSUPP)) => copy_by_hand(from, to, at, end)?,
            Err(e) => return Err(e),
        };
    }
    Ok(())
}

fn copy_by_hand(from: &File, to: &File, at: i64, end: i64) -> io::Result<i64> {
    let mut buffer = [0; 32 * 1024];
    let length = buffer.len().min((end - at) as usize);
    from.read_exact_at(&mut buffer[..length], at as u64)?;
    to.write_all_at(&buffer[..length], at as u64)?;
    Ok(length as i64)
}
