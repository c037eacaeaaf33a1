//! Operations on the entries of directories.
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use super::attributes::{self, Bitmap, Subject, Wish};
use super::compound::{Compound, Outcome};
use super::files;
use super::handles::assert_directory;
use super::input::read_name;
use super::nodes::{Node, Place};
use super::status::{self, Failure};
use super::xdr::{Decoder, Encoder};

/// Cookies 0 to 2 mean something else (RFC 8881, section 18.23.3).
const FIRST_COOKIE: u64 = 3;
const LINK_BYTES: usize = 4096;
/// Of a READDIR's answer, whatever the client would take.
const LIST_BYTES: usize = 256 * 1024;

impl Compound<'_> {
    pub(super) fn create(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let kind = inside.u32()?;
        let target = match kind {
            5 => inside.opaque(LINK_BYTES)?,
            3 | 4 => {
                inside.fixed(8)?;
                &[]
            }
            _ => &[],
        };
        let name = read_name(inside)?;
        let wish = Wish::read(inside)?;
        let dir = self.directory()?;
        let before = Compound::change_of(&dir)?;
        let entry = files::entry_name(name)?;
        let mode = wish.mode.unwrap_or(if kind == 2 { 0o777 } else { 0o666 });
        let made = {
            let _acting = self.acting(dir.key.volume)?;
            match kind {
                2 => files::make_directory(dir.fd.as_fd(), &entry, mode)?,
                5 => files::make_symlink(dir.fd.as_fd(), &entry, target)?,
                6 => files::make_node(dir.fd.as_fd(), &entry, libc::S_IFSOCK | mode)?,
                7 => files::make_node(dir.fd.as_fd(), &entry, libc::S_IFIFO | mode)?,
                // Devices, which EFS has not either; NFS4ERR_BADTYPE means nothing to programs.
                _ => return Err(status::PERM.into()),
            }
            let (made, _) = self.server.nodes.child(&dir, name)?;
            if kind != 5 {
                wish.apply(made.fd.as_fd())?;
            }
            made
        };
        Compound::change_info(out, before, Compound::change_of(&dir)?);
        wish.named().write(out);
        self.current = Some(Place::Node(made));
        self.current_state = None;
        Ok(())
    }

    pub(super) fn directory(&self) -> Result<Arc<Node>, Failure> {
        let dir = self.node()?;
        assert_directory(&dir)?;
        Ok(dir)
    }

    /// The saved file, of the same volume as the current directory.
    fn saved_beside(&self, dir: &Node) -> Result<Arc<Node>, Failure> {
        match self.saved.clone().ok_or(status::NOFILEHANDLE)? {
            Place::Node(node) if node.key.volume == dir.key.volume => Ok(node),
            _ => Err(status::XDEV.into()),
        }
    }

    pub(super) fn link(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let name = read_name(inside)?;
        let dir = self.directory()?;
        let file = self.saved_beside(&dir)?;
        if files::stat(file.fd.as_fd())?.is_directory() {
            return Err(status::ISDIR.into());
        }
        let before = Compound::change_of(&dir)?;
        {
            let _acting = self.acting(dir.key.volume)?;
            files::link(file.fd.as_fd(), dir.fd.as_fd(), &files::entry_name(name)?)?;
        }
        files::sync_directory(dir.fd.as_fd())?;
        Compound::change_info(out, before, Compound::change_of(&dir)?);
        Ok(())
    }

    pub(super) fn remove(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let name = read_name(inside)?;
        let dir = self.directory()?;
        let before = Compound::change_of(&dir)?;
        let entry = files::entry_name(name)?;
        let stat = {
            let _acting = self.acting(dir.key.volume)?;
            let stat = files::stat_entry(dir.fd.as_fd(), &entry)?;
            files::remove(dir.fd.as_fd(), &entry, stat.is_directory())?;
            stat
        };
        if stat.0.stx_nlink <= 1 || stat.is_directory() {
            self.server.forget(&super::nodes::key_of(dir.key.volume, &stat));
        }
        Compound::change_info(out, before, Compound::change_of(&dir)?);
        Ok(())
    }

    /// A client can't ask for the directory to be on disk (its fsync of one does nothing): so it is, when the answer says that it is done.
    pub(super) fn rename(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let (from, to) = (read_name(inside)?, read_name(inside)?);
        let target = self.directory()?;
        let source = self.saved_beside(&target)?;
        assert_directory(&source)?;
        let before = (Compound::change_of(&source)?, Compound::change_of(&target)?);
        let moved = {
            let _acting = self.acting(target.key.volume)?;
            let (old, new) = (files::entry_name(from)?, files::entry_name(to)?);
            let stat = files::stat_entry(source.fd.as_fd(), &old)?;
            files::rename((source.fd.as_fd(), &old), (target.fd.as_fd(), &new))?;
            super::nodes::key_of(target.key.volume, &stat)
        };
        self.server.nodes.moved(&moved, &target, to);
        files::sync_directory(target.fd.as_fd())?;
        if source.key != target.key {
            files::sync_directory(source.fd.as_fd())?;
        }
        Compound::change_info(out, before.0, Compound::change_of(&source)?);
        Compound::change_info(out, before.1, Compound::change_of(&target)?);
        Ok(())
    }

    pub(super) fn read_link(&mut self, out: &mut Encoder) -> Outcome {
        let node = self.node()?;
        if files::stat(node.fd.as_fd())?.kind() != libc::S_IFLNK {
            return Err(status::INVAL.into());
        }
        out.opaque(&files::read_link(node.fd.as_fd())?);
        Ok(())
    }

    pub(super) fn read_directory(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let cookie = inside.u64()?;
        inside.fixed(8)?;
        inside.u32()?;
        let most = inside.u32()? as usize;
        let wanted = Bitmap::read(inside)?;
        let Place::Node(dir) = self.place()? else {
            // The volumes are not listed.
            out.fixed(&[0; 8]);
            out.bool(false);
            out.bool(true);
            return Ok(());
        };
        assert_directory(&dir)?;
        let opened = {
            let _acting = self.acting(dir.key.volume)?;
            files::reopen(dir.fd.as_fd(), libc::O_RDONLY | libc::O_DIRECTORY)?
        };
        let position = if cookie == 0 { 0 } else { cookie.checked_sub(FIRST_COOKIE).ok_or(status::INVAL)? };
        out.fixed(&[0; 8]);
        // What ends the list takes 8 bytes.
        let end = out.bytes.len() + most.min(LIST_BYTES).saturating_sub(16);
        let first = out.bytes.len();
        let is_whole = self.list(&dir, &opened, position, &wanted, out, end)?;
        if !is_whole && out.bytes.len() == first {
            return Err(status::TOOSMALL.into());
        }
        out.bool(false);
        out.bool(is_whole);
        Ok(())
    }

    fn list(&self, dir: &Node, opened: &OwnedFd, position: u64, wanted: &Bitmap, out: &mut Encoder, end: usize) -> Result<bool, Failure> {
        let is_whole = files::list(opened.as_fd(), position, |entry| {
            // One that went meanwhile is none.
            let Ok(name) = files::entry_name(&entry.name) else { return true };
            let Ok(stat) = files::stat_entry(opened.as_fd(), &name) else { return true };
            let handle = self.server.nodes.handle_of(dir, &entry.name, &stat);
            let before = out.bytes.len();
            out.bool(true);
            out.u64(entry.next.saturating_add(FIRST_COOKIE));
            out.opaque(&entry.name);
            let subject = Subject { stat: &stat, handle: &handle, file_system: u64::from(dir.key.volume) + 1, fd: Some(opened.as_fd()) };
            let written = attributes::write(out, wanted, &subject);
            if written.is_err() || out.bytes.len() > end {
                out.bytes.truncate(before);
                return false;
            }
            true
        })?;
        Ok(is_whole)
    }
}
