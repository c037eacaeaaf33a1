//! Operations on the current file: which it is, what it is like.
use std::os::fd::AsFd;

use super::attributes::{self, Bitmap, Subject, Wish};
use super::compound::{Compound, Outcome};
use super::files::{self, Stat};
use super::input::{read_name, read_state};
use super::nodes::{self, Node, Place};
use super::state::StateId;
use super::status::{self, Failure};
use super::xdr::{Decoder, Encoder};

const AUTH_SYS: u32 = 1;
/// ACCESS4_*.
const READ: u32 = 0x01;
const LOOKUP: u32 = 0x02;
const MODIFY: u32 = 0x04;
const EXTEND: u32 = 0x08;
const DELETE: u32 = 0x10;
const EXECUTE: u32 = 0x20;

impl Compound<'_> {
    pub(super) fn put_handle(&mut self, inside: &mut Decoder) -> Outcome {
        let handle = inside.opaque(nodes::HANDLE_BYTES)?;
        self.current = Some(self.server.nodes.find(handle)?);
        self.current_state = None;
        Ok(())
    }

    pub(super) fn put_root(&mut self) -> Outcome {
        self.current = Some(Place::Pseudo);
        self.current_state = None;
        Ok(())
    }

    pub(super) fn save(&mut self) -> Outcome {
        self.saved = Some(self.place()?);
        self.saved_state = self.current_state;
        Ok(())
    }

    pub(super) fn restore(&mut self) -> Outcome {
        self.current = Some(self.saved.clone().ok_or(status::RESTOREFH)?);
        self.current_state = self.saved_state;
        Ok(())
    }

    pub(super) fn get_handle(&mut self, out: &mut Encoder) -> Outcome {
        match self.place()? {
            Place::Pseudo => out.opaque(&nodes::pseudo_handle()),
            Place::Node(node) => out.opaque(&node.handle),
        }
        Ok(())
    }

    pub(super) fn lookup(&mut self, inside: &mut Decoder) -> Outcome {
        let name = read_name(inside)?;
        self.current_state = None;
        let found = match self.place()? {
            Place::Pseudo => self.volume(name)?,
            Place::Node(dir) => {
                assert_directory(&dir)?;
                let _acting = self.acting(dir.key.volume)?;
                Place::Node(self.server.nodes.child(&dir, name)?.0)
            }
        };
        self.current = Some(found);
        Ok(())
    }

    /// A volume goes by its number.
    fn volume(&self, name: &[u8]) -> Result<Place, Failure> {
        let number = std::str::from_utf8(name).ok().and_then(|name| name.parse::<usize>().ok());
        let root = number.and_then(|number| self.server.nodes.volumes().get(number));
        root.cloned().map(Place::Node).ok_or(status::NOENT.into())
    }

    pub(super) fn lookup_parent(&mut self) -> Outcome {
        let Place::Node(node) = self.place()? else { return Err(status::NOENT.into()) };
        assert_directory(&node)?;
        self.current = Some(self.server.nodes.parent(&node)?);
        self.current_state = None;
        Ok(())
    }

    pub(super) fn security_of_name(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        self.lookup(inside)?;
        self.say_security(out)
    }

    pub(super) fn security(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        inside.u32()?;
        self.place()?;
        self.say_security(out)
    }

    fn say_security(&mut self, out: &mut Encoder) -> Outcome {
        self.current = None;
        out.words(&[AUTH_SYS]);
        Ok(())
    }

    pub(super) fn get_attributes(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let wanted = Bitmap::read(inside)?;
        match self.place()? {
            Place::Pseudo => write_pseudo(out, &wanted),
            Place::Node(node) => {
                let stat = files::stat(node.fd.as_fd())?;
                write_node(out, &wanted, &node, &stat)
            }
        }
    }

    pub(super) fn access(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let asked = inside.u32()?;
        let (supported, allowed) = match self.place()? {
            Place::Pseudo => (READ | LOOKUP, READ | LOOKUP),
            Place::Node(node) => {
                let is_directory = files::stat(node.fd.as_fd())?.is_directory();
                let _acting = self.acting(node.key.volume)?;
                access_of(&node, is_directory)
            }
        };
        out.u32(asked & supported);
        out.u32(asked & allowed);
        Ok(())
    }

    pub(super) fn set_attributes(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let id = read_state(inside)?;
        let wish = Wish::read(inside)?;
        let node = self.node()?;
        if let Some(size) = wish.size {
            self.set_size(&node, &id, size)?;
        }
        let _acting = self.acting(node.key.volume)?;
        wish.apply(node.fd.as_fd())?;
        wish.named().write(out);
        Ok(())
    }

    fn set_size(&mut self, node: &Node, id: &StateId, size: u64) -> Outcome {
        if files::stat(node.fd.as_fd())?.is_directory() {
            return Err(status::ISDIR.into());
        }
        let file = self.file_for(node, id, true)?;
        Ok(files::set_size(file.as_fd(), size)?)
    }
}

pub fn assert_directory(node: &Node) -> Outcome {
    let stat = files::stat(node.fd.as_fd())?;
    match stat.kind() {
        libc::S_IFDIR => Ok(()),
        libc::S_IFLNK => Err(status::SYMLINK.into()),
        _ => Err(status::NOTDIR.into()),
    }
}

/// Which of the rights can be told of, and which the thread has.
fn access_of(node: &Node, is_directory: bool) -> (u32, u32) {
    let supported = if is_directory { READ | LOOKUP | MODIFY | EXTEND | DELETE } else { READ | MODIFY | EXTEND | EXECUTE };
    let has = |wanted| files::access(node.fd.as_fd(), wanted);
    let mut allowed = 0;
    if has(libc::R_OK) {
        allowed |= READ;
    }
    if has(libc::W_OK) {
        allowed |= MODIFY | EXTEND | DELETE;
    }
    if has(libc::X_OK) {
        allowed |= LOOKUP | EXECUTE;
    }
    (supported, allowed & supported)
}

pub fn write_node(out: &mut Encoder, wanted: &Bitmap, node: &Node, stat: &Stat) -> Outcome {
    let subject = Subject { stat, handle: &node.handle, file_system: u64::from(node.key.volume) + 1, fd: Some(node.fd.as_fd()) };
    Ok(attributes::write(out, wanted, &subject)?)
}

/// The directory of all volumes: nobody's, and nothing in it can be changed.
fn write_pseudo(out: &mut Encoder, wanted: &Bitmap) -> Outcome {
    // SAFETY: statx is plain data, for which all zeroes is a value.
    let mut stat = Stat(unsafe { std::mem::zeroed() });
    (stat.0.stx_mode, stat.0.stx_nlink, stat.0.stx_ino) = ((libc::S_IFDIR | 0o555) as u16, 2, 1);
    let subject = Subject { stat: &stat, handle: &nodes::pseudo_handle(), file_system: 0, fd: None };
    Ok(attributes::write(out, wanted, &subject)?)
}
