//! OPEN and what belongs to it.
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use super::attributes::{self, Bitmap, Wish};
use super::compound::{Compound, Outcome};
use super::files;
use super::input::{read_name, read_state, write_state, OWNER_BYTES};
use super::nodes::{Node, Place};
use super::state::{Access, Held, Open, StateId};
use super::status::{self, Failure};
use super::xdr::{Decoder, Encoder};

/// OPEN4_RESULT_LOCKTYPE_POSIX
const POSIX_LOCKS: u32 = 4;
/// NFS4ERR_WRONG_TYPE
const WRONG_TYPE: u32 = 10083;

enum How {
    Existing,
    Unchecked(Wish),
    Guarded(Wish),
    Exclusive([u8; 8], Wish),
}

enum Claim<'a> {
    Name(&'a [u8]),
    /// What was open before the server began anew.
    Previous,
    Current,
}

struct Opened {
    node: Arc<Node>,
    file: OwnedFd,
    set: Bitmap,
    /// The directory's change, before and after.
    change: (u64, u64),
}

impl Access {
    fn read(inside: &mut Decoder) -> Result<Access, Failure> {
        // Above these two bits the client says which delegations it would like.
        let bits = inside.u32()? & 3;
        if bits == 0 {
            return Err(status::INVAL.into());
        }
        Ok(Access { read: bits & 1 != 0, write: bits & 2 != 0 })
    }

    fn flags(self) -> libc::c_int {
        match self {
            Access { read: true, write: true } => libc::O_RDWR,
            Access { write: true, .. } => libc::O_WRONLY,
            _ => libc::O_RDONLY,
        }
    }
}

fn read_how(inside: &mut Decoder) -> Result<How, Failure> {
    if inside.u32()? == 0 {
        return Ok(How::Existing);
    }
    match inside.u32()? {
        0 => Ok(How::Unchecked(Wish::read(inside)?)),
        1 => Ok(How::Guarded(Wish::read(inside)?)),
        2 => Ok(How::Exclusive(inside.array()?, Wish::default())),
        3 => Ok(How::Exclusive(inside.array()?, Wish::read(inside)?)),
        _ => Err(status::BADXDR.into()),
    }
}

fn read_claim<'a>(inside: &mut Decoder<'a>) -> Result<Claim<'a>, Failure> {
    match inside.u32()? {
        0 => Ok(Claim::Name(read_name(inside)?)),
        1 => {
            inside.u32()?;
            Ok(Claim::Previous)
        }
        4 => Ok(Claim::Current),
        // Delegations are never given.
        _ => Err(status::NOTSUPP.into()),
    }
}

impl Compound<'_> {
    pub(super) fn open(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        inside.u32()?;
        let access = Access::read(inside)?;
        if inside.u32()? != 0 {
            return Err(status::NOTSUPP.into());
        }
        inside.u64()?;
        let owner = inside.opaque(OWNER_BYTES)?.to_vec();
        let how = read_how(inside)?;
        let opened = match read_claim(inside)? {
            Claim::Name(name) => self.open_name(name, access, how)?,
            Claim::Previous => {
                if self.server.state().clients.get(&self.client).is_none_or(|client| client.reclaimed) {
                    return Err(status::NO_GRACE.into());
                }
                self.open_current(access)?
            }
            Claim::Current => self.open_current(access)?,
        };
        let id = self.hold(owner, access, &opened)?;
        write_state(out, &id);
        Compound::change_info(out, opened.change.0, opened.change.1);
        out.u32(POSIX_LOCKS);
        opened.set.write(out);
        // OPEN_DELEGATE_NONE
        out.u32(0);
        self.current = Some(Place::Node(opened.node));
        self.current_state = Some(id);
        Ok(())
    }

    /// The state of this owner's file, which is opened further when it was open already.
    fn hold(&self, owner: Vec<u8>, access: Access, opened: &Opened) -> Result<StateId, Failure> {
        let file = Arc::new(opened.file.try_clone().map_err(Failure::from)?);
        let mut state = self.server.state();
        let reader = access.read.then(|| file.clone());
        let writer = access.write.then(|| file.clone());
        if let Some((number, open)) = state.open_of(self.client, &owner, &opened.node.key) {
            open.access = Access { read: open.access.read || access.read, write: open.access.write || access.write };
            open.reader = open.reader.take().or(reader);
            open.writer = open.writer.take().or(writer);
            open.sequence = next_sequence(open.sequence);
            let sequence = open.sequence;
            return Ok(state.id_of(number, sequence));
        }
        let (client, key) = (self.client, opened.node.key);
        let number = state.hold(Held::Open(Open { client, owner, key, access, sequence: 1, reader, writer }))?;
        Ok(state.id_of(number, 1))
    }

    fn open_current(&self, access: Access) -> Result<Opened, Failure> {
        let node = self.node()?;
        let file = self.open_node(&node, access.flags())?;
        Ok(Opened { node, file, set: Bitmap::of(&[]), change: (0, 0) })
    }

    fn open_name(&self, name: &[u8], access: Access, how: How) -> Result<Opened, Failure> {
        let dir = self.directory()?;
        let before = Compound::change_of(&dir)?;
        let existing = || -> Result<(Arc<Node>, OwnedFd), Failure> {
            let node = {
                let _acting = self.acting(dir.key.volume)?;
                self.server.nodes.child(&dir, name)?.0
            };
            let file = self.open_node(&node, access.flags())?;
            Ok((node, file))
        };
        let made = |wish: &Wish| self.make_file(&dir, name, access, wish);
        let (node, file, set) = match how {
            How::Existing => existing().map(|(node, file)| (node, file, Bitmap::of(&[])))?,
            How::Unchecked(wish) => match made(&wish)? {
                Some((node, file)) => (node, file, wish.named()),
                None => {
                    let (node, file) = existing()?;
                    if wish.size == Some(0) {
                        self.truncate(&node)?;
                    }
                    (node, file, Bitmap::of(&[4]))
                }
            },
            How::Guarded(wish) => {
                let (node, file) = made(&wish)?.ok_or(status::EXIST)?;
                (node, file, wish.named())
            }
            How::Exclusive(verifier, wish) => match made(&wish)? {
                Some((node, file)) => {
                    attributes::mark_verifier(node.fd.as_fd(), &verifier)?;
                    (node, file, exclusive_set(&wish))
                }
                None => {
                    let (node, file) = existing()?;
                    if !attributes::has_verifier(&files::stat(node.fd.as_fd())?, &verifier) {
                        return Err(status::EXIST.into());
                    }
                    (node, file, exclusive_set(&wish))
                }
            },
        };
        Ok(Opened { node, file, set, change: (before, Compound::change_of(&dir)?) })
    }

    fn truncate(&self, node: &Node) -> Outcome {
        let file = self.open_node(node, libc::O_WRONLY)?;
        Ok(files::set_size(file.as_fd(), 0)?)
    }

    /// None when the name is taken.
    fn make_file(&self, dir: &Node, name: &[u8], access: Access, wish: &Wish) -> Result<Option<(Arc<Node>, OwnedFd)>, Failure> {
        let entry = files::entry_name(name)?;
        let _acting = self.acting(dir.key.volume)?;
        let flags = access.flags() | libc::O_CREAT | libc::O_EXCL | libc::O_NONBLOCK;
        let file = match files::open_entry(dir.fd.as_fd(), &entry, flags, wish.mode.unwrap_or(0o666)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let node = self.server.nodes.adopt(dir, name, files::reopen(file.as_fd(), libc::O_PATH)?)?.0;
        if !wish.is_empty() {
            wish.apply(node.fd.as_fd())?;
        }
        if let Some(size) = wish.size.filter(|size| *size > 0) {
            files::set_size(file.as_fd(), size)?;
        }
        Ok(Some((node, file)))
    }

    /// A regular file, as the caller. Its owner may open it whatever its mode says: it may be open already, by a call that this server doesn't
    /// remember, or by the one that made it.
    pub(super) fn open_node(&self, node: &Node, flags: libc::c_int) -> Result<OwnedFd, Failure> {
        let stat = files::stat(node.fd.as_fd())?;
        match stat.kind() {
            libc::S_IFREG => {}
            libc::S_IFDIR => return Err(status::ISDIR.into()),
            libc::S_IFLNK => return Err(status::SYMLINK.into()),
            _ => return Err(WRONG_TYPE.into()),
        }
        let opened = {
            let _acting = self.acting(node.key.volume)?;
            files::reopen(node.fd.as_fd(), flags)
        };
        match opened {
            Err(e) if e.raw_os_error() == Some(libc::EACCES) && stat.0.stx_uid == self.uid(node.key.volume) => {
                Ok(files::reopen(node.fd.as_fd(), flags)?)
            }
            done => Ok(done?),
        }
    }

    pub(super) fn close(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        inside.u32()?;
        let id = self.meant(read_state(inside)?)?;
        let mut state = self.server.state();
        let (number, _) = state.open(self.client, &id)?;
        state.close(number);
        self.current_state = None;
        write_state(out, &StateId { sequence: u32::MAX, other: [0; 12] });
        Ok(())
    }

    pub(super) fn downgrade(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let id = self.meant(read_state(inside)?)?;
        inside.u32()?;
        let access = Access::read(inside)?;
        inside.u32()?;
        let mut state = self.server.state();
        let (number, open) = state.open(self.client, &id)?;
        if (access.read && !open.access.read) || (access.write && !open.access.write) {
            return Err(status::INVAL.into());
        }
        open.access = access;
        if !access.read {
            open.reader = None;
        }
        if !access.write {
            open.writer = None;
        }
        open.sequence = next_sequence(open.sequence);
        let sequence = open.sequence;
        let id = state.id_of(number, sequence);
        write_state(out, &id);
        self.current_state = Some(id);
        Ok(())
    }

    pub(super) fn free_state(&mut self, inside: &mut Decoder) -> Outcome {
        let id = read_state(inside)?;
        let mut state = self.server.state();
        match state.find(self.client, &id)? {
            (number, Held::Lock(_)) => drop(state.held.remove(&number)),
            (_, Held::Open(_)) => return Err(status::LOCKS_HELD.into()),
        }
        Ok(())
    }

    pub(super) fn test_states(&mut self, inside: &mut Decoder, out: &mut Encoder) -> Outcome {
        let count = inside.u32()?;
        if count > 1024 {
            return Err(status::BADXDR.into());
        }
        out.u32(count);
        for _ in 0..count {
            let id = read_state(inside)?;
            let found = self.server.state().find(self.client, &id).err().map_or(0, |failure| failure.status);
            out.u32(found);
        }
        Ok(())
    }

    /// The current state stands for itself (RFC 8881, section 16.2.3.1.2).
    pub(super) fn meant(&self, id: StateId) -> Result<StateId, Failure> {
        if id.other == [0; 12] && id.sequence == 1 {
            return self.current_state.ok_or(status::BAD_STATEID.into());
        }
        Ok(id)
    }

    /// What a READ, a WRITE or a change of size goes to: the open file, or, without a state, one that is opened for it.
    pub(super) fn file_for(&self, node: &Node, id: &StateId, writes: bool) -> Result<Arc<OwnedFd>, Failure> {
        let id = self.meant(*id)?;
        if id.other == [0; 12] || id.other == [0xff; 12] {
            let flags = if writes { libc::O_WRONLY } else { libc::O_RDONLY };
            return Ok(Arc::new(self.open_node(node, flags)?));
        }
        let mut state = self.server.state();
        let open = match state.find(self.client, &id)? {
            (_, Held::Open(open)) => open,
            (_, Held::Lock(lock)) => {
                let number = lock.open;
                match state.held.get_mut(&number) {
                    Some(Held::Open(open)) => open,
                    _ => return Err(status::BAD_STATEID.into()),
                }
            }
        };
        if open.key != node.key {
            return Err(status::BAD_STATEID.into());
        }
        open.descriptor(writes)
    }
}

fn exclusive_set(wish: &Wish) -> Bitmap {
    let mut set = attributes::verifier_attributes();
    set.join(&wish.named());
    set
}

pub fn next_sequence(sequence: u32) -> u32 {
    sequence.wrapping_add(1).max(1)
}
