//! An image's layers as one EROFS file system, by mkfs.erofs (Debian's 1.5). Same layers, same bytes.
use std::ffi::{CStr, CString, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{json, Value};

use super::{failed, sandbox, tool};
use crate::protocol::{DiskLimits, ErofsRequest, ErrorCode, WorkerError};
use crate::sys::{c_path, check};

const PROGRAM: &str = "/usr/bin/mkfs.erofs";
/// A time past every file's own: mkfs.erofs takes it for the time of building, and lets no file be younger than it.
const BUILT_AT: &str = "8589934592";
const UUID: &str = "00000000-0000-0000-0000-000000000001";
/// What mkfs.erofs keeps in memory: some 500 bytes for each entry.
const MEMORY_BYTES: u64 = 4 << 30;
/// Names of whiteouts that overlayfs shows, as arguments: the kernel takes 2 MiB of them.
const GHOST_BYTES: usize = 512 * 1024;

/// Builds the disk at `into`, and answers `{bytes}`. Runs in a child of its own, for it changes its root. Leaves nothing when it fails.
pub fn build(request: &ErofsRequest) -> Result<Value, WorkerError> {
    let into = Path::new(&request.into);
    let (Some(parent), Some(name)) = (into.parent(), into.file_name()) else {
        return Err(WorkerError::new(ErrorCode::Invalid, format!("{:?} is not a file to build", request.into)));
    };
    if request.layers.is_empty() {
        return Err(WorkerError::new(ErrorCode::Invalid, "an image without layers has no disk"));
    }
    let above = File::open(parent).map_err(failed(format!("open {}", parent.display())))?;
    let name = c_path(Path::new(name)).map_err(failed("take the name"))?;
    let temp = CString::new([name.as_bytes(), b".new"].concat()).map_err(|e| failed("take the name")(e.into()))?;
    let _ = unlink(&above, &temp);
    let path = parent.join(Path::new(std::ffi::OsStr::from_bytes(temp.as_bytes())));
    let output = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
    let output = output.map_err(failed(format!("make {}", path.display())))?;
    let built = fill(request, &path, &output).and_then(|()| keep(&above, &output, &temp, &name));
    if built.is_err() {
        // By the descriptor from before the change of root.
        let _ = unlink(&above, &temp);
    }
    built.map(|bytes| json!({ "bytes": bytes }))
}

fn fill(request: &ErofsRequest, path: &Path, output: &File) -> Result<(), WorkerError> {
    let DiskLimits { bytes, entries, seconds } = request.limits;
    let nothing = tool::nothing()?;
    sandbox::give(output, true).map_err(failed("give the file away"))?;
    sandbox::enter(&request.layers, path, path.parent().unwrap_or(path))?;
    let ghosts = look_through(entries)?;
    let mut command = Command::new(PROGRAM);
    // All attributes of files by themselves, also where one's time happens to be that of the building. No attributes shared between
    // files: looking for those stumbles over ghosts.
    command.args(["-d1", "--quiet", "-E", "force-inode-extended", "-U", UUID, &format!("-x{}", i32::MAX)]);
    command.args(ghosts.iter().map(|ghost| exclusion(ghost)));
    command.args([sandbox::OUTPUT, sandbox::LAYERS]).env_clear().env("SOURCE_DATE_EPOCH", BUILT_AT).current_dir("/");
    tool::run(command, "erofs-utils", nothing, Duration::from_secs(seconds), move || sandbox::confine(bytes, MEMORY_BYTES))
}

fn exclusion(ghost: &Path) -> OsString {
    let mut text = OsString::from("--exclude-path=");
    text.push(ghost);
    text
}

/// Counts what there is, and finds whiteouts that show. overlayfs filters them only in directories that it merges: in one that a single
/// layer has they are listed, though nothing is there.
fn look_through(limit: u64) -> Result<Vec<PathBuf>, WorkerError> {
    let root = Path::new(sandbox::LAYERS);
    let mut open = vec![PathBuf::new()];
    let (mut seen, mut ghosts, mut ghost_bytes) = (0, Vec::new(), 0);
    while let Some(dir) = open.pop() {
        for (name, kind) in list(&root.join(&dir)).map_err(failed(format!("read {}", dir.display())))? {
            let path = dir.join(name);
            seen += 1;
            if seen > limit {
                return Err(WorkerError::new(ErrorCode::Limit, format!("the image has more than {limit} files")));
            }
            if kind == libc::DT_DIR {
                open.push(path);
            } else if kind == libc::DT_CHR && is_missing(&root.join(&path)) {
                ghost_bytes += path.as_os_str().len() + 32;
                ghosts.push(path);
            }
        }
        if ghost_bytes > GHOST_BYTES {
            return Err(WorkerError::new(ErrorCode::Hostile, "the image deletes too many files that never were"));
        }
    }
    Ok(ghosts)
}

fn is_missing(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
}

/// Names in a directory with their kinds as it tells them, which the standard library only does for files that are there.
fn list(dir: &Path) -> io::Result<Vec<(OsString, u8)>> {
    let path = c_path(dir)?;
    // SAFETY: `path` ends with NUL.
    let stream = unsafe { libc::opendir(path.as_ptr()) };
    if stream.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    loop {
        // SAFETY: readdir tells an error from the end by errno alone; this thread's errno may always be written to.
        let entry = unsafe {
            *libc::__errno_location() = 0;
            libc::readdir(stream)
        };
        if entry.is_null() {
            break;
        }
        // SAFETY: what readdir gave is valid until its next call; the name ends with NUL.
        let (name, kind) = unsafe { (CStr::from_ptr((*entry).d_name.as_ptr()), (*entry).d_type) };
        if !matches!(name.to_bytes(), b"." | b"..") {
            found.push((OsString::from_vec(name.to_bytes().to_vec()), kind));
        }
    }
    let error = io::Error::last_os_error();
    // SAFETY: opened above, and not used afterwards.
    unsafe { libc::closedir(stream) };
    if error.raw_os_error().is_some_and(|errno| errno != 0) {
        return Err(error);
    }
    Ok(found)
}

/// Synced before it gets its name: a disk that is there is whole.
fn keep(above: &File, output: &File, temp: &CStr, name: &CStr) -> Result<u64, WorkerError> {
    sandbox::give(output, false).and_then(|()| output.sync_all()).map_err(failed("write the disk"))?;
    let at = above.as_raw_fd();
    // SAFETY: both names end with NUL.
    check(unsafe { libc::renameat(at, temp.as_ptr(), at, name.as_ptr()) }.into()).map_err(failed("name the disk"))?;
    above.sync_all().map_err(failed("write the disk's directory"))?;
    output.metadata().map(|meta| meta.len()).map_err(failed("look at the disk"))
}

fn unlink(above: &File, name: &CStr) -> io::Result<()> {
    // SAFETY: `name` ends with NUL.
    check(unsafe { libc::unlinkat(above.as_raw_fd(), name.as_ptr(), 0) }.into()).map(drop)
}
