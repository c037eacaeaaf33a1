//! Takes a tar archive into a directory of the container. No entry leaves the directory, by `..` or by a link that lies in it; a directory and what is
//! none don't take each other's place.
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use super::failed;
use crate::protocol::Compression;
use crate::sys as process;
use crate::unpack::stream::Stream;
use crate::unpack::sys::{self, Found};
use crate::unpack::tar::{Entry, Kind, Reader};

/// Directories that the archive leaves out.
const PARENT_MODE: u32 = 0o755;

pub fn place(dir: &Path, name: &str, owners: bool) -> Result<(), String> {
    let root: OwnedFd = File::open(dir).map_err(|e| failed("open", dir, &e))?.into();
    // SAFETY: standard input, which nothing else here reads.
    let input = unsafe { File::from_raw_fd(0) };
    std::thread::scope(|scope| {
        let (mut stream, _) = Stream::start(scope, input, Compression::None, u64::MAX);
        let mut placer = Placer { root, first: name.as_bytes(), owners, times: Vec::new() };
        let mut reader = Reader::default();
        while let Some(entry) = reader.next(&mut stream, u64::MAX).map_err(|e| e.message)? {
            let shown = String::from_utf8_lossy(&entry.path).into_owned();
            placer.entry(&entry, &mut stream).map_err(|why| format!("cannot write {shown:?}: {why}"))?;
        }
        // The writer is not to find that nobody reads what it pads its archive with.
        stream.drain().map_err(|e| e.message)?;
        placer.finish();
        Ok(())
    })
}

/// A directory that was made, and the time that it is to have.
type Made = (OwnedFd, (i64, i64));

struct Placer<'a> {
    root: OwnedFd,
    first: &'a [u8],
    owners: bool,
    /// Directories' times, set when nothing is written into them any more.
    times: Vec<Made>,
}

/// Directories whose times are set at the end, at most: each is held open.
const TIMES: usize = 500;

impl Placer<'_> {
    /// The path's parts below the directory, the first exchanged; none for the directory itself.
    fn parts<'p>(&'p self, path: &'p [u8]) -> Result<Vec<&'p [u8]>, String> {
        let mut parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
        if parts.contains(&b"..".as_slice()) {
            return Err("its path leaves the directory by `..`".to_string());
        }
        if let Some(first) = parts.first_mut().filter(|_| !self.first.is_empty()) {
            *first = self.first;
        }
        Ok(parts)
    }

    fn entry(&mut self, entry: &Entry, stream: &mut Stream) -> Result<(), String> {
        let parts = self.parts(&entry.path)?;
        let Some((last, above)) = parts.split_last() else { return Ok(()) };
        let parent = self.parent(above)?;
        let name = sys::c_string(last).map_err(text)?;
        let found = sys::find(parent.as_fd(), &name).map_err(text)?;
        match (entry.kind, found) {
            (Kind::Directory, Some(Found::Directory)) | (_, None) => {}
            (Kind::Directory, Some(_)) => return Err("there is something else of that name, and no directory".to_string()),
            (_, Some(Found::Directory)) => return Err("there is a directory of that name".to_string()),
            (_, Some(_)) => sys::unlink(parent.as_fd(), &name).map_err(text)?,
        }
        match entry.kind {
            Kind::Directory => {
                let time = self.directory(parent.as_fd(), &name, entry, found.is_some())?;
                if self.times.len() < TIMES {
                    self.times.extend(time);
                }
                return Ok(());
            }
            Kind::File => return self.file(parent.as_fd(), &name, entry, stream),
            Kind::HardLink => {
                let target = self.parts(&entry.link)?;
                let (target, above) = target.split_last().ok_or("its link has no target")?;
                let (from, target) = (self.parent(above)?, sys::c_string(target).map_err(text)?);
                return sys::create_hard_link(from.as_fd(), &target, parent.as_fd(), &name).map_err(text);
            }
            Kind::Symlink => sys::create_symlink(&sys::c_string(&entry.link).map_err(text)?, parent.as_fd(), &name).map_err(text)?,
            Kind::Fifo => sys::create_node(parent.as_fd(), &name, libc::S_IFIFO | (entry.mode & 0o777), (0, 0)).map_err(text)?,
            Kind::Character | Kind::Block => {
                let kind = if entry.kind == Kind::Block { libc::S_IFBLK } else { libc::S_IFCHR };
                sys::create_node(parent.as_fd(), &name, kind | (entry.mode & 0o777), entry.device).map_err(text)?;
            }
        }
        let (uid, gid) = self.owner(entry);
        sys::set_owner_at(parent.as_fd(), &name, uid, gid).map_err(text)?;
        sys::set_time_at(parent.as_fd(), &name, entry.mtime).map_err(text)
    }

    fn owner(&self, entry: &Entry) -> (u32, u32) {
        if self.owners {
            (entry.uid, entry.gid)
        } else {
            (0, 0)
        }
    }

    /// One that was there keeps its owner and mode, as a directory that something is put into does.
    fn directory(&self, parent: BorrowedFd, name: &std::ffi::CStr, entry: &Entry, is_there: bool) -> Result<Option<Made>, String> {
        if is_there {
            return Ok(None);
        }
        sys::create_directory(parent, name, 0o700).map_err(text)?;
        let made = sys::open_directory(parent, name).map_err(text)?;
        let (uid, gid) = self.owner(entry);
        sys::set_owner(made.as_fd(), uid, gid).map_err(text)?;
        sys::set_mode(made.as_fd(), entry.mode).map_err(text)?;
        Ok(Some((made, entry.mtime)))
    }

    fn file(&self, parent: BorrowedFd, name: &std::ffi::CStr, entry: &Entry, stream: &mut Stream) -> Result<(), String> {
        let file = sys::create_file(parent, name, 0o600).map_err(text)?;
        let mut left = entry.size;
        while left > 0 {
            let bytes = stream.peek().map_err(|e| e.message)?;
            let count = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if count == 0 {
                return Err("the archive ends in the middle of it".to_string());
            }
            process::write_all(file.as_fd(), &bytes[..count]).map_err(text)?;
            stream.advance(count);
            left -= count as u64;
        }
        let (uid, gid) = self.owner(entry);
        sys::set_owner(file.as_fd(), uid, gid).map_err(text)?;
        sys::set_mode(file.as_fd(), entry.mode).map_err(text)?;
        sys::set_time(file.as_fd(), entry.mtime).map_err(text)
    }

    /// One step at a time, so that no link on the way is followed.
    fn parent(&self, parts: &[&[u8]]) -> Result<OwnedFd, String> {
        let mut at = self.root.try_clone().map_err(text)?;
        for part in parts {
            let name = sys::c_string(part).map_err(text)?;
            at = match sys::open_directory(at.as_fd(), &name) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    sys::create_directory(at.as_fd(), &name, PARENT_MODE).map_err(text)?;
                    sys::open_directory(at.as_fd(), &name).map_err(text)?
                }
                Err(e) if matches!(e.raw_os_error(), Some(libc::ELOOP | libc::ENOTDIR)) => {
                    return Err(format!("{:?} on its way is no directory (a link is not followed)", String::from_utf8_lossy(part)))
                }
                opened => opened.map_err(text)?,
            };
        }
        Ok(at)
    }

    /// A time that can't be set is no loss.
    fn finish(self) {
        for (dir, time) in self.times {
            let _ = sys::set_time(dir.as_fd(), time);
        }
    }
}

#[allow(clippy::needless_pass_by_value)]
fn text(error: io::Error) -> String {
    process::reason(&error)
}
