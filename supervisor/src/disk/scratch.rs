//! A task's own file system: an ext4 of the size that it asked for, in a sparse file that has no name. The kernel takes back all of it, device,
//! file and space, when the last mount namespace that it is in ends, whoever is killed.
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{ext4, failed, loopback};
use crate::mount;
use crate::protocol::WorkerError;
use crate::sys;

const BLOCK: u32 = 4096;
/// Its content goes with the task: nothing has to reach the disk in any order, and no thread shall zero tables that nobody reads. What is
/// deleted is a hole in the file again.
const OPTIONS: [&str; 4] = ["discard", "noinit_itable", "nobarrier", "errors=remount-ro"];
const ATTRIBUTES: u64 = mount::NODEV | mount::NOATIME;

/// Makes it in the file system of the directory `dir`, mounted nowhere yet. `model`: see `ScratchRequest`.
pub fn mount_scratch(dir: &Path, model: &Path, bytes: u64) -> Result<OwnedFd, WorkerError> {
    let model = ext4::model(model, bytes)?;
    let what = || format!("make a disk of {bytes} bytes in {}", dir.display());
    let image = unnamed(dir).map_err(failed(what()))?;
    ext4::copy(&model, &image).map_err(failed(what()))?;
    let how = loopback::Attach { read_only: false, block_size: BLOCK, direct: true };
    loopback::mount_image(&image, c"ext4", how, &OPTIONS, ATTRIBUTES).map_err(failed(format!("mount a disk of {bytes} bytes")))
}

fn unnamed(dir: &Path) -> io::Result<File> {
    let mut open = OpenOptions::new();
    open.read(true).write(true).mode(0o600);
    match open.custom_flags(libc::O_TMPFILE).open(dir) {
        // Not every file system has files that never had a name.
        Err(e) if matches!(e.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR)) => {}
        opened => return opened,
    }
    let path = dir.join(format!(".scratch-{}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// Nothing of what was written to the task's disk at `place` is of use any more: what isn't in its file yet never goes there.
pub fn forget(place: &Path) -> io::Result<()> {
    // linux/fs.h, EXT4_IOC_SHUTDOWN; NOLOGFLUSH: without writing anything.
    const SHUTDOWN: libc::c_ulong = 0x8004_587D;
    const NOLOGFLUSH: u32 = 2;
    let root = File::open(place)?;
    // SAFETY: the argument is a live u32, which is what this call reads.
    sys::check(unsafe { libc::ioctl(root.as_raw_fd(), SHUTDOWN as _, &NOLOGFLUSH) }.into()).map(drop)
}
