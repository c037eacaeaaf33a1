//! `fattr4` (RFC 8881, section 5): what a file is like, and what of it is to be changed.
use std::io;
use std::os::fd::BorrowedFd;

use super::files::{self, Stat};
use super::status::{self, Failure};
use super::xdr::{Decoder, Encoder};
use super::{IO_BYTES, LEASE_SECONDS};

/// Words of a bitmap; more are read and not known.
const WORDS: usize = 8;
const SUPPORTED: [u32; 3] = [
    bits(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 16, 17, 18, 19, 20, 21, 22, 23, 26, 27, 28, 29, 30, 31]),
    bits(&[1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 15, 16, 19, 20, 21, 22, 23]),
    bits(&[11]),
];
const SIZE: u32 = 4;
const FILEHANDLE: u32 = 19;
const SPACES: [u32; 6] = [21, 22, 23, 42, 43, 44];
const MODE: u32 = 33;
const OWNER: u32 = 36;
const OWNER_GROUP: u32 = 37;
const TIME_ACCESS: u32 = 47;
const TIME_ACCESS_SET: u32 = 48;
const TIME_MODIFY: u32 = 53;
const TIME_MODIFY_SET: u32 = 54;
/// A file's times tell its last change no finer than the kernel's tick (10 ms at its longest). Within that time another change may follow
/// that they don't tell.
const TICK_NS: u64 = 20_000_000;
const NS: u64 = 1_000_000_000;

const fn bits(numbers: &[u32]) -> u32 {
    let (mut word, mut at) = (0, 0);
    while at < numbers.len() {
        word |= 1 << numbers[at];
        at += 1;
    }
    word
}

pub struct Bitmap(Vec<u32>);

impl Bitmap {
    pub fn of(numbers: &[u32]) -> Bitmap {
        let mut map = Bitmap(Vec::new());
        for number in numbers {
            let word = *number as usize / 32;
            map.0.resize(map.0.len().max(word + 1), 0);
            map.0[word] |= 1 << (number % 32);
        }
        map
    }

    pub fn read(inside: &mut Decoder) -> Result<Bitmap, Failure> {
        Ok(Bitmap(inside.words(WORDS)?))
    }

    pub fn has(&self, number: u32) -> bool {
        self.0.get(number as usize / 32).is_some_and(|word| word & 1 << (number % 32) != 0)
    }

    pub fn has_any(&self, numbers: &[u32]) -> bool {
        numbers.iter().any(|number| self.has(*number))
    }

    pub fn join(&mut self, other: &Bitmap) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        self.0.iter_mut().zip(&other.0).for_each(|(word, more)| *word |= more);
    }

    pub fn write(&self, out: &mut Encoder) {
        out.words(&self.0);
    }

    fn readable(&self) -> Bitmap {
        let [first, second, third] = SUPPORTED;
        let known = [first, second & !bits(&[TIME_ACCESS_SET - 32, TIME_MODIFY_SET - 32]), third];
        Bitmap(self.0.iter().zip(known).map(|(word, known)| word & known).collect())
    }

    fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.0.len() as u32 * 32).filter(|number| self.has(*number))
    }
}

/// What is described.
pub struct Subject<'a> {
    pub stat: &'a Stat,
    pub handle: &'a [u8],
    /// 0: the directory of all volumes.
    pub file_system: u64,
    /// Asked only where space is wanted.
    pub fd: Option<BorrowedFd<'a>>,
}

/// Writes `fattr4`: those of `wanted` that are known.
pub fn write(out: &mut Encoder, wanted: &Bitmap, subject: &Subject) -> io::Result<()> {
    let given = wanted.readable();
    given.write(out);
    let length_at = out.bytes.len();
    out.u32(0);
    let space = match subject.fd.filter(|_| given.has_any(&SPACES)) {
        Some(fd) => Some(files::space(fd)?),
        None => None,
    };
    given.numbers().for_each(|number| write_one(out, number, subject, space.as_ref()));
    let length = out.bytes.len() - length_at - 4;
    out.set_u32(length_at, length as u32);
    Ok(())
}

fn write_one(out: &mut Encoder, number: u32, subject: &Subject, space: Option<&files::Space>) {
    let stat = &subject.stat.0;
    let of_space = |get: fn(&files::Space) -> u64| space.map_or(0, get);
    match number {
        0 => out.words(&SUPPORTED),
        1 => out.u32(type_of(subject.stat)),
        // FH4_PERSISTENT: handles outlive the server.
        2 => out.u32(0),
        3 => out.u64(change(subject.stat)),
        SIZE => out.u64(stat.stx_size),
        5 | 6 | 9 | 15 | 17 | 18 | 26 | 34 => out.bool(true),
        7 | 16 => out.bool(false),
        8 => {
            out.u64(0xbe);
            out.u64(subject.file_system);
        }
        10 => out.u32(LEASE_SECONDS),
        11 | 13 => out.u32(0),
        FILEHANDLE => out.opaque(subject.handle),
        20 | 55 => out.u64(stat.stx_ino),
        21 | 22 => out.u64(of_space(|s| s.files_free)),
        23 => out.u64(of_space(|s| s.files)),
        27 => out.u64(i64::MAX as u64),
        28 => out.u32(65_000),
        29 => out.u32(files::NAME_BYTES as u32),
        30 | 31 => out.u64(IO_BYTES as u64),
        MODE => out.u32(u32::from(stat.stx_mode) & 0o7777),
        35 => out.u32(stat.stx_nlink),
        OWNER => out.opaque(stat.stx_uid.to_string().as_bytes()),
        OWNER_GROUP => out.opaque(stat.stx_gid.to_string().as_bytes()),
        41 => {
            out.u32(stat.stx_rdev_major);
            out.u32(stat.stx_rdev_minor);
        }
        42 => out.u64(of_space(|s| s.available)),
        43 => out.u64(of_space(|s| s.free)),
        44 => out.u64(of_space(|s| s.total)),
        45 => out.u64(stat.stx_blocks * 512),
        TIME_ACCESS => write_time(out, &stat.stx_atime),
        51 => {
            out.u64(0);
            out.u32(1);
        }
        52 => write_time(out, &stat.stx_ctime),
        TIME_MODIFY => write_time(out, &stat.stx_mtime),
        75 => Bitmap::of(&[SIZE, MODE, OWNER, OWNER_GROUP]).write(out),
        _ => {}
    }
}

fn write_time(out: &mut Encoder, time: &libc::statx_timestamp) {
    out.u64(time.tv_sec as u64);
    out.u32(time.tv_nsec);
}

fn type_of(stat: &Stat) -> u32 {
    match stat.kind() {
        libc::S_IFDIR => 2,
        libc::S_IFBLK => 3,
        libc::S_IFCHR => 4,
        libc::S_IFLNK => 5,
        libc::S_IFSOCK => 6,
        libc::S_IFIFO => 7,
        _ => 1,
    }
}

/// Differs when the file differs. While a change could still follow that its times don't tell, each answer is another one.
pub fn change(stat: &Stat) -> u64 {
    let changed = (stat.0.stx_ctime.tv_sec as u64).wrapping_mul(NS).wrapping_add(u64::from(stat.0.stx_ctime.tv_nsec));
    let age = crate::sys::realtime_ns().wrapping_sub(changed);
    if age < TICK_NS {
        changed.wrapping_add(1).wrapping_add(age)
    } else {
        changed
    }
}

/// What SETATTR, CREATE and OPEN say a file is to be like.
#[derive(Debug, Default)]
pub struct Wish {
    pub size: Option<u64>,
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    access: Option<libc::timespec>,
    modify: Option<libc::timespec>,
    named: Vec<u32>,
}

impl Wish {
    /// ATTRNOTSUPP for what can't be set.
    pub fn read(inside: &mut Decoder) -> Result<Wish, Failure> {
        let map = Bitmap::read(inside)?;
        let bytes = inside.opaque(4096)?;
        let mut values = Decoder::new(bytes);
        let mut wish = Wish { named: map.numbers().collect(), ..Wish::default() };
        for number in map.numbers() {
            match number {
                SIZE => wish.size = Some(values.u64()?),
                MODE => wish.mode = Some(values.u32()? & 0o7777),
                OWNER => wish.uid = Some(read_id(values.opaque(1024)?)?),
                OWNER_GROUP => wish.gid = Some(read_id(values.opaque(1024)?)?),
                TIME_ACCESS_SET => wish.access = Some(read_time(&mut values)?),
                TIME_MODIFY_SET => wish.modify = Some(read_time(&mut values)?),
                _ => return Err(status::ATTRNOTSUPP.into()),
            }
        }
        Ok(wish)
    }

    pub fn named(&self) -> Bitmap {
        Bitmap::of(&self.named)
    }

    /// All but the size. As the client would do it itself: the owner before the mode, since a change of owner takes set-uid away.
    pub fn apply(&self, fd: BorrowedFd) -> io::Result<()> {
        if self.uid.is_some() || self.gid.is_some() {
            files::set_owner(fd, self.uid, self.gid)?;
        }
        if let Some(mode) = self.mode {
            files::set_mode(fd, mode)?;
        }
        if self.access.is_none() && self.modify.is_none() {
            return Ok(());
        }
        let omit = libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_OMIT };
        files::set_times(fd, &[self.access.unwrap_or(omit), self.modify.unwrap_or(omit)])
    }

    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }
}

/// Ids are numbers in text, as clients without a name service send them (RFC 8881, section 5.9).
fn read_id(text: &[u8]) -> Result<u32, Failure> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.filter(|id| *id != u32::MAX).ok_or(status::BADOWNER.into())
}

fn read_time(inside: &mut Decoder) -> Result<libc::timespec, Failure> {
    // SET_TO_SERVER_TIME4
    if inside.u32()? == 0 {
        return Ok(libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_NOW });
    }
    let (tv_sec, nanoseconds) = (inside.i64()?, inside.u32()?);
    if u64::from(nanoseconds) >= NS {
        return Err(status::INVAL.into());
    }
    Ok(libc::timespec { tv_sec, tv_nsec: i64::from(nanoseconds) })
}

/// What tells an exclusive create that is tried again: kept in the file's times, which the client then sets (RFC 8881, section 18.16.3).
pub fn mark_verifier(fd: BorrowedFd, verifier: &[u8; 8]) -> io::Result<()> {
    files::set_times(fd, &verifier_times(verifier).map(|tv_sec| libc::timespec { tv_sec, tv_nsec: 0 }))
}

pub fn has_verifier(stat: &Stat, verifier: &[u8; 8]) -> bool {
    [stat.0.stx_atime.tv_sec, stat.0.stx_mtime.tv_sec] == verifier_times(verifier)
}

/// Seconds that every file system can hold.
fn verifier_times(verifier: &[u8; 8]) -> [i64; 2] {
    let half = |at: usize| i64::from(u32::from_be_bytes([verifier[at] & 0x7f, verifier[at + 1], verifier[at + 2], verifier[at + 3]]));
    [half(0), half(4)]
}

/// Attributes that an exclusive create used for the verifier.
pub fn verifier_attributes() -> Bitmap {
    Bitmap::of(&[TIME_ACCESS, TIME_MODIFY])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(map: &[u32], values: impl FnOnce(&mut Encoder)) -> Result<Wish, Failure> {
        let mut inner = Encoder::default();
        values(&mut inner);
        let mut out = Encoder::default();
        Bitmap::of(map).write(&mut out);
        out.opaque(&inner.bytes);
        Wish::read(&mut Decoder::new(&out.bytes))
    }

    #[test]
    fn ids_are_numbers_and_what_cannot_be_set_is_refused() {
        let read = wish(&[MODE, OWNER], |out| {
            out.u32(0o100_644);
            out.opaque(b"1000");
        });
        let read = read.expect("can be set");
        assert_eq!((read.mode, read.uid, read.gid), (Some(0o644), Some(1000), None));
        assert_eq!(wish(&[OWNER], |out| out.opaque(b"root@example")).expect_err("a name").status, status::BADOWNER);
        assert_eq!(wish(&[1], |out| out.u32(1)).expect_err("its type").status, status::ATTRNOTSUPP);
    }

    #[test]
    fn a_verifier_is_found_again_in_the_times() {
        let verifier = [0xff, 1, 2, 3, 4, 5, 6, 7];
        // SAFETY: statx is plain data, for which all zeroes is a value.
        let mut stat = Stat(unsafe { std::mem::zeroed() });
        assert!(!has_verifier(&stat, &verifier));
        [stat.0.stx_atime.tv_sec, stat.0.stx_mtime.tv_sec] = verifier_times(&verifier);
        assert!(has_verifier(&stat, &verifier));
    }
}
