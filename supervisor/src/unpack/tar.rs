//! Reads a tar archive: ustar (POSIX.1-1988), PAX (POSIX.1-2001) and GNU headers.
use super::stream::{truncated, Stream};
use crate::protocol::{ErrorCode, WorkerError};

const BLOCK: usize = 512;
/// Largest PAX record block or GNU long name.
const EXTENSION_BYTES: u64 = 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    HardLink,
    Symlink,
    Character,
    Block,
    Directory,
    Fifo,
}

#[derive(Debug, Clone)]
pub struct Entry {
    /// As it stands in the archive.
    pub path: Vec<u8>,
    /// Target of a hard or symbolic link.
    pub link: Vec<u8>,
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Bytes that follow in the stream; 0 for all but files.
    pub size: u64,
    /// Seconds and nanoseconds since the epoch.
    pub mtime: (i64, i64),
    pub device: (u32, u32),
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What extension headers say about the entry after them.
#[derive(Default)]
struct Extension {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
    mtime: Option<(i64, i64)>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Reads headers off a stream. Between two calls the caller takes `size` bytes of data; `next` skips the padding after them.
#[derive(Default)]
pub struct Reader {
    padding: u64,
    headers: u64,
}

impl Reader {
    /// The next entry, or None at the archive's end. More than `limit` headers of any kind are refused.
    pub fn next(&mut self, stream: &mut Stream, limit: u64) -> Result<Option<Entry>, WorkerError> {
        let mut extension = Extension::default();
        loop {
            stream.skip(std::mem::take(&mut self.padding))?;
            let mut block = [0u8; BLOCK];
            if !stream.fill(&mut block)? || block.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            self.headers += 1;
            if self.headers > limit {
                return Err(WorkerError::new(
                    ErrorCode::Limit,
                    format!("the layer has more than {limit} entries, the most that is allowed"),
                ));
            }
            let header = Header(&block);
            header.check()?;
            let size = header.number(124..136, "size")?;
            match block[156] {
                b'x' => extension.read_pax(&self.extension(stream, size)?)?,
                b'L' => extension.path = Some(until_nul(&self.extension(stream, size)?).to_vec()),
                b'K' => extension.link = Some(until_nul(&self.extension(stream, size)?).to_vec()),
                // Global PAX records are comments in practice, and every other reader of layers leaves them out; a volume's name is nothing to unpack.
                b'g' | b'V' => stream.skip(padded(size)?)?,
                _ => {
                    let entry = header.entry(extension, size)?;
                    self.padding = padded(entry.size)? - entry.size;
                    return Ok(Some(entry));
                }
            }
        }
    }

    fn extension(&mut self, stream: &mut Stream, size: u64) -> Result<Vec<u8>, WorkerError> {
        if size > EXTENSION_BYTES {
            return Err(WorkerError::new(ErrorCode::Limit, format!("an extension header has {size} bytes, more than {EXTENSION_BYTES}")));
        }
        let mut data = vec![0u8; size as usize];
        if !stream.fill(&mut data)? && size > 0 {
            return Err(truncated());
        }
        stream.skip(padded(size)? - size)?;
        Ok(data)
    }
}

struct Header<'a>(&'a [u8; BLOCK]);

impl Header<'_> {
    fn check(&self) -> Result<(), WorkerError> {
        let said = self.number(148..156, "checksum")?;
        let sum = |as_number: fn(u8) -> i64| -> i64 {
            self.0.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { as_number(*byte) }).sum()
        };
        // Some old writers summed signed bytes.
        if said as i64 != sum(i64::from) && said as i64 != sum(|byte| i64::from(byte as i8)) {
            return Err(malformed("a header's checksum is wrong: this is no tar archive, or a damaged one"));
        }
        Ok(())
    }

    /// Octal text, or base 256 when the first bit is set.
    fn number(&self, range: std::ops::Range<usize>, what: &str) -> Result<u64, WorkerError> {
        let field = &self.0[range];
        let bad = || malformed(&format!("a header's {what} is not a number"));
        if field[0] & 0x80 != 0 {
            let negative = field[0] & 0x40 != 0;
            let first = u64::from(field[0] & 0x3f);
            let value = field[1..].iter().try_fold(first, |sum, byte| sum.checked_mul(256).map(|sum| sum | u64::from(*byte)));
            return value.filter(|_| !negative).ok_or_else(bad);
        }
        let text = until_nul(field).trim_ascii();
        text.iter().try_fold(0u64, |sum, digit| {
            let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8).ok_or_else(bad)?;
            sum.checked_mul(8).map(|sum| sum + u64::from(digit)).ok_or_else(bad)
        })
    }

    fn id(&self, range: std::ops::Range<usize>, what: &str) -> Result<u32, WorkerError> {
        self.number(range, what).and_then(|value| owner(value, what))
    }

    fn entry(&self, extension: Extension, size: u64) -> Result<Entry, WorkerError> {
        let path = extension.path.unwrap_or_else(|| self.path());
        let kind = match self.0[156] {
            0 | b'0' | b'7' if path.ends_with(b"/") => Kind::Directory,
            0 | b'0' | b'7' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' => Kind::Character,
            b'4' => Kind::Block,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            b'S' => return Err(malformed(&format!("{} is a sparse file, which no image builder writes", String::from_utf8_lossy(&path)))),
            other => return Err(malformed(&format!("{} is of the unknown kind {:?}", String::from_utf8_lossy(&path), char::from(other)))),
        };
        let mtime = match extension.mtime {
            Some(time) => time,
            // A time before 1970 in base 256 is the one number that may be negative; layers with one get the epoch.
            None => (self.number(136..148, "time").unwrap_or(0).min(i64::MAX as u64) as i64, 0),
        };
        Ok(Entry {
            link: extension.link.unwrap_or_else(|| until_nul(&self.0[157..257]).to_vec()),
            kind,
            mode: (self.number(100..108, "mode")? & 0o7777) as u32,
            uid: extension.uid.map_or_else(|| self.id(108..116, "owner"), Ok)?,
            gid: extension.gid.map_or_else(|| self.id(116..124, "group"), Ok)?,
            size: if kind == Kind::File { extension.size.unwrap_or(size) } else { 0 },
            mtime,
            device: match kind {
                Kind::Character | Kind::Block => (self.id(329..337, "device number")?, self.id(337..345, "device number")?),
                _ => (0, 0),
            },
            xattrs: extension.xattrs,
            path,
        })
    }

    fn path(&self) -> Vec<u8> {
        let name = until_nul(&self.0[..100]);
        // GNU tar's magic is `ustar  `; it keeps other things where ustar has the prefix.
        let prefix = if &self.0[257..263] == b"ustar\0" { until_nul(&self.0[345..500]) } else { &[] };
        if prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }
}

impl Extension {
    /// `LENGTH KEY=VALUE\n` records; a later one of the same key wins.
    fn read_pax(&mut self, mut data: &[u8]) -> Result<(), WorkerError> {
        let bad = || malformed("a PAX header is malformed");
        while !data.is_empty() {
            let space = data.iter().position(|byte| *byte == b' ').ok_or_else(bad)?;
            let length = decimal(&data[..space]).filter(|length| *length <= data.len() as u64).ok_or_else(bad)? as usize;
            let record = data.get(space + 1..length).and_then(|record| record.strip_suffix(b"\n")).ok_or_else(bad)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
            self.set(&record[..equals], &record[equals + 1..])?;
            data = &data[length..];
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), WorkerError> {
        let bad = || malformed(&format!("the PAX record {} is malformed", String::from_utf8_lossy(key)));
        match key {
            b"path" => self.path = Some(clean(value).ok_or_else(bad)?),
            b"linkpath" => self.link = Some(clean(value).ok_or_else(bad)?),
            b"size" => self.size = Some(decimal(value).ok_or_else(bad)?),
            b"uid" => self.uid = Some(owner(decimal(value).ok_or_else(bad)?, "owner")?),
            b"gid" => self.gid = Some(owner(decimal(value).ok_or_else(bad)?, "group")?),
            b"mtime" => self.mtime = Some(time(value).ok_or_else(bad)?),
            _ if key.starts_with(b"GNU.sparse.") => {
                return Err(malformed("the archive holds a sparse file, which no image builder writes"))
            }
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattrs.retain(|(known, _)| known != name);
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Ok(())
    }
}

fn malformed(reason: &str) -> WorkerError {
    WorkerError::new(ErrorCode::Failed, format!("the archive can't be read: {reason}"))
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn clean(value: &[u8]) -> Option<Vec<u8>> {
    (!value.is_empty() && !value.contains(&0)).then(|| value.to_vec())
}

fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// u32::MAX means "leave as it is" to chown(2).
fn owner(value: u64, what: &str) -> Result<u32, WorkerError> {
    u32::try_from(value).ok().filter(|id| *id != u32::MAX).ok_or_else(|| malformed(&format!("the {what} {value} is too large")))
}

/// `-12.345` -> seconds rounded down, and nanoseconds.
fn time(text: &[u8]) -> Option<(i64, i64)> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let nanoseconds: i64 = digits.parse().ok()?;
    if text.starts_with('-') && nanoseconds > 0 {
        return Some((seconds.checked_sub(1)?, 1_000_000_000 - nanoseconds));
    }
    Some((seconds, nanoseconds))
}

fn padded(size: u64) -> Result<u64, WorkerError> {
    size.checked_next_multiple_of(BLOCK as u64).ok_or_else(|| malformed("an entry's size is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_fraction() {
        assert_eq!(time(b"1700000000"), Some((1_700_000_000, 0)));
        assert_eq!(time(b"1700000000.25"), Some((1_700_000_000, 250_000_000)));
        assert_eq!(time(b"-1.5"), Some((-2, 500_000_000)));
        assert_eq!(time(b"-0.5"), Some((-1, 500_000_000)));
        assert_eq!(time(b"x"), None);
    }

    #[test]
    fn pax_records_are_read_or_refused() {
        let mut extension = Extension::default();
        extension.read_pax(b"12 path=a/b\n26 SCHILY.xattr.user.k=v1\n26 SCHILY.xattr.user.k=v2\n").unwrap();
        assert_eq!(extension.path.as_deref(), Some(&b"a/b"[..]));
        assert_eq!(extension.xattrs, [(b"user.k".to_vec(), b"v2".to_vec())]);
        for bad in
            [&b"99 path=a\n"[..], b"0 path=a\n", b"path=a\n", b"9 path=ab", b"18446744073709551616 a=b\n", b"3 a\n", b"10 path=a\0\n"]
        {
            assert!(Extension::default().read_pax(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
