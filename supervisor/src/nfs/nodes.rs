//! The files that the client has handles of.
//!
//! A handle says which file it is (its number and when it was made) and, as a hint, the numbers of the directories above it: after a restart,
//! when nothing is remembered, the file is looked for along that way. The kernel's own handles would do without, but who may open those may
//! open every file of the disk, and this process shall see nothing but its volumes.
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::files::{self, Stat};
use super::status::{self, Failure};

/// `NFS4_FHSIZE`.
pub const HANDLE_BYTES: usize = 128;
const FORMAT: u8 = 1;
/// In place of a volume's number: the directory of all volumes.
const PSEUDO: u8 = 0xff;
const HEAD: usize = 16;
const LEVELS: usize = (HANDLE_BYTES - HEAD) / 4;
/// Files that are remembered; and how many of them are kept open, which is what makes one that was moved by others found again.
const REMEMBERED: usize = 64 * 1024;
const OPEN: usize = 8 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub volume: u8,
    pub ino: u64,
    pub generation: u32,
}

pub struct Node {
    pub key: Key,
    pub handle: Vec<u8>,
    /// O_PATH.
    pub fd: OwnedFd,
}

/// What a handle leads to.
#[derive(Clone)]
pub enum Place {
    /// The directory that the volumes are in.
    Pseudo,
    Node(Arc<Node>),
}

struct Known {
    handle: Vec<u8>,
    /// Where it was last seen.
    parent: Key,
    name: Vec<u8>,
    node: Option<Arc<Node>>,
    used: u64,
}

pub struct Nodes {
    roots: Vec<Arc<Node>>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    known: HashMap<Key, Known>,
    open: usize,
    turn: u64,
}

pub fn pseudo_handle() -> Vec<u8> {
    handle(&Key { volume: PSEUDO, ino: 1, generation: 0 }, &[])
}

/// `above`: the low halves of the numbers of the directories above, the nearest first, without the root.
fn handle(key: &Key, above: &[u32]) -> Vec<u8> {
    let mut bytes = vec![FORMAT, key.volume, 0, 0];
    bytes.extend_from_slice(&key.ino.to_be_bytes());
    bytes.extend_from_slice(&key.generation.to_be_bytes());
    // Too deep for a handle: found as long as it is remembered.
    above.iter().take(LEVELS).for_each(|ino| bytes.extend_from_slice(&ino.to_be_bytes()));
    bytes[2] = above.len().min(LEVELS + 1) as u8;
    bytes
}

/// None for what this server never gave out.
fn parse(handle: &[u8]) -> Option<(Key, Vec<u32>)> {
    if handle.len() < HEAD || handle[0] != FORMAT || (handle.len() - HEAD) % 4 != 0 {
        return None;
    }
    let word = |at: usize| handle[at..at + 4].try_into().map(u32::from_be_bytes).unwrap_or_default();
    let ino = handle[4..12].try_into().map(u64::from_be_bytes).unwrap_or_default();
    let above = (HEAD..handle.len()).step_by(4).map(word).collect();
    Some((Key { volume: handle[1], ino, generation: word(12) }, above))
}

/// Of a file in the directory with this handle, which is a root or not.
fn handle_below(parent: &Node, is_root: bool, key: &Key) -> Vec<u8> {
    let (_, mut above) = parse(&parent.handle).unwrap_or((parent.key, Vec::new()));
    if !is_root {
        above.insert(0, parent.key.ino as u32);
    }
    handle(key, &above)
}

impl Nodes {
    /// `roots`: directories, opened.
    pub fn new(roots: Vec<OwnedFd>) -> io::Result<Nodes> {
        let root = |(volume, fd): (usize, OwnedFd)| {
            let key = key_of(volume as u8, &files::stat(fd.as_fd())?);
            Ok(Arc::new(Node { key, handle: handle(&key, &[]), fd }))
        };
        let roots = roots.into_iter().enumerate().map(root).collect::<io::Result<_>>()?;
        Ok(Nodes { roots, table: Mutex::default() })
    }

    pub fn volumes(&self) -> &[Arc<Node>] {
        &self.roots
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_root(&self, key: &Key) -> bool {
        self.roots.get(usize::from(key.volume)).is_some_and(|root| root.key == *key)
    }

    /// What the handle leads to. Asked with all rights: the way there is not the client's.
    pub fn find(&self, wanted: &[u8]) -> Result<Place, Failure> {
        let (key, above) = parse(wanted).ok_or(status::BADHANDLE)?;
        if key.volume == PSEUDO {
            return Ok(Place::Pseudo);
        }
        let root = self.roots.get(usize::from(key.volume)).ok_or(status::STALE)?;
        if key == root.key {
            return Ok(Place::Node(root.clone()));
        }
        if let Some(node) = self.remembered(&key) {
            return Ok(Place::Node(node));
        }
        let complete = usize::from(wanted[2]) == above.len();
        let found = if complete { walk(root, &above, &key)? } else { None };
        let (fd, parent, name) = found.ok_or(status::STALE)?;
        // The client knows it by this handle, whatever another one would be like now.
        let node = Arc::new(Node { key, handle: wanted.to_vec(), fd });
        self.table().insert(&node, parent, &name);
        Ok(Place::Node(node))
    }

    /// One that is open, or is still where it was last seen.
    fn remembered(&self, key: &Key) -> Option<Arc<Node>> {
        let (parent, name, handle) = {
            let mut table = self.table();
            table.turn += 1;
            let turn = table.turn;
            let known = table.known.get_mut(key)?;
            known.used = turn;
            if let Some(node) = &known.node {
                return Some(node.clone());
            }
            (known.parent, known.name.clone(), known.handle.clone())
        };
        let parent = if self.is_root(&parent) { self.roots.get(usize::from(parent.volume))?.clone() } else { self.remembered(&parent)? };
        let name = files::entry_name(&name).ok()?;
        let fd = files::open_entry(parent.fd.as_fd(), &name, libc::O_PATH, 0).ok()?;
        if key_of(key.volume, &files::stat(fd.as_fd()).ok()?) != *key {
            return None;
        }
        let node = Arc::new(Node { key: *key, handle, fd });
        self.table().insert(&node, parent.key, name.as_bytes());
        Some(node)
    }

    /// The entry `name` of a directory, and how it is.
    pub fn child(&self, parent: &Node, name: &[u8]) -> io::Result<(Arc<Node>, Stat)> {
        let entry = files::entry_name(name)?;
        self.adopt(parent, name, files::open_entry(parent.fd.as_fd(), &entry, libc::O_PATH, 0)?)
    }

    /// `fd` is the entry `name`, opened somehow.
    pub fn adopt(&self, parent: &Node, name: &[u8], fd: OwnedFd) -> io::Result<(Arc<Node>, Stat)> {
        let stat = files::stat(fd.as_fd())?;
        let key = key_of(parent.key.volume, &stat);
        let mut table = self.table();
        let handle = match table.known.get(&key) {
            Some(Known { node: Some(node), .. }) => {
                let node = node.clone();
                table.moved(&key, parent.key, name);
                return Ok((node, stat));
            }
            Some(known) => known.handle.clone(),
            None => handle_below(parent, self.is_root(&parent.key), &key),
        };
        let node = Arc::new(Node { key, handle, fd });
        table.insert(&node, parent.key, name);
        Ok((node, stat))
    }

    /// The handle of an entry that is only listed.
    pub fn handle_of(&self, parent: &Node, name: &[u8], stat: &Stat) -> Vec<u8> {
        let key = key_of(parent.key.volume, stat);
        let mut table = self.table();
        if let Some(known) = table.known.get(&key) {
            return known.handle.clone();
        }
        let handle = handle_below(parent, self.is_root(&parent.key), &key);
        table.remember(key, Known { handle: handle.clone(), parent: parent.key, name: name.to_vec(), node: None, used: 0 });
        handle
    }

    pub fn moved(&self, key: &Key, parent: &Node, name: &[u8]) {
        self.table().moved(key, parent.key, name);
    }

    /// None of the root, and of what was not seen in a directory.
    pub fn parent(&self, node: &Node) -> Result<Place, Failure> {
        if self.is_root(&node.key) {
            return Ok(Place::Pseudo);
        }
        let parent = self.table().known.get(&node.key).map(|known| known.parent).ok_or(status::STALE)?;
        if self.is_root(&parent) {
            return Ok(Place::Node(self.roots[usize::from(parent.volume)].clone()));
        }
        self.remembered(&parent).map(Place::Node).ok_or(status::STALE.into())
    }

    /// Lets go of files that have no name any more and are not among `open`: as long as they are held here their blocks are not free.
    pub fn sweep(&self, open: &[Key]) {
        let held: Vec<Arc<Node>> = self.table().known.values().filter_map(|known| known.node.clone()).collect();
        let is_gone = |node: &&Arc<Node>| files::stat(node.fd.as_fd()).is_ok_and(|stat| stat.0.stx_nlink == 0) && !open.contains(&node.key);
        let gone: Vec<Key> = held.iter().filter(is_gone).map(|node| node.key).collect();
        let mut table = self.table();
        gone.iter().for_each(|key| table.forget(key));
    }

    pub fn forget(&self, key: &Key) {
        self.table().forget(key);
    }
}

impl Table {
    fn insert(&mut self, node: &Arc<Node>, parent: Key, name: &[u8]) {
        let known = Known { handle: node.handle.clone(), parent, name: name.to_vec(), node: Some(node.clone()), used: 0 };
        self.remember(node.key, known);
    }

    fn remember(&mut self, key: Key, mut known: Known) {
        self.turn += 1;
        known.used = self.turn;
        self.open += usize::from(known.node.is_some());
        if let Some(before) = self.known.insert(key, known) {
            self.open -= usize::from(before.node.is_some());
        }
        if self.open > OPEN {
            self.close_oldest();
        }
        if self.known.len() > REMEMBERED {
            self.forget_oldest();
        }
    }

    fn moved(&mut self, key: &Key, parent: Key, name: &[u8]) {
        self.turn += 1;
        let turn = self.turn;
        if let Some(known) = self.known.get_mut(key) {
            (known.parent, known.name, known.used) = (parent, name.to_vec(), turn);
        }
    }

    fn forget(&mut self, key: &Key) {
        if let Some(known) = self.known.remove(key) {
            self.open -= usize::from(known.node.is_some());
        }
    }

    /// Half of them at once, so that it costs each little.
    fn close_oldest(&mut self) {
        let limit = median(self.known.values().filter(|known| known.node.is_some()).map(|known| known.used));
        for known in self.known.values_mut().filter(|known| known.used < limit) {
            self.open -= usize::from(known.node.take().is_some());
        }
    }

    fn forget_oldest(&mut self) {
        let limit = median(self.known.values().map(|known| known.used));
        self.known.retain(|_, known| known.used >= limit);
        self.open = self.known.values().filter(|known| known.node.is_some()).count();
    }
}

fn median(used: impl Iterator<Item = u64>) -> u64 {
    let mut used: Vec<u64> = used.collect();
    let middle = used.len() / 2;
    if used.is_empty() {
        return 0;
    }
    *used.select_nth_unstable(middle).1
}

pub fn key_of(volume: u8, stat: &Stat) -> Key {
    Key { volume, ino: stat.0.stx_ino, generation: stat.generation() }
}

type Found = (OwnedFd, Key, Vec<u8>);

/// Goes down from the root by the directories' numbers. None when one is not where the handle says.
fn walk(root: &Node, above: &[u32], key: &Key) -> io::Result<Option<Found>> {
    let mut parent = root.key;
    let mut dir = files::reopen(root.fd.as_fd(), libc::O_RDONLY | libc::O_DIRECTORY)?;
    for ino in above.iter().rev() {
        let Some((_, fd)) = entry_where(&dir, |entry| entry as u32 == *ino)? else { return Ok(None) };
        let stat = files::stat(fd.as_fd())?;
        if !stat.is_directory() {
            return Ok(None);
        }
        parent = key_of(key.volume, &stat);
        dir = files::reopen(fd.as_fd(), libc::O_RDONLY | libc::O_DIRECTORY)?;
    }
    let Some((name, fd)) = entry_where(&dir, |ino| ino == key.ino)? else { return Ok(None) };
    let is_it = key_of(key.volume, &files::stat(fd.as_fd())?) == *key;
    Ok(is_it.then_some((fd, parent, name)))
}

fn entry_where(dir: &OwnedFd, is_it: impl Fn(u64) -> bool) -> io::Result<Option<(Vec<u8>, OwnedFd)>> {
    let mut found = None;
    files::list(dir.as_fd(), 0, |entry| {
        if is_it(entry.ino) {
            found = Some(entry.name);
        }
        found.is_none()
    })?;
    let Some(name) = found else { return Ok(None) };
    match files::open_entry(dir.as_fd(), &files::entry_name(&name)?, libc::O_PATH, 0) {
        Ok(fd) => Ok(Some((name, fd))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
