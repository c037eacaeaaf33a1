//! A container's root file system: its layers stacked by overlayfs, in a mount namespace that dies with it.
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Error;
use crate::mount::{self, open_in_root, open_path, path_of};
use crate::sys::{self, c_path};

fn failed<'a>(what: &'a str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + 'a {
    move |e| Error::Create(format!("cannot {what} {}: {}", path.display(), sys::reason(&e)))
}

/// Stacks `layers` (topmost first) with a fresh writable layer in `writable`, mounts them on `target`, and opens the result.
///
/// Layers are named by descriptor, so that 127 of them fit in the one page that mount options may fill.
pub fn mount_overlay(layers: &[String], writable: &Path, target: &Path) -> Result<OwnedFd, Error> {
    let Some(topmost) = layers.first() else { return Err(Error::Create("the image has no layers".to_string())) };
    let [upper, work] = [writable.join("upper"), writable.join("work")];
    for dir in [&upper, &work, &target.to_path_buf()] {
        fs::create_dir_all(dir).map_err(failed("make", dir))?;
    }
    like(&upper, Path::new(topmost))?;
    let open = |path: &Path| open_path(path).map_err(failed("open", path));
    let lower = layers.iter().map(|layer| open(Path::new(layer))).collect::<Result<Vec<_>, _>>()?;
    let (upper, work) = (open(&upper)?, open(&work)?);
    let names: Vec<String> = lower.iter().map(|fd| path_of(fd.as_fd())).collect();
    // volatile: the layer is thrown away with the task, so nothing of it need reach the disk, least of all at unmount.
    let options = format!("lowerdir={},upperdir={},workdir={},volatile", names.join(":"), path_of(upper.as_fd()), path_of(work.as_fd()));
    let place = target.to_string_lossy();
    // No device node of an image or made by a container works; those in /dev are bound in one by one.
    mount::mount("overlay", &place, "overlay", libc::MS_NODEV, &options).map_err(failed("mount the layers on", target))?;
    open(target)
}

/// The root of the merged tree takes the writable layer's attributes: give it those of the image's root.
fn like(dir: &Path, model: &Path) -> Result<(), Error> {
    let meta = fs::metadata(model).map_err(failed("read the layer", model))?;
    std::os::unix::fs::chown(dir, Some(meta.uid()), Some(meta.gid())).map_err(failed("own", dir))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(meta.mode() & 0o7777)).map_err(failed("set the mode of", dir))
}

/// Makes `root` the `/` of this mount namespace and lets go of everything else in it.
pub fn pivot(root: BorrowedFd) -> Result<(), Error> {
    let error = |what: &'static str| move |e: io::Error| Error::Create(format!("cannot {what}: {}", sys::reason(&e)));
    // SAFETY: no pointers but two C strings.
    unsafe {
        sys::check(libc::syscall(libc::SYS_fchdir, std::os::fd::AsRawFd::as_raw_fd(&root))).map_err(error("enter the root"))?;
        // The old root then lies over the new one at ".".
        sys::check(libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr())).map_err(error("change the root"))?;
    }
    mount::unmount(".", libc::MNT_DETACH).map_err(error("leave the old root"))?;
    std::env::set_current_dir("/").map_err(error("enter /"))
}

/// Makes `/` read-only; what is mounted below keeps its own ways.
pub fn make_readonly() -> Result<(), Error> {
    let root = open_path(Path::new("/")).map_err(failed("open", Path::new("/")))?;
    mount::set_attributes(root.as_fd(), mount::RDONLY, 0, false).map_err(failed("make read-only", Path::new("/")))
}

/// Opens the directory `path` inside `root`, and makes what is missing of it. Links lead nowhere outside.
pub fn directory_in(root: BorrowedFd, path: &Path) -> io::Result<OwnedFd> {
    const FLAGS: libc::c_int = libc::O_PATH | libc::O_DIRECTORY;
    match open_in_root(root, path, FLAGS, 0) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let Some(name) = path.file_name() else { return Err(io::Error::from_raw_os_error(libc::EINVAL)) };
    let parent = directory_in(root, path.parent().unwrap_or(Path::new("")))?;
    let name_c = c_path(Path::new(name))?;
    // SAFETY: `name_c` ends with NUL.
    let made = unsafe { libc::mkdirat(std::os::fd::AsRawFd::as_raw_fd(&parent), name_c.as_ptr(), 0o755) };
    match sys::check(libc::c_long::from(made)) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        _ => open_in_root(root, path, FLAGS, 0),
    }
}

/// Opens the file `path` inside `root` for its place only, and makes an empty one where nothing is.
pub fn file_in(root: BorrowedFd, path: &Path) -> io::Result<OwnedFd> {
    match open_in_root(root, path, libc::O_PATH, 0) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let Some(name) = path.file_name() else { return Err(io::Error::from_raw_os_error(libc::EINVAL)) };
    let parent = directory_in(root, path.parent().unwrap_or(Path::new("")))?;
    let name = c_path(Path::new(name))?;
    let parent_fd = std::os::fd::AsRawFd::as_raw_fd(&parent);
    // A link that leads nowhere gives way: this changes the writable layer only.
    // SAFETY: `name` ends with NUL, in both calls.
    unsafe {
        libc::unlinkat(parent_fd, name.as_ptr(), 0);
        let flags = libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_WRONLY | libc::O_CLOEXEC;
        let made = sys::check(libc::c_long::from(libc::openat(parent_fd, name.as_ptr(), flags, 0o644)))?;
        libc::close(made as libc::c_int);
    }
    open_in_root(root, path, libc::O_PATH, 0)
}

/// Where `root.path` of a bundle lies.
pub fn root_path(bundle: &Path, root: &str) -> PathBuf {
    bundle.join(root)
}
