//! What is asked of names and attributes. All of it is done by this process as itself: whose rights it has is how it was started.
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

use super::nodes::errno;
use super::opened;
use super::server::Server;
use super::wire::{Errno, Input, Output};
use crate::nfs::files::{self, Stat};
use crate::sys::check;

type Outcome = Result<Vec<u8>, Errno>;

/// Bits of `fuse_setattr_in.valid`.
mod valid {
    pub const MODE: u32 = 1;
    pub const UID: u32 = 1 << 1;
    pub const GID: u32 = 1 << 2;
    pub const SIZE: u32 = 1 << 3;
    pub const ATIME: u32 = 1 << 4;
    pub const MTIME: u32 = 1 << 5;
    pub const HANDLE: u32 = 1 << 6;
    pub const ATIME_NOW: u32 = 1 << 7;
    pub const MTIME_NOW: u32 = 1 << 8;
}

fn entry_name(name: &[u8]) -> Result<CString, Errno> {
    files::entry_name(name).map_err(errno)
}

impl Server {
    fn child(&self, dir: &OwnedFd, name: &CString) -> Outcome {
        self.tell(files::open_entry(dir.as_fd(), name, libc::O_PATH, 0).map_err(errno)?).map(|out| out.0)
    }

    /// `fuse_entry_out` of what was opened by O_PATH.
    fn tell(&self, fd: OwnedFd) -> Result<Output, Errno> {
        let stat = files::stat(fd.as_fd()).map_err(errno)?;
        let (node, keep) = self.nodes.adopt(fd, &stat);
        Ok(Output::default().entry(node, keep, &stat, self.mode_of(&stat)))
    }

    /// With `spread` the rights of this process's user are shown as everybody's, for a kernel that decides by what it is shown.
    fn mode_of(&self, stat: &Stat) -> u32 {
        let mode = u32::from(stat.0.stx_mode);
        if !self.spread {
            return mode;
        }
        let user = &self.user;
        let mine = if user.uid == 0 {
            6 | u32::from(stat.is_directory() || mode & 0o111 != 0)
        } else if stat.0.stx_uid == user.uid {
            mode >> 6 & 7
        } else if stat.0.stx_gid == user.gid || user.groups.contains(&stat.0.stx_gid) {
            mode >> 3 & 7
        } else {
            mode & 7
        };
        (mode & !0o777) | (mine * 0o111)
    }

    pub(super) fn lookup(&self, node: u64, mut input: Input) -> Outcome {
        self.child(&*self.nodes.get(node)?, &entry_name(input.name()?)?)
    }

    pub(super) fn get_attributes(&self, node: u64, mut input: Input) -> Outcome {
        let by_handle = input.u32()? & 1 != 0;
        input.skip(4)?;
        let stat = match by_handle {
            true => files::stat(self.opened.get(input.u64()?)?.as_fd()).map_err(errno)?,
            false => self.nodes.stat(node)?,
        };
        Ok(Output::default().attributes_answer(&stat, self.mode_of(&stat)).0)
    }

    pub(super) fn set_attributes(&self, node: u64, mut input: Input) -> Outcome {
        let wanted = input.u32()?;
        input.skip(4)?;
        let (handle, size) = (input.u64()?, input.u64()?);
        input.skip(8)?;
        let (access, modify) = (input.u64()?, input.u64()?);
        input.skip(8)?;
        let (access_ns, modify_ns) = (input.u32()?, input.u32()?);
        input.skip(4)?;
        let mode = input.u32()?;
        input.skip(4)?;
        let (uid, gid) = (input.u32()?, input.u32()?);
        let at = self.nodes.get(node)?;
        let has = |bit: u32| wanted & bit != 0;
        if has(valid::SIZE) {
            let by_place = || opened::open_file(&at, libc::O_WRONLY as u32).map(Arc::new);
            let file = if has(valid::HANDLE) { self.opened.get(handle)? } else { by_place()? };
            files::set_size(file.as_fd(), size).map_err(errno)?;
        }
        // gVisor's file server gives each file that it made to the user in its sandbox who asked for it. Here that is never who owns it.
        if (has(valid::UID) || has(valid::GID)) && !self.ignores_owners {
            files::set_owner(at.as_fd(), has(valid::UID).then_some(uid), has(valid::GID).then_some(gid)).map_err(errno)?;
        }
        if has(valid::MODE) {
            files::set_mode(at.as_fd(), mode & 0o7777).map_err(errno)?;
        }
        if has(valid::ATIME | valid::MTIME | valid::ATIME_NOW | valid::MTIME_NOW) {
            let time = |set: u32, now: u32, seconds: u64, nanoseconds: u32| libc::timespec {
                tv_sec: seconds as i64,
                tv_nsec: match (has(now), has(set)) {
                    (true, _) => libc::UTIME_NOW,
                    (_, true) => i64::from(nanoseconds),
                    _ => libc::UTIME_OMIT,
                },
            };
            let times = [time(valid::ATIME, valid::ATIME_NOW, access, access_ns), time(valid::MTIME, valid::MTIME_NOW, modify, modify_ns)];
            files::set_times(at.as_fd(), &times).map_err(errno)?;
        }
        let stat = files::stat(at.as_fd()).map_err(errno)?;
        Ok(Output::default().attributes_answer(&stat, self.mode_of(&stat)).0)
    }

    pub(super) fn make_node(&self, node: u64, mut input: Input) -> Outcome {
        let mode = input.u32()?;
        input.skip(12)?;
        let (dir, name) = (self.nodes.get(node)?, entry_name(input.name()?)?);
        match mode & libc::S_IFMT {
            libc::S_IFREG | 0 => {
                let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
                files::open_entry(dir.as_fd(), &name, flags, mode & 0o7777).map_err(errno)?;
            }
            libc::S_IFIFO | libc::S_IFSOCK => files::make_node(dir.as_fd(), &name, mode).map_err(errno)?,
            _ => return Err(libc::EPERM),
        }
        self.child(&dir, &name)
    }

    pub(super) fn make_directory(&self, node: u64, mut input: Input) -> Outcome {
        let mode = input.u32()?;
        input.skip(4)?;
        let (dir, name) = (self.nodes.get(node)?, entry_name(input.name()?)?);
        files::make_directory(dir.as_fd(), &name, mode & 0o7777).map_err(errno)?;
        self.child(&dir, &name)
    }

    pub(super) fn make_link(&self, node: u64, mut input: Input) -> Outcome {
        let (name, target) = (entry_name(input.name()?)?, input.name()?);
        let dir = self.nodes.get(node)?;
        files::make_symlink(dir.as_fd(), &name, target).map_err(errno)?;
        self.child(&dir, &name)
    }

    pub(super) fn hard_link(&self, node: u64, mut input: Input) -> Outcome {
        let file = self.nodes.get(input.u64()?)?;
        let (dir, name) = (self.nodes.get(node)?, entry_name(input.name()?)?);
        files::link(file.as_fd(), dir.as_fd(), &name).map_err(errno)?;
        self.child(&dir, &name)
    }

    pub(super) fn read_link(&self, node: u64) -> Outcome {
        files::read_link(self.nodes.get(node)?.as_fd()).map_err(errno)
    }

    pub(super) fn remove(&self, node: u64, mut input: Input, is_directory: bool) -> Outcome {
        files::remove(self.nodes.get(node)?.as_fd(), &entry_name(input.name()?)?, is_directory).map_err(errno)?;
        Ok(Vec::new())
    }

    pub(super) fn rename(&self, node: u64, mut input: Input, with_flags: bool) -> Outcome {
        let into = input.u64()?;
        let flags = if with_flags { input.u32()? } else { 0 };
        input.skip(if with_flags { 4 } else { 0 })?;
        let (from, to) = (entry_name(input.name()?)?, entry_name(input.name()?)?);
        let (source, target) = (self.nodes.get(node)?, self.nodes.get(into)?);
        // SAFETY: both names end with NUL.
        let done = unsafe { libc::syscall(libc::SYS_renameat2, source.as_raw_fd(), from.as_ptr(), target.as_raw_fd(), to.as_ptr(), flags) };
        check(done).map_err(errno)?;
        Ok(Vec::new())
    }

    pub(super) fn access(&self, node: u64, mut input: Input) -> Outcome {
        let wanted = input.u32()? as i32;
        if files::access(self.nodes.get(node)?.as_fd(), wanted) {
            return Ok(Vec::new());
        }
        Err(libc::EACCES)
    }

    pub(super) fn space(&self, node: u64) -> Outcome {
        let space = files::space(self.nodes.get(node)?.as_fd()).map_err(errno)?;
        const UNIT: u64 = 4096;
        let blocks = |bytes: u64| bytes / UNIT;
        let out = Output::default().u64(blocks(space.total)).u64(blocks(space.free)).u64(blocks(space.available));
        let out = out.u64(space.files).u64(space.files_free).u32(UNIT as u32).u32(files::NAME_BYTES as u32).u32(UNIT as u32);
        Ok(out.zeroes(28).0)
    }

    pub(super) fn create(&self, node: u64, mut input: Input) -> Outcome {
        let (flags, mode) = (input.u32()?, input.u32()?);
        input.skip(8)?;
        let (dir, name) = (self.nodes.get(node)?, entry_name(input.name()?)?);
        let anew = opened::open_flags(flags) | libc::O_CREAT | libc::O_EXCL;
        let file = match files::open_entry(dir.as_fd(), &name, anew, mode & 0o7777) {
            Ok(file) => file,
            Err(e) if e.raw_os_error() == Some(libc::EEXIST) && flags as i32 & libc::O_EXCL == 0 => {
                let found = files::open_entry(dir.as_fd(), &name, libc::O_PATH, 0).map_err(errno)?;
                opened::open_file(&found, flags)?
            }
            Err(e) => return Err(errno(e)),
        };
        let entry = self.tell(files::reopen(file.as_fd(), libc::O_PATH).map_err(errno)?)?;
        Ok(entry.opened(self.opened.hold(file), opened::answer_flags(flags)).0)
    }
}
