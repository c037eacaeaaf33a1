//! Writes the entries of a layer into its directory, as a lower directory of overlayfs (image-spec, "layer.md").
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use super::path::LayerPath;
use super::remove::remove_at;
use super::stream::{truncated, Stream};
use super::sys::{self, Found};
use super::tar::{Entry, Kind};
use crate::protocol::{ErrorCode, WorkerError};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Other names that begin so are aufs's own, and nothing to unpack.
const AUFS: &[u8] = b".wh..wh.";
/// Directories that an archive leaves out.
const PARENT_MODE: u32 = 0o755;

/// Why an entry can't be written, before its name is put to it.
enum Refusal {
    Hostile(&'static str),
    System(io::Error),
    /// An error of the stream, which has no entry.
    Stream(WorkerError),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Refusal::System(error)
    }
}

type Done<T = ()> = Result<T, Refusal>;

/// The directory that the last entry was written into: archives list a directory's entries one after another.
struct Cached {
    path: Vec<u8>,
    fd: Rc<OwnedFd>,
}

pub struct Extractor {
    root: Rc<OwnedFd>,
    cached: Option<Cached>,
    /// Directories' times, set when nothing is written into them any more.
    times: Vec<(LayerPath, (i64, i64))>,
}

impl Extractor {
    pub fn new(root: OwnedFd) -> Extractor {
        Extractor { root: Rc::new(root), cached: None, times: Vec::new() }
    }

    /// Writes one entry and takes its data from the stream.
    pub fn write(&mut self, entry: &Entry, stream: &mut Stream) -> Result<(), WorkerError> {
        let name = String::from_utf8_lossy(&entry.path[..entry.path.len().min(200)]).into_owned();
        self.place(entry, stream).map_err(|refusal| match refusal {
            Refusal::Stream(error) => error,
            Refusal::Hostile(reason) => WorkerError::new(ErrorCode::Hostile, format!("the layer's entry {name:?} {reason}")),
            Refusal::System(error) => {
                let code = match error.raw_os_error() {
                    Some(libc::ENOSPC | libc::EDQUOT) => ErrorCode::NoSpace,
                    _ => ErrorCode::Failed,
                };
                WorkerError::new(code, format!("the layer's entry {name:?} can't be written: {error}"))
            }
        })
    }

    /// Sets the directories' times.
    pub fn finish(self) -> Result<(), WorkerError> {
        for (path, time) in &self.times {
            // What is no directory any more was replaced by a later entry.
            let Ok(dir) = self.open(path.bytes()) else { continue };
            sys::set_time(dir.as_fd(), *time).map_err(|error| WorkerError::new(ErrorCode::Failed, format!("can't set a time: {error}")))?;
        }
        Ok(())
    }

    fn place(&mut self, entry: &Entry, stream: &mut Stream) -> Done {
        let path = LayerPath::new(&entry.path).ok_or(Refusal::Hostile("leaves the layer's root by `..`"))?;
        if path.is_root() {
            return if entry.kind == Kind::Directory {
                let root = Rc::clone(&self.root);
                self.finish_directory(root.as_fd(), entry, path)
            } else {
                Err(Refusal::Hostile("would replace the layer's root"))
            };
        }
        let (parent_path, name) = path.split();
        if path.bytes().split(|byte| *byte == b'/').any(|part| part.starts_with(AUFS) && part != OPAQUE) {
            return stream.skip(entry.size).map_err(Refusal::Stream);
        }
        let parent = self.parent(parent_path)?;
        let parent = parent.as_fd();
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            stream.skip(entry.size).map_err(Refusal::Stream)?;
            return white_out(parent, name, hidden);
        }
        let name = sys::c_string(name)?;
        match entry.kind {
            Kind::Directory => self.directory(parent, &name, entry, path),
            Kind::File => self.file(parent, &name, entry, stream),
            Kind::HardLink => self.hard_link(parent, &name, entry, &path),
            Kind::Symlink => {
                let target = sys::c_string(&entry.link)?;
                self.create(parent, &name, || sys::create_symlink(&target, parent, &name))?;
                finish_node(parent, &name, entry)
            }
            Kind::Character => self.node(parent, &name, entry, libc::S_IFCHR),
            Kind::Block => self.node(parent, &name, entry, libc::S_IFBLK),
            Kind::Fifo => self.node(parent, &name, entry, libc::S_IFIFO),
        }
    }

    /// Makes something with `make`; what already has the name is removed first (a later entry replaces an earlier one).
    fn create<T>(&mut self, parent: BorrowedFd, name: &CStr, make: impl Fn() -> io::Result<T>) -> Done<T> {
        match make() {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                if sys::find(parent, name)? == Some(Found::Directory) {
                    self.cached = None;
                }
                remove_at(parent, name)?;
                Ok(make()?)
            }
            result => Ok(result?),
        }
    }

    fn file(&mut self, parent: BorrowedFd, name: &CStr, entry: &Entry, stream: &mut Stream) -> Done {
        let fd = self.create(parent, name, || sys::create_file(parent, name, entry.mode & 0o777))?;
        let mut file = File::from(fd);
        let mut left = entry.size;
        while left > 0 {
            let bytes = stream.peek().map_err(Refusal::Stream)?;
            let count = (bytes.len() as u64).min(left) as usize;
            if count == 0 {
                return Err(Refusal::Stream(truncated()));
            }
            file.write_all(&bytes[..count])?;
            stream.advance(count);
            left -= count as u64;
        }
        // In this order: writing and changing the owner both clear set-user-ID bits and capabilities.
        sys::set_owner(file.as_fd(), entry.uid, entry.gid)?;
        if entry.mode & 0o7000 != 0 {
            sys::set_mode(file.as_fd(), entry.mode)?;
        }
        for (key, value) in wanted_xattrs(entry) {
            xattr_done(key, sys::set_xattr(file.as_fd(), &sys::c_string(key)?, value))?;
        }
        Ok(sys::set_time(file.as_fd(), entry.mtime)?)
    }

    fn directory(&mut self, parent: BorrowedFd, name: &CStr, entry: &Entry, path: LayerPath) -> Done {
        let fd = Rc::new(make_directory(parent, name, entry.mode)?);
        self.finish_directory(fd.as_fd(), entry, path.clone())?;
        self.cached = Some(Cached { path: path.bytes().to_vec(), fd });
        Ok(())
    }

    fn finish_directory(&mut self, fd: BorrowedFd, entry: &Entry, path: LayerPath) -> Done {
        sys::set_owner(fd, entry.uid, entry.gid)?;
        sys::set_mode(fd, entry.mode)?;
        for (key, value) in wanted_xattrs(entry) {
            xattr_done(key, sys::set_xattr(fd, &sys::c_string(key)?, value))?;
        }
        self.times.push((path, entry.mtime));
        Ok(())
    }

    fn node(&mut self, parent: BorrowedFd, name: &CStr, entry: &Entry, kind: u32) -> Done {
        self.create(parent, name, || sys::create_node(parent, name, kind | (entry.mode & 0o777), entry.device))?;
        finish_node(parent, name, entry)
    }

    fn hard_link(&mut self, parent: BorrowedFd, name: &CStr, entry: &Entry, path: &LayerPath) -> Done {
        let target = LayerPath::new(&entry.link).ok_or(Refusal::Hostile("is a hard link that leaves the layer's root by `..`"))?;
        if target == *path {
            return Ok(());
        }
        let (target_parent, target_name) = target.split();
        let target_name = sys::c_string(target_name)?;
        let from = self.open(target_parent).map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP | libc::EXDEV) => Refusal::Hostile("is a hard link whose target lies behind a symbolic link"),
            _ => Refusal::System(error),
        })?;
        self.create(parent, name, || sys::create_hard_link(from.as_fd(), &target_name, parent, name))
    }

    /// The open directory of this path; directories that the archive left out are made.
    fn parent(&mut self, path: &[u8]) -> Done<Rc<OwnedFd>> {
        if path.is_empty() {
            return Ok(Rc::clone(&self.root));
        }
        if let Some(cached) = self.cached.as_ref().filter(|cached| cached.path == path) {
            return Ok(Rc::clone(&cached.fd));
        }
        let fd = match self.open(path) {
            Ok(fd) => fd,
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => self.make_parents(path)?,
            Err(error) => return Err(symlink_refusal(error)),
        };
        let fd = Rc::new(fd);
        self.cached = Some(Cached { path: path.to_vec(), fd: Rc::clone(&fd) });
        Ok(fd)
    }

    fn make_parents(&self, path: &[u8]) -> Done<OwnedFd> {
        let mut at = 0;
        loop {
            let end = path[at..].iter().position(|byte| *byte == b'/').map_or(path.len(), |length| at + length);
            let dir = match self.open(&path[..end]) {
                Ok(dir) => dir,
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {
                    let above = self.open(path[..at].strip_suffix(b"/").unwrap_or_default()).map_err(symlink_refusal)?;
                    let name = sys::c_string(&path[at..end])?;
                    if sys::find(above.as_fd(), &name)? == Some(Found::Other) {
                        return Err(Refusal::System(error));
                    }
                    make_directory(above.as_fd(), &name, PARENT_MODE)?
                }
                Err(error) => return Err(symlink_refusal(error)),
            };
            if end == path.len() {
                return Ok(dir);
            }
            at = end + 1;
        }
    }

    /// Opens a directory of the layer. A relative symbolic link that stays inside is followed, as other unpackers do; any other is not.
    fn open(&self, path: &[u8]) -> io::Result<OwnedFd> {
        let path = if path.is_empty() { c".".to_owned() } else { sys::c_string(path)? };
        match sys::open_below(self.root.as_fd(), &path, false) {
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => sys::open_below(self.root.as_fd(), &path, true),
            result => result,
        }
    }
}

fn symlink_refusal(error: io::Error) -> Refusal {
    match error.raw_os_error() {
        Some(libc::ELOOP | libc::EXDEV) => Refusal::Hostile("leads through a symbolic link out of the layer"),
        _ => Refusal::System(error),
    }
}

/// Makes or takes the directory. One that comes where a whiteout stood hides what lower layers have below that name.
fn make_directory(parent: BorrowedFd, name: &CStr, mode: u32) -> io::Result<OwnedFd> {
    match sys::create_directory(parent, name, mode) {
        Ok(()) => return sys::open_directory(parent, name),
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
        Err(error) => return Err(error),
    }
    let found = sys::find(parent, name)?;
    if found == Some(Found::Directory) {
        return sys::open_directory(parent, name);
    }
    sys::unlink(parent, name)?;
    sys::create_directory(parent, name, mode)?;
    let dir = sys::open_directory(parent, name)?;
    if found == Some(Found::Whiteout) {
        set_opaque(dir.as_fd())?;
    }
    Ok(dir)
}

/// A whiteout hides what lower layers have, never what this layer itself brings under the name.
fn white_out(parent: BorrowedFd, name: &[u8], hidden: &[u8]) -> Done {
    if name == OPAQUE {
        return Ok(set_opaque(parent)?);
    }
    if matches!(hidden, b"" | b"." | b"..") {
        return Err(Refusal::Hostile("is a whiteout of no name"));
    }
    let hidden = sys::c_string(hidden)?;
    match sys::find(parent, &hidden)? {
        None => Ok(sys::create_node(parent, &hidden, libc::S_IFCHR, (0, 0))?),
        Some(Found::Directory) => Ok(set_opaque(sys::open_directory(parent, &hidden)?.as_fd())?),
        Some(_) => Ok(()),
    }
}

fn set_opaque(dir: BorrowedFd) -> io::Result<()> {
    sys::set_xattr(dir, c"trusted.overlay.opaque", b"y")
}

/// Owner, extended attributes and time of what is not opened: links, devices, fifos.
fn finish_node(parent: BorrowedFd, name: &CStr, entry: &Entry) -> Done {
    sys::set_owner_at(parent, name, entry.uid, entry.gid)?;
    for (key, value) in wanted_xattrs(entry) {
        xattr_done(key, sys::set_xattr_at(parent, name, &sys::c_string(key)?, value))?;
    }
    Ok(sys::set_time_at(parent, name, entry.mtime)?)
}

/// The attributes that mean something in a container. `trusted.*` would let a layer steer overlayfs, `security.selinux` and the like
/// speak of the machine that the layer was made on.
fn wanted_xattrs(entry: &Entry) -> impl Iterator<Item = (&[u8], &[u8])> {
    let wanted = |key: &[u8]| key.starts_with(b"user.") || key == b"security.capability" || key.starts_with(b"system.posix_acl_");
    entry.xattrs.iter().filter(move |(key, _)| wanted(key)).map(|(key, value)| (key.as_slice(), value.as_slice()))
}

/// A file system or kind of file without `user.*` attributes does without; lost capabilities would break a program.
fn xattr_done(key: &[u8], result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if key != b"security.capability" && matches!(error.raw_os_error(), Some(libc::ENOTSUP | libc::EPERM)) => Ok(()),
        result => result,
    }
}
