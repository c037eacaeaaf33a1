//! A container's root file system: its layers stacked by overlayfs, in a mount namespace that dies with it.
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Error;
use crate::mount::{self, open_in_root, open_path, path_of};
use crate::sys::{self, c_path};
use crate::unpack;

fn failed<'a>(what: &'a str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + 'a {
    move |e| Error::Create(format!("cannot {what} {}: {}", path.display(), sys::reason(&e)))
}

/// A container's writable layer: `upper-INDEX` and `work-INDEX` in `dir`.
pub struct Writable<'a> {
    pub dir: &'a Path,
    pub index: usize,
    /// It ran before, and what it wrote stays.
    pub again: bool,
}

/// Stacks `layers` (topmost first) with the writable layer, mounts them on `target`, and opens the result.
///
/// Layers are named by descriptor, so that 127 of them fit in the one page that mount options may fill.
pub fn mount_overlay(layers: &[String], writable: &Writable, target: &Path) -> Result<OwnedFd, Error> {
    let Some(topmost) = layers.first() else { return Err(Error::Create("the image has no layers".to_string())) };
    let Writable { dir, index, again } = *writable;
    let [upper, work] = ["upper", "work"].map(|part| dir.join(format!("{part}-{index}")));
    // It holds the mark of a volatile mount, with which the kernel would refuse the next one.
    fresh(&work, dir)?;
    if !again {
        fresh(&upper, dir)?;
        like(&upper, Path::new(topmost))?;
    }
    let open = |path: &Path| open_path(path).map_err(failed("open", path));
    let lower = layers.iter().map(|layer| open(Path::new(layer))).collect::<Result<Vec<_>, _>>()?;
    let (upper, work) = (open(&upper)?, open(&work)?);
    let names: Vec<String> = lower.iter().map(|fd| path_of(fd.as_fd())).collect();
    // volatile: the layer is thrown away with the task, so nothing of it need reach the disk, least of all at unmount.
    let options =
        format!("lowerdir={},upperdir={},workdir={},index=off,volatile", names.join(":"), path_of(upper.as_fd()), path_of(work.as_fd()));
    let place = target.to_string_lossy();
    // No device node of an image or made by a container works; those in /dev are bound in one by one.
    mount::mount("overlay", &place, "overlay", libc::MS_NODEV, &options).map_err(failed("mount the layers on", target))?;
    open(target)
}

/// An empty directory; what a former try at the same task left in its place goes.
fn fresh(dir: &Path, below: &Path) -> Result<(), Error> {
    match fs::create_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            unpack::remove_tree(dir, below).map_err(|e| Error::Create(e.message))?;
            fs::create_dir(dir).map_err(failed("make", dir))
        }
        other => other.map_err(failed("make", dir)),
    }
}

/// The root of the merged tree takes the writable layer's attributes: give it those of the image's root.
fn like(dir: &Path, model: &Path) -> Result<(), Error> {
    let meta = fs::metadata(model).map_err(failed("read the layer", model))?;
    std::os::unix::fs::chown(dir, Some(meta.uid()), Some(meta.gid())).map_err(failed("own", dir))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(meta.mode() & 0o7777)).map_err(failed("set the mode of", dir))
}

/// An empty, read-only root, mounted where every machine has a directory.
pub fn mount_nothing() -> Result<OwnedFd, Error> {
    let place = Path::new("/proc");
    let attributes = mount::RDONLY | mount::NOSUID | mount::NODEV | mount::NOEXEC;
    let made = mount::new_detached(c"tmpfs", &["mode=755", "size=4k", "nr_inodes=2"], attributes);
    let empty = made.map_err(failed("make an empty root for", place))?;
    let target = open_path(place).map_err(failed("open", place))?;
    mount::attach(empty.as_fd(), target.as_fd()).map_err(failed("mount an empty root on", place))?;
    open_path(place).map_err(failed("open", place))
}

/// Makes `root` the `/` of this mount namespace and lets go of everything else in it.
pub fn pivot(root: BorrowedFd) -> Result<(), Error> {
    let error = |what: &'static str| move |e: io::Error| Error::Create(format!("cannot {what}: {}", sys::reason(&e)));
    // SAFETY: no pointers but two C strings.
    unsafe {
        sys::check(libc::syscall(libc::SYS_fchdir, root.as_raw_fd())).map_err(error("enter the root"))?;
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

/// Links that lead nowhere yet are followed so often, as the kernel follows links.
const LINKS: u32 = 40;

/// Opens the directory `path` inside `root`, and makes what is missing of it. Links lead nowhere outside.
pub fn directory_in(root: BorrowedFd, path: &Path) -> io::Result<OwnedFd> {
    place_in(root, path, Place::Directory, LINKS)
}

/// Opens the file `path` inside `root` for its place only, and makes an empty one where nothing is.
pub fn file_in(root: BorrowedFd, path: &Path) -> io::Result<OwnedFd> {
    place_in(root, path, Place::File, LINKS)
}

#[derive(Clone, Copy)]
enum Place {
    File,
    Directory,
}

fn place_in(root: BorrowedFd, path: &Path, kind: Place, links: u32) -> io::Result<OwnedFd> {
    let flags = match kind {
        Place::File => libc::O_PATH,
        Place::Directory => libc::O_PATH | libc::O_DIRECTORY,
    };
    match open_in_root(root, path, flags, 0) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let Some(name) = path.file_name() else { return Err(io::Error::from_raw_os_error(libc::EINVAL)) };
    let above = path.parent().unwrap_or(Path::new(""));
    let parent = place_in(root, above, Place::Directory, links)?;
    match make(parent.as_fd(), name, kind) {
        Ok(()) => open_in_root(root, path, flags, 0),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && links > 0 => {
            // It exists and doesn't: a link to something that is missing. Inside the root its target begins at the root, too.
            let target = read_link(parent.as_fd(), name)?;
            let target = target.strip_prefix("/").map_or_else(|_| above.join(&target), Path::to_path_buf);
            place_in(root, &target, kind, links - 1)
        }
        Err(e) => Err(e),
    }
}

fn make(parent: BorrowedFd, name: &OsStr, kind: Place) -> io::Result<()> {
    let name = c_path(Path::new(name))?;
    match kind {
        Place::Directory => {
            // SAFETY: `name` ends with NUL.
            sys::check(libc::c_long::from(unsafe { libc::mkdirat(parent.as_raw_fd(), name.as_ptr(), 0o755) })).map(drop)
        }
        Place::File => {
            let mode = libc::S_IFREG | 0o644;
            // SAFETY: as above.
            sys::check(libc::c_long::from(unsafe { libc::mknodat(parent.as_raw_fd(), name.as_ptr(), mode, 0) })).map(drop)
        }
    }
}

fn read_link(parent: BorrowedFd, name: &OsStr) -> io::Result<PathBuf> {
    let name = c_path(Path::new(name))?;
    let mut buffer = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: `name` ends with NUL and `buffer` is writable for its length.
    let read = unsafe { libc::readlinkat(parent.as_raw_fd(), name.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
    buffer.truncate(sys::check(read as libc::c_long)? as usize);
    Ok(PathBuf::from(OsString::from_vec(buffer)))
}
