//! What a process that serves a directory knows of its descriptors, in memory that the next one finds. Both have the same table of descriptors
//! (CLONE_FILES), so that what was open stays open when one is killed: only what each stands for must be told.
//!
//! Each descriptor has a place of its own. It is written before the kernel hears of what it stands for and cleared before it is closed, its kind as the
//! last and as the first: whenever the process is killed, a place says the truth or nothing. What was told to nobody is then a descriptor too many.
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use super::wire::ROOT;

/// Files that the kernel knows and that are open.
pub const OPEN_FILES: u64 = 500_000;

const NOTHING: u32 = 0;
const NODE: u32 = 1;
const OPENED: u32 = 2;
const LOCKS: u32 = 3;

#[repr(C)]
struct Place {
    kind: AtomicU32,
    generation: AtomicU32,
    first: AtomicU64,
    second: AtomicU64,
    /// How often the kernel was told of it.
    lookups: AtomicU64,
}

#[repr(C)]
struct Head {
    last_node: AtomicU64,
    last_handle: AtomicU64,
    /// The highest descriptor that ever had a place.
    highest: AtomicI32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A file that the kernel knows: our number of it, its inode and that one's generation.
    Node { node: u64, ino: u64, generation: u32 },
    /// An open file, by its handle.
    Opened { handle: u64 },
    /// What has an owner's locks on a file.
    Locks { node: u64, owner: u64 },
}

/// Mapped until the process ends, and shared with those that it forks.
pub struct Memory {
    head: &'static Head,
    places: &'static [Place],
}

impl Memory {
    pub fn new() -> io::Result<Memory> {
        let places = OPEN_FILES as usize;
        let length = size_of::<Head>().next_multiple_of(64) + places * size_of::<Place>();
        let (rights, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE);
        // SAFETY: a new mapping, which takes nobody's place.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), length, rights, flags, -1, 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the mapping is never taken away, is zeroed (a value of every atomic), aligned to a page, and has room for both.
        let memory = unsafe {
            let first = at.cast::<u8>().add(size_of::<Head>().next_multiple_of(64)).cast::<Place>();
            Memory { head: &*at.cast::<Head>(), places: std::slice::from_raw_parts(first, places) }
        };
        memory.head.last_node.store(ROOT, Ordering::Relaxed);
        Ok(memory)
    }

    pub fn next_node(&self) -> u64 {
        self.head.last_node.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn next_handle(&self) -> u64 {
        self.head.last_handle.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Before the kernel hears of it.
    pub fn note(&self, fd: BorrowedFd, meaning: Meaning) {
        let Some(place) = self.place(fd.as_raw_fd()) else { return };
        let (kind, first, second, generation) = match meaning {
            Meaning::Node { node, ino, generation } => (NODE, node, ino, generation),
            Meaning::Opened { handle } => (OPENED, handle, 0, 0),
            Meaning::Locks { node, owner } => (LOCKS, node, owner, 0),
        };
        place.first.store(first, Ordering::Relaxed);
        place.second.store(second, Ordering::Relaxed);
        place.generation.store(generation, Ordering::Relaxed);
        place.lookups.store(0, Ordering::Relaxed);
        self.head.highest.fetch_max(fd.as_raw_fd(), Ordering::Relaxed);
        place.kind.store(kind, Ordering::Release);
    }

    /// Before it is closed.
    pub fn forget(&self, fd: BorrowedFd) {
        if let Some(place) = self.place(fd.as_raw_fd()) {
            place.kind.store(NOTHING, Ordering::Release);
        }
    }

    /// The kernel is told of the file once more.
    pub fn told(&self, fd: BorrowedFd) {
        if let Some(place) = self.place(fd.as_raw_fd()) {
            place.lookups.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The kernel has forgotten of the file so much of what it was told; how much is left.
    pub fn untold(&self, fd: BorrowedFd, lookups: u64) -> u64 {
        let Some(place) = self.place(fd.as_raw_fd()) else { return 0 };
        let left = place.lookups.load(Ordering::Relaxed).saturating_sub(lookups);
        place.lookups.store(left, Ordering::Relaxed);
        left
    }

    fn place(&self, fd: RawFd) -> Option<&Place> {
        self.places.get(usize::try_from(fd).ok()?)
    }

    fn known(&self) -> impl Iterator<Item = (RawFd, Meaning)> + '_ {
        (0..=self.head.highest.load(Ordering::Relaxed)).filter_map(|fd| {
            let place = self.place(fd)?;
            let (kind, first, second) =
                (place.kind.load(Ordering::Acquire), place.first.load(Ordering::Relaxed), place.second.load(Ordering::Relaxed));
            let meaning = match kind {
                NODE => Meaning::Node { node: first, ino: second, generation: place.generation.load(Ordering::Relaxed) },
                OPENED => Meaning::Opened { handle: first },
                LOCKS => Meaning::Locks { node: first, owner: second },
                _ => return None,
            };
            Some((fd, meaning))
        })
    }

    /// Descriptors that stand for something.
    pub fn descriptors(&self) -> Vec<RawFd> {
        self.known().map(|(fd, _)| fd).collect()
    }

    /// What the former process had, to whom goes on: once in each process, before it opens anything.
    pub fn recall(&self) -> Vec<(OwnedFd, Meaning)> {
        // SAFETY: a place says what is open, and nobody else in this process has it.
        self.known().map(|(fd, meaning)| (unsafe { OwnedFd::from_raw_fd(fd) }, meaning)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn the_next_process_finds_what_the_former_one_noted() {
        let memory = Memory::new().expect("maps");
        let open = || OwnedFd::from(File::open("/dev/null").expect("opens"));
        let (node, file, lock, gone) = (open(), open(), open(), open());
        let meanings = [
            Meaning::Node { node: memory.next_node(), ino: 7, generation: 3 },
            Meaning::Opened { handle: memory.next_handle() },
            Meaning::Locks { node: 2, owner: 9 },
        ];
        memory.note(gone.as_fd(), meanings[1]);
        for (fd, meaning) in [&node, &file, &lock].into_iter().zip(meanings) {
            memory.note(fd.as_fd(), meaning);
        }
        memory.forget(gone.as_fd());
        memory.told(node.as_fd());
        memory.told(node.as_fd());
        // A fork has the same memory.
        let child = crate::sys::fork().expect("forks");
        if child.is_none() {
            let well = memory.untold(node.as_fd(), 1) == 1 && memory.next_node() == ROOT + 2;
            crate::sys::exit_now(i32::from(!well));
        }
        let mut status = 0;
        // SAFETY: `status` is writable.
        unsafe { libc::waitpid(child.expect("a child"), &mut status, 0) };
        assert_eq!(status, 0);
        assert_eq!((memory.next_node(), memory.untold(node.as_fd(), 1)), (ROOT + 3, 0));
        let mut expected: Vec<(RawFd, Meaning)> = [&node, &file, &lock].map(AsRawFd::as_raw_fd).into_iter().zip(meanings).collect();
        expected.sort_unstable_by_key(|(fd, _)| *fd);
        assert_eq!(memory.known().collect::<Vec<_>>(), expected);
        for fd in [node, file, lock] {
            std::mem::forget(fd);
        }
        assert_eq!(memory.recall().iter().map(|(fd, meaning)| (fd.as_raw_fd(), *meaning)).collect::<Vec<_>>(), expected);
    }
}
