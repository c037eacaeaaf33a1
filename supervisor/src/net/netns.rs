//! Network namespaces: kept by a bind mount, entered for a moment.
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `NSFS_MAGIC` (linux/magic.h): the file system type of a namespace's file.
const NSFS_MAGIC: i64 = 0x6e73_6673;
const OWN: &str = "/proc/thread-self/ns/net";

/// An open network namespace.
pub struct Netns {
    file: File,
}

impl Netns {
    /// The namespace bound on `path`; None when nothing is.
    pub fn open(path: &Path) -> io::Result<Option<Netns>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(is_namespace(&file)?.then_some(Netns { file }))
    }

    /// The calling thread's own.
    pub fn own() -> io::Result<Netns> {
        Ok(Netns { file: File::open(OWN)? })
    }

    /// That of a process.
    pub fn of_process(pid: i32) -> io::Result<Netns> {
        Ok(Netns { file: File::open(format!("/proc/{pid}/ns/net"))? })
    }

    /// Makes a namespace and binds it on `path`, whose directory is made and made private, so that the mount is seen here only.
    pub fn create(path: &Path) -> io::Result<Netns> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
            make_private(dir)?;
        }
        File::create(path)?;
        let home = Netns::own()?;
        // SAFETY: unshare(2) takes no pointers; the thread goes back home below.
        check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
        let bound = mount(Path::new(OWN), path, libc::MS_BIND);
        home.enter_or_abort();
        bound?;
        Netns::open(path)?.ok_or_else(|| io::Error::other("the bound file is no namespace"))
    }

    /// Unbinds the namespace at `path` and removes the file; missing is fine. The directory's own mount goes with the last one in it.
    pub fn remove(path: &Path) -> io::Result<()> {
        while Netns::open(path)?.is_some() {
            unmount(path)?;
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let Some(dir) = path.parent() else { return Ok(()) };
        if holds_namespace(dir)? || !is_mount_root(dir)? {
            return Ok(());
        }
        unmount(dir)
    }

    pub fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Runs `work` with the calling thread in this namespace, and brings the thread back.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> io::Result<T> {
        let home = Netns::own()?;
        self.enter()?;
        let result = work();
        home.enter_or_abort();
        Ok(result)
    }

    fn enter(&self) -> io::Result<()> {
        // SAFETY: setns(2) takes no pointers.
        check(unsafe { libc::setns(self.fd(), libc::CLONE_NEWNET) })
    }

    /// A thread that stays in the wrong namespace would work on somebody else's network: better no process than that.
    fn enter_or_abort(&self) {
        if self.enter().is_err() {
            std::process::abort();
        }
    }
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn is_namespace(file: &File) -> io::Result<bool> {
    // SAFETY: statfs is plain data, for which all zeroes is a value; fstatfs fills it.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open and the pointer is to a live statfs.
    check(unsafe { libc::fstatfs(file.as_raw_fd(), &mut stat) })?;
    #[allow(clippy::unnecessary_cast)] // f_type's width differs between C libraries
    let kind = stat.f_type as i64;
    Ok(kind == NSFS_MAGIC)
}

fn holds_namespace(dir: &Path) -> io::Result<bool> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    for entry in entries {
        if Netns::open(&entry?.path())?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn make_private(dir: &Path) -> io::Result<()> {
    if is_mount_root(dir)? {
        return Ok(());
    }
    mount(dir, dir, libc::MS_BIND)?;
    mount(Path::new("none"), dir, libc::MS_PRIVATE)
}

fn is_mount_root(path: &Path) -> io::Result<bool> {
    let path = c_path(path)?;
    // SAFETY: statx is plain data, for which all zeroes is a value.
    let mut stat: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends with NUL and the pointer is to a live statx.
    let result = unsafe { libc::statx(libc::AT_FDCWD, path.as_ptr(), 0, 0, &mut stat) };
    match check(result) {
        Ok(()) => Ok(stat.stx_attributes & libc::STATX_ATTR_MOUNT_ROOT as u64 != 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn mount(source: &Path, target: &Path, flags: libc::c_ulong) -> io::Result<()> {
    let (source, target) = (c_path(source)?, c_path(target)?);
    // SAFETY: both paths end with NUL; type and data may be null for bind mounts and changes of propagation.
    check(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), std::ptr::null(), flags, std::ptr::null()) })
}

fn unmount(path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW) })
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}
