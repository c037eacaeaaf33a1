//! Where a program works on strangers' files: a root that holds the system's programs, the merged layers, and one file to write to.
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::Path;

use super::failed;
use crate::container::{privileges, rootfs};
use crate::mount::{self, open_path, path_of};
use crate::protocol::WorkerError;
use crate::sys;

/// The merged layers, in the new root.
pub const LAYERS: &str = "/in";
/// The file to write to, in the new root.
pub const OUTPUT: &str = "/out";
/// Programs and their libraries.
const SYSTEM: [&str; 4] = ["usr", "bin", "lib", "lib64"];
const NOBODY: u32 = 65_534;

/// Changes the calling process's root for good. `place` is a directory to build it over; nobody else sees that.
pub fn enter(layers: &[String], output: &Path, place: &Path) -> Result<(), WorkerError> {
    let namespaces = libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    sys::unshare(namespaces).map_err(failed("make namespaces"))?;
    mount::mount("", "/", "", libc::MS_REC | libc::MS_PRIVATE, "").map_err(failed("detach the mount namespace"))?;
    // In this namespace, which overlayfs and bind mounts insist on, and before something lies over `place`.
    let lower =
        layers.iter().map(|layer| open_path(Path::new(layer)).map_err(failed(format!("open {layer}")))).collect::<Result<Vec<_>, _>>()?;
    let output = open_path(output).map_err(failed("open the file to write to"))?;
    build(&lower, &output, place).map_err(failed("build a root for mkfs.erofs"))?;
    let root = open_path(place).map_err(failed("open the new root"))?;
    rootfs::pivot(root.as_fd()).map_err(|e| WorkerError::new(crate::protocol::ErrorCode::Failed, e.to_string()))
}

fn build(lower: &[OwnedFd], output: &OwnedFd, place: &Path) -> io::Result<()> {
    let files = mount::new_detached(c"tmpfs", &["mode=755", "size=64k", "nr_inodes=64"], mount::NOSUID | mount::NODEV)?;
    mount::attach(files.as_fd(), open_path(place)?.as_fd())?;
    for dir in ["in", "empty"] {
        fs::create_dir(place.join(dir))?;
    }
    // One layer alone is no overlay, and its whiteouts would show.
    let empty = open_path(&place.join("empty"))?;
    let names: Vec<String> = lower.iter().chain([&empty]).map(|fd| path_of(fd.as_fd())).collect();
    let flags = libc::MS_RDONLY | libc::MS_NODEV | libc::MS_NOSUID | libc::MS_NOEXEC;
    mount::mount("overlay", &place.join("in").to_string_lossy(), "overlay", flags, &format!("lowerdir={}", names.join(":")))?;
    fs::write(place.join("out"), "")?;
    mount::attach(mount::clone_tree(output.as_fd(), false)?.as_fd(), open_path(&place.join("out"))?.as_fd())?;
    for name in SYSTEM {
        let (from, to) = (Path::new("/").join(name), place.join(name));
        let Ok(found) = fs::symlink_metadata(&from) else { continue };
        if found.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
            continue;
        }
        fs::create_dir(&to)?;
        let tree = mount::clone_tree(open_path(&from)?.as_fd(), false)?;
        mount::set_attributes(tree.as_fd(), mount::RDONLY | mount::NOSUID | mount::NODEV, 0, false)?;
        mount::attach(tree.as_fd(), open_path(&to)?.as_fd())?;
    }
    mount::set_attributes(open_path(place)?.as_fd(), mount::RDONLY, 0, false)
}

/// In the program's own process, before exec: nobody's rights, but to read everything; and bounds.
pub fn confine(bytes: u64, memory: u64) -> io::Result<()> {
    let other = |e: crate::container::Error| io::Error::other(e.to_string());
    for (kind, value) in [("FSIZE", bytes), ("AS", memory), ("CORE", 0), ("NOFILE", 256)] {
        privileges::limit(kind, value).map_err(other)?;
    }
    privileges::drop_to_reader(NOBODY, NOBODY).map_err(other)?;
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0).map(drop)
}

/// Makes the file the reader's, so that it can open it for writing; or root's again.
pub fn give(file: &File, to_reader: bool) -> io::Result<()> {
    let (owner, mode) = if to_reader { (NOBODY, 0o600) } else { (0, 0o444) };
    std::os::unix::fs::fchown(file, Some(owner), Some(owner))?;
    // SAFETY: no pointers.
    sys::check(unsafe { libc::fchmod(file.as_raw_fd(), mode) }.into()).map(drop)
}
